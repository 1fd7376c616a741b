"""Trains models, compares them, and puts the best one into the zoo.

    python train.py

renders the long-range benchmark on first use, trains a small NL-C2D and the
same C2D without non-local blocks, tests both, exports the better one as a
SavedModel, registers it in the zoo as `NAME.local`, loads it again by name
and checks that it predicts the same. A run that was killed goes on where it
was when the same command is typed again.

    python train.py --experiment=nl_i3d_r50_kinetics --data=/data/kinetics \
        --model_dir=runs/nl_i3d --strategy=mirrored

trains on the videos of `--data`, which holds `train`, `val` and `test`
(without `test`, `val` is used), each a folder of class folders or a list of
paths and labels: `train/`, or `train.csv`. Of plain class folders without a
`train` and `val`, some videos are held out:

    python train.py --experiment=small --data=/data/my_videos

With few videos, start from a model that knows others (docs/training.md):

    python train.py --experiment=finetune --data=/data/my_videos \
        --init=nl_c2d_tiny_longrange

Detectors are trained in the same way, on images with annotations in the form
of COCO (docs/detection.md):

    python train.py --experiment=nl_mask_rcnn_r50_fpn_coco --data=/data/coco
"""

import contextlib
import os
import pathlib
import signal
import sys

from absl import app
from absl import flags
from absl import logging

# All that takes seconds to import stands where it is used: --help, a wrong
# flag and Ctrl-C are answered at once.

_EXPERIMENT = flags.DEFINE_string(
    "experiment", "longrange", "Name of the recipe."
)
_DATA = flags.DEFINE_string(
    "data",
    None,
    "Folder of your videos or images; a recipe for them is named by "
    "--experiment. Without it, a new folder for the benchmark, which is "
    "rendered there.",
)
_MODEL_DIR = flags.DEFINE_string(
    "model_dir", None, "Folder for checkpoints, logs, report and export."
)
_STRATEGY = flags.DEFINE_enum(
    "strategy",
    "one_device",
    ["one_device", "mirrored", "tpu"],
    "Devices to train on.",
)
_STEPS = flags.DEFINE_integer("steps", None, "Number of updates.")
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", None, "Clips or images per update over all replicas."
)
_LEARNING_RATE = flags.DEFINE_float(
    "learning_rate", None, "The highest learning rate."
)
_INIT = flags.DEFINE_string(
    "init",
    None,
    "Weights to start from: a name of the zoo, a file (.keras, or a published "
    "one), imagenet, or none for random ones.",
)
_FPS = flags.DEFINE_float(
    "fps",
    None,
    "Frames per second for which the stride of clips is meant: clips count "
    "time. Without it they count frames.",
)
_RESUME = flags.DEFINE_bool(
    "resume",
    True,
    "Go on from the newest checkpoint in model_dir. With --noresume a run "
    "that is there is put aside, and a new one begins.",
)
_OVERRIDES = flags.DEFINE_multi_string(
    "overrides", [], "Other fields of the recipe, as field=value."
)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"Not a flag: {argv[1:]}. Flags start with --.")
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
        logging.get_absl_handler().setFormatter(Sentences())
    with silent_libraries():
        from nonlocal_keras.training import endings
    progress = endings.Progress()
    status = endings.status_of(lambda: run(progress), progress)
    if status > 128:
        # Threads that read videos may have work left, which nobody waits for.
        os._exit(status)
    return status


@contextlib.contextmanager
def silent_libraries():
    """Keeps off the screen what libraries write while they start.

    TensorFlow writes some of it whatever it is told. Python's own messages
    are seen.
    """
    if flags.FLAGS["verbosity"].present:
        yield
        return
    stderr, screen = sys.stderr, os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = open(screen, "w", buffering=1, errors="backslashreplace")
    try:
        yield
    finally:
        os.dup2(screen, 2)
        sys.stderr.close()
        sys.stderr = stderr


class Sentences(logging.PythonFormatter):
    """Warnings as a person reads them, without their place in the source."""

    def format(self, record):
        return f"{record.levelname.lower()}: {record.getMessage()}"


def read_recipe():
    """Returns the recipe with the changes that the flags make."""
    from nonlocal_keras.training import experiments

    changes = {}
    for assignment in _OVERRIDES.value:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise ValueError(
                "`overrides` must be of the form field=value. "
                f"Received: {assignment!r}"
            )
        changes[name] = value
    for flag in (_STEPS, _BATCH_SIZE, _LEARNING_RATE, _INIT, _FPS):
        if flag.value is not None:
            changes[flag.name] = flag.value
    return experiments.get_experiment(_EXPERIMENT.value).override(changes)


def run(progress):
    from nonlocal_keras.training import checkpoints
    from nonlocal_keras.training import experiments

    recipe = read_recipe()
    with silent_libraries():
        recipe = experiments.find_job(recipe).complete(recipe)
    model_dir = pathlib.Path(_MODEL_DIR.value or f"runs/{_EXPERIMENT.value}")
    with checkpoints.lock(model_dir):
        progress.model_dir, progress.recipe = model_dir, recipe
        progress.resume = _RESUME.value
        compare(recipe, model_dir)


def compare(recipe, model_dir):
    """Trains and tests the models of a recipe; registers the best."""
    from nonlocal_keras.training import experiments
    from nonlocal_keras.training import report
    from nonlocal_keras.training import strategies

    with silent_libraries():
        job = experiments.find_job(recipe)
        strategy = strategies.make_strategy(_STRATEGY.value)
        strategies.check_batch_size(strategy, recipe.batch_size)
        # The processes that render start with libraries of their own.
        training, validation, test = job.open_data(
            recipe, _DATA.value, say=print
        )
    print(strategies.describe(strategy))
    rows, trained = [], {}
    for name in recipe.models:
        model, seconds = job.train(
            recipe,
            name,
            strategy,
            training,
            validation,
            model_dir,
            _RESUME.value,
            say=print,
        )
        print(f"testing {name}")
        rows.append(
            job.test(recipe, name, model, test, seconds, sys.stdout.isatty())
        )
        trained[name] = model
    print("\n" + report.format_table(rows) + "\n")
    report.write_report(rows, model_dir)
    for data in (training, validation, test):
        if data.skipped:
            print(f"skipped {len(data.skipped)} broken files, see the log")
    best = max(rows, key=lambda row: row.score)
    record = job.register(
        recipe, trained[best.model], best, test, typed_command()
    )
    print(f"saved as {record.name}")
    print(f'zoo.load("{record.name}") predicts the same')


def typed_command():
    """Returns the command that makes the same model."""
    given = [
        f"--{flag.name}={flag.value}"
        for flag in (
            _EXPERIMENT,
            _STRATEGY,
            _STEPS,
            _BATCH_SIZE,
            _LEARNING_RATE,
            _INIT,
            _FPS,
        )
        if flag.present
    ]
    given += [f"--overrides={value}" for value in _OVERRIDES.value]
    return " ".join(["python train.py", *given])


def leave_early(number, frame):
    print("train.py: ended before the first step", file=sys.stderr, flush=True)
    os._exit(128 + number)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, leave_early)
    if not any("-verbosity" in argument for argument in sys.argv):
        # Read when TensorFlow is imported: its errors, no more.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    app.run(main)

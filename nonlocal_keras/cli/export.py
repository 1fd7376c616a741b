"""The command `nonlocal-keras export`."""

import pathlib

import numpy as np

from nonlocal_keras import terminal
from nonlocal_keras.cli import flags
from nonlocal_keras.cli import names
from nonlocal_keras.export import detectors
from nonlocal_keras.export import labels as class_names
from nonlocal_keras.export.detector_signatures import SIGNATURES as OF_DETECTORS
from nonlocal_keras.export.litert import TOLERANCES
from nonlocal_keras.export.parity import ExportError
from nonlocal_keras.export.signatures import SIGNATURES

# Flags of one target; with another one they would change nothing.
FLAGS = {
    "serving": ("version", "name", "signatures", "warmup", "optimize"),
    "litert": ("quantization", "shape"),
    "onnx": (),
}
ENDINGS = {"serving": "", "litert": ".tflite", "onnx": ".onnx"}
QUANTIZATIONS = tuple(filter(None, TOLERANCES))
# Where `optimize_for_inference` promises the same logits.
OPTIMIZED = 1e-4


def add_parser(commands):
    """Adds the command to the subparsers of `nonlocal-keras`."""
    parser = commands.add_parser(
        "export",
        parents=[flags.fetching_parser()],
        help="turn a model into a file that runs elsewhere",
        description="Exports a model for TensorFlow Serving, LiteRT or ONNX, "
        "runs the exported file on clips or images and compares it with the "
        "Keras model. If it predicts otherwise, no file is left and the exit "
        "status is not 0.",
    )
    parser.add_argument(
        "model",
        metavar="NAME_OR_FILE",
        help="a name of the zoo, or a .keras file",
    )
    parser.add_argument(
        "output",
        metavar="OUT",
        help="serving: the folder of all models; litert, onnx: the file",
    )
    parser.add_argument("--to", required=True, choices=tuple(FLAGS))
    parser.add_argument(
        "--labels", metavar="FILE", help="class names, one per line"
    )
    parser.add_argument(
        "--clips",
        nargs="+",
        metavar="VIDEO",
        help="videos to compare on; without it clips are drawn",
    )
    parser.add_argument(
        "--images",
        nargs="+",
        metavar="IMAGE",
        help="images to compare a detector on; without it images are drawn",
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        help="the most that a logit may differ, as a part of the largest",
    )
    _add_serving_flags(parser.add_argument_group("for --to serving"))
    _add_litert_flags(parser.add_argument_group("for --to litert"))
    parser.set_defaults(run=run)


def _add_serving_flags(serving):
    serving.add_argument(
        "--version", type=int, help="the one after the last by default"
    )
    serving.add_argument("--name", help="the name of the model at the server")
    serving.add_argument(
        "--signatures",
        nargs="+",
        choices=tuple(dict.fromkeys((*SIGNATURES, *OF_DETECTORS))),
    )
    serving.add_argument(
        "--optimize",
        action="store_true",
        default=None,
        help="fold the normalizations first, for speed; the others always do",
    )
    serving.add_argument(
        "--no-warmup",
        dest="warmup",
        action="store_false",
        default=None,
        help="write no requests for the warm-up, which need "
        "tensorflow-serving-api",
    )


def _add_litert_flags(litert):
    litert.add_argument(
        "--quantization",
        choices=QUANTIZATIONS,
        help="16 or 8 bits in place of float32; int8 measures ranges on "
        "--clips",
    )
    litert.add_argument(
        "--shape",
        nargs="+",
        type=int,
        metavar="SIZE",
        help="frames, height and width of a clip, where the model leaves them "
        "free; height and width of an image for a detector",
    )


def run(arguments):
    """Exports one model; a failure is a ValueError and leaves no file."""
    options = _options(arguments)
    model, name, card = _load(arguments)
    if arguments.labels is not None:
        labels = class_names.read(arguments.labels)
        if detectors.is_detector(model, None, None):
            model.labels = detectors.check_labels(model, labels)
        else:
            model.labels = class_names.check(
                labels, model.num_classes, "--labels"
            )
    # Refuses what is for the other kind of models.
    of_clips = {"optimize": options.get("optimize")}
    detectors.is_detector(model, arguments.clips, None, **of_clips)
    if options.pop("optimize", False):
        model = _optimize(model)
    if arguments.tolerance is not None:
        options["tolerance"] = arguments.tolerance
    if arguments.clips is not None:
        options["clips"] = _clips(model, arguments.clips)
    if arguments.images is not None:
        options["images"] = _images(arguments.images)
    try:
        if arguments.to == "serving":
            from nonlocal_keras.export.serving import to_serving

            options = {"version": None, "name": name, "card": card, **options}
            output = to_serving(
                model, arguments.output, say=terminal.write, **options
            )
        elif arguments.to == "litert":
            from nonlocal_keras.export.litert import to_litert

            if arguments.quantization == "int8":
                options["representative"] = options.get("clips")
            output = _tell(to_litert(model, arguments.output, **options))
        else:
            from nonlocal_keras.export.onnx import to_onnx

            output = _tell(to_onnx(model, arguments.output, **options))
    except ImportError as error:
        # A library that is not there, and how to install it.
        raise ExportError(str(error)) from error
    except OSError as error:
        raise ExportError(
            f"`OUT` cannot be written: {error.strerror or error}. "
            f"Received: {arguments.output}"
        ) from error
    terminal.write(f"wrote {output}")


def _tell(exported):
    """Prints what is known of a file; returns its path."""
    terminal.write(*str(exported).splitlines())
    return exported.path


def _options(arguments):
    """The flags of the target that are given; others are an error."""
    for target, of_target in FLAGS.items():
        for flag in of_target:
            given = getattr(arguments, flag) is not None
            if given and target != arguments.to:
                word = "no-warmup" if flag == "warmup" else flag
                raise ExportError(
                    f"`--{word}` is for --to {target} and would change "
                    f"nothing. Received: --to {arguments.to}"
                )
    if not arguments.output.endswith(ENDINGS[arguments.to]):
        raise ExportError(
            f"`OUT` must end in {ENDINGS[arguments.to]} for --to "
            f"{arguments.to}. Received: {arguments.output}"
        )
    given = {flag: getattr(arguments, flag) for flag in FLAGS[arguments.to]}
    return {flag: value for flag, value in given.items() if value is not None}


def _load(arguments):
    """Returns the model, its name at a server, and its card or `None`."""
    import zoo
    from nonlocal_keras import model_file

    text = arguments.model
    if not model_file.is_file_name(text):
        tasks = names.VIDEOS, names.IMAGES
        record = names.find_record(text, arguments.cache_dir, *tasks)
        model = zoo.load(text, **flags.read_fetching(arguments))
        return model, record.name, zoo.card(text, arguments.cache_dir)
    return (
        model_file.read_predictor(text, "NAME_OR_FILE"),
        pathlib.Path(text).stem,
        None,
    )


def _images(paths):
    from nonlocal_keras import data

    try:
        return [data.read_image(path) for path in paths]
    except data.ImageError as error:
        raise ExportError(
            f"`--images` must be images. Received: {error}"
        ) from error


def _optimize(model):
    from nonlocal_keras.export.parity import compare
    from nonlocal_keras.export.parity import sample_clips
    from nonlocal_keras.models.video.optimize import optimize_for_inference

    fast = optimize_for_inference(model)
    clips = sample_clips(model, 4)
    expected = model.logits.predict(clips, batch_size=1, verbose=0)
    parity = compare(
        expected,
        lambda clip: fast.logits.predict(clip, verbose=0),
        clips,
        OPTIMIZED,
    )
    terminal.write(f"optimize: {parity}")
    return fast


def _clips(model, paths):
    """One clip from the middle of each video, as the model takes it."""
    from nonlocal_keras.data import ClipReader
    from nonlocal_keras.data import VideoList
    from nonlocal_keras.export.signatures import clip_spec

    spec = clip_spec(model)
    videos = VideoList(list(paths), [0] * len(paths), ("unknown",))
    reader = ClipReader(videos, spec)
    views = [reader.test_views(index) for index in range(len(paths))]
    for problem in reader.skipped.values():
        raise ExportError(f"`--clips` must be videos. Received: {problem}")
    return np.asarray(spec.normalize(np.concatenate(views)))

"""Trains detectors: the model, its images, its average precision."""

import pathlib
import time

import keras
from absl import logging

from nonlocal_keras import data
from nonlocal_keras.analysis import macs
from nonlocal_keras.evaluation.detection import evaluate_detector
from nonlocal_keras.training import checkpoints
from nonlocal_keras.training import loop
from nonlocal_keras.training import optimizers
from nonlocal_keras.training import run_folder
from nonlocal_keras.training import strategies
from nonlocal_keras.training.detection import detector
from nonlocal_keras.training.detection.contents import describe
from nonlocal_keras.training.detection.inputs import open_data
from nonlocal_keras.training.detection.records import register
from nonlocal_keras.training.detection.row import Row

__all__ = ["complete", "open_data", "register", "test", "train"]


def complete(recipe):
    """Returns the recipe: nothing in it is left open."""
    return recipe


def train(
    recipe,
    name,
    strategy,
    training,
    validation,
    model_dir,
    resume=True,
    say=logging.info,
):
    """Trains one model and returns it with the final weights.

    Args:
        recipe: A
            `nonlocal_keras.training.detection.recipes.DetectionRecipe`.
        name: String, one of `recipe.models`.
        strategy: A `tf.distribute.Strategy`.
        training: A `nonlocal_keras.training.detection.inputs.Split`.
        validation: A `Split`, or `None`.
        model_dir: Path of the folder for checkpoints and logs.
        resume: Boolean, whether to go on from the newest checkpoint; if not,
            a run that is there is put aside. Defaults to `True`.
        say: Function that shows a line of text to the user. Defaults to the
            log.

    Returns:
        A tuple of the `nonlocal_keras.models.MaskRCNN` and the seconds spent
        in this call.

    Raises:
        ValueError: If the folder holds a run with other settings or images.
        FloatingPointError: If the loss or a variable is no finite number.
            The checkpoints before that are kept.
    """
    directory = pathlib.Path(model_dir) / name
    splits = {"train": training, "val": validation}
    run_folder.claim(
        directory,
        recipe,
        "images",
        training.class_names[1:],
        {n: describe(split.dataset) for n, split in splits.items() if split},
        resume,
        say,
    )
    keras.utils.set_random_seed(recipe.seed)
    clock = time.monotonic()
    start = detector.read_start(recipe, name)
    began = checkpoints.newest_step(directory) > 0
    with strategy.scope():
        model = detector.build_model(
            recipe,
            name,
            training.dataset,
            training.class_names,
            strategies.count_replicas(strategy) > 1,
            start and start.options,
        )
        detector.fill(model, recipe, start, directory, None if began else say)
        # XLA would compile the step for each size of a batch.
        model.compile(
            optimizers.make_optimizer(recipe),
            rpn_samples=recipe.rpn_samples,
            roi_samples=recipe.roi_samples,
            roi_positive_fraction=recipe.roi_positive_fraction,
            pre_nms_top_n=recipe.proposals,
            post_nms_top_n=recipe.proposals,
            seed=recipe.seed,
            jit_compile=False,
        )
    say(f"{name}: {model.describe()}")
    reader = data.DetectionReader(
        training.dataset,
        data.DetectionSpec.for_model(
            model, short_sides=recipe.short_sides, flip=recipe.flip
        ),
        recipe.seed,
        recipe.labels,
    )
    loop.fit(
        name,
        model,
        lambda done: data.detection_dataset(
            reader, recipe.batch_size, start_step=done
        ),
        directory,
        recipe.steps,
        recipe.epochs,
        strategy,
        validation and Validation(validation),
        say,
        monitor="val_boxes_ap",
        patience=recipe.patience,
    )
    training.skipped.update(reader.skipped)
    return model, time.monotonic() - clock


def test(recipe, name, model, test, seconds, progress=False):
    """Measures a trained model.

    Args:
        recipe: A
            `nonlocal_keras.training.detection.recipes.DetectionRecipe`.
        name: String, one of `recipe.models`.
        model: A `nonlocal_keras.models.MaskRCNN`.
        test: A `nonlocal_keras.training.detection.inputs.Split`.
        seconds: Float, duration of the training.
        progress: Boolean, whether a bar is shown. Defaults to `False`.

    Returns:
        A `nonlocal_keras.training.detection.row.Row`.
    """
    result = evaluate_detector(model, test.dataset, progress=progress)
    cost = _count(model)
    return Row(
        model=name,
        description=model.describe(),
        parameters=cost.parameters,
        macs=cost.macs,
        numbers=result.numbers,
        by_class=result.by_class,
        images=result.images,
        skipped=len(test.skipped),
        protocol=f"one scale, shorter side {recipe.min_size}",
        seconds=seconds,
    )


def _count(model):
    """Returns the cost of a square image, as records of the zoo tell it."""
    side = model.get_config()["min_size"]
    return macs.total(macs.count(model, {"images": (side, side, 3)}))


class Validation(keras.callbacks.Callback):
    """Adds `val_boxes_ap` and the like to the logs of an epoch.

    Args:
        split: A `nonlocal_keras.training.detection.inputs.Split`.
    """

    def __init__(self, split):
        super().__init__()
        self.split = split

    def on_epoch_end(self, epoch, logs=None):
        try:
            result = evaluate_detector(
                self.model, self.split.dataset, progress=False
            )
        except FloatingPointError as error:
            step = checkpoints.steps_done(self.model)
            raise FloatingPointError(f"after step {step} {error}") from None
        for kind, numbers in result.numbers.items():
            logs[f"val_{kind}_ap"] = numbers["AP"] or 0.0

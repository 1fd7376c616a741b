"""Trains classifiers of clips: the model, its loss, its clips, its accuracy."""

import pathlib
import time

import keras
from absl import logging

from nonlocal_keras.data import dataset
from nonlocal_keras.evaluation.accuracy import compile_predict
from nonlocal_keras.evaluation.accuracy import evaluate
from nonlocal_keras.training import checkpoints
from nonlocal_keras.training import loop
from nonlocal_keras.training import optimizers
from nonlocal_keras.training import run_folder
from nonlocal_keras.training import strategies
from nonlocal_keras.training.initial import open_initial
from nonlocal_keras.training.video import classifier
from nonlocal_keras.training.video.contents import describe
from nonlocal_keras.training.video.finetune import complete
from nonlocal_keras.training.video.inputs import open_data
from nonlocal_keras.training.video.records import register
from nonlocal_keras.training.video.row import make_row

__all__ = ["complete", "open_data", "register", "test", "train"]


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
        recipe: A `nonlocal_keras.training.video.recipes.VideoRecipe`.
        name: String, one of `recipe.models`.
        strategy: A `tf.distribute.Strategy`.
        training: A `nonlocal_keras.data.ClipReader`.
        validation: A `nonlocal_keras.data.ClipReader`, or `None`.
        model_dir: Path of the folder for checkpoints and logs.
        resume: Boolean, whether to go on from the newest checkpoint; if not,
            a run that is there is put aside. Defaults to `True`.
        say: Function that shows a line of text to the user. Defaults to the
            log.

    Returns:
        A tuple of the `nonlocal_keras.models.VideoClassifier` and the seconds
        spent in this call.

    Raises:
        ValueError: If the folder holds a run with other settings or videos.
        FloatingPointError: If the loss or a variable is no finite number.
            The checkpoints before that are kept.
    """
    directory = pathlib.Path(model_dir) / name
    lists = {"train": training, "val": validation}
    run_folder.claim(
        directory,
        recipe,
        "videos",
        training.videos.classes,
        {
            split: describe(reader.videos)
            for split, reader in lists.items()
            if reader is not None
        },
        resume,
        say,
    )
    keras.utils.set_random_seed(recipe.seed)
    clock = time.monotonic()
    initial = open_initial(recipe.init)
    began = checkpoints.newest_step(directory) > 0
    classes = training.videos.classes
    with strategy.scope():
        model = classifier.build_model(
            recipe,
            name,
            len(classes),
            strategies.count_replicas(strategy) > 1,
            initial,
        )
        classifier.start(
            model, recipe, initial, classes, directory, None if began else say
        )
        # The loss is taken from logits: exact where probabilities saturate.
        trainee = model.logits
        trainee.compile(
            optimizer=optimizers.make_optimizer(recipe),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="top1")],
            # Replicas of a compiled step fail under MirroredStrategy.
            jit_compile=False,
        )
    say(f"{name}: {model.backbone.describe()}")
    loop.fit(
        name,
        trainee,
        lambda done: dataset.training_dataset(
            training, recipe.batch_size, start_step=done
        ),
        directory,
        recipe.steps,
        recipe.epochs,
        strategy,
        validation and Validation(validation),
        say,
        monitor="val_top1",
        patience=recipe.patience,
    )
    return model, time.monotonic() - clock


def test(recipe, name, model, test, seconds, progress=False):
    """Measures a trained model.

    Args:
        recipe: A `nonlocal_keras.training.video.recipes.VideoRecipe`.
        name: String, one of `recipe.models`.
        model: A `nonlocal_keras.models.VideoClassifier`.
        test: A `nonlocal_keras.data.ClipReader`.
        seconds: Float, duration of the training.
        progress: Boolean, whether a bar is shown. Defaults to `False`.

    Returns:
        A `nonlocal_keras.training.video.row.Row`.
    """
    result = evaluate(
        model, test, recipe.test_clips, recipe.test_crops, progress=progress
    )
    return make_row(name, model, result, seconds)


class Validation(keras.callbacks.Callback):
    """Adds `val_top1` to the logs of an epoch, before others read them.

    Args:
        reader: A `nonlocal_keras.data.ClipReader`.
    """

    def __init__(self, reader):
        super().__init__()
        self.reader = reader
        self.predict = None

    def on_epoch_end(self, epoch, logs=None):
        self.predict = self.predict or compile_predict(self.model)
        try:
            result = evaluate(self.predict, self.reader, progress=False)
        except FloatingPointError as error:
            step = checkpoints.steps_done(self.model)
            raise FloatingPointError(f"after step {step} {error}") from None
        logs["val_top1"] = result.top1

"""Trains any compiled model; a killed run goes on where it was.

What is trained, on what and how it is validated is given by the `job.py`
of a task.
"""

import math
import sys

import keras
from absl import logging

from nonlocal_keras.training import checkpoints


def fit(
    name,
    model,
    make_dataset,
    directory,
    steps,
    epochs,
    strategy,
    validation=None,
    say=logging.info,
):
    """Trains a model up to a step, from its newest checkpoint on.

    Args:
        name: String, what messages call the model.
        model: A `keras.Model`, compiled in the scope of `strategy`.
        make_dataset: Function from the number of steps done to a
            `tf.data.Dataset` of the batches after them. It may have a list
            `errors` of what was raised while they were made.
        directory: Path of the folder for checkpoints and logs, locked by the
            caller.
        steps: Integer, number of updates of the whole run.
        epochs: Integer, number of parts of the run; each ends with the
            validation and a checkpoint.
        strategy: A `tf.distribute.Strategy`.
        validation: A `keras.callbacks.Callback` that adds to the logs at the
            end of an epoch, before they are written. Defaults to `None`.
        say: Function that shows a line of text to the user. Defaults to the
            log.

    Raises:
        ValueError: If the folder holds a checkpoint of another model, or
            within an epoch.
        FloatingPointError: If the loss or a variable is no finite number.
            The checkpoints before that are kept.
    """
    checkpoints.remove_partial(directory)
    with strategy.scope():
        done = checkpoints.restore_newest(directory, model)
    if done:
        say(f"{name}: going on from step {done} of {steps}")
    per_epoch = max(steps // epochs, 1)
    if done % per_epoch and done < steps:
        raise ValueError(
            f"`model_dir` holds a checkpoint at step {done}, which is no "
            f"multiple of steps / epochs = {per_epoch}. Use the settings of "
            "that run, or another model_dir"
        )
    if done < steps:
        _fit(
            name,
            model,
            make_dataset(done),
            initial_epoch=done // per_epoch,
            epochs=-(-steps // per_epoch),
            steps_per_epoch=per_epoch,
            callbacks=_make_callbacks(directory, validation),
        )


def _fit(name, model, batches, **options):
    import tensorflow as tf

    try:
        model.fit(
            batches,
            shuffle=False,
            # A bar rewrites its line; a file gets one line per epoch.
            verbose=1 if sys.stdout.isatty() else 2,
            **options,
        )
    except FloatingPointError as error:
        raise FloatingPointError(f"{name}: {error}") from None
    except tf.errors.OpError:
        if getattr(batches, "errors", None):
            # What was raised, in place of TensorFlow's quotation.
            raise batches.errors[0] from None
        raise


def _make_callbacks(directory, validation):
    return [
        StopAtNaN(),
        *([validation] if validation is not None else []),
        keras.callbacks.CSVLogger(directory / "log.csv", append=True),
        keras.callbacks.TensorBoard(directory / "tensorboard"),
        checkpoints.StepCheckpoint(directory),
    ]


class StopAtNaN(keras.callbacks.Callback):
    """Ends `fit()` at the first step whose loss is no finite number.

    An error, and not `stop_training`: after that Keras would go on to the
    callbacks that validate and save.
    """

    def on_train_batch_end(self, batch, logs=None):
        # The mean of the epoch so far, which one such loss spoils.
        if not math.isfinite(logs["loss"]):
            step = checkpoints.steps_done(self.model)
            raise FloatingPointError(f"the loss of step {step} is not finite")

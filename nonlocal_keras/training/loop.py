"""Trains any compiled model; a killed run goes on where it was.

What is trained, on what and how it is validated is given by the `job.py`
of a task.
"""

import math
import sys
import time

import keras
from absl import logging

from nonlocal_keras.training import checkpoints
from nonlocal_keras.training.best_weights import BestWeights


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
    monitor=None,
    patience=0,
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
        monitor: String, what `validation` adds to the logs. Defaults to
            `None`.
        patience: Integer, epochs without a better `monitor` after which the
            run ends; the model has its best weights then. Defaults to `0`, to
            train up to the last step and keep the last weights.

    Raises:
        ValueError: If the folder holds a checkpoint of another model, or
            within an epoch; or if there is a patience and no validation.
        FloatingPointError: If the loss or a variable is no finite number.
            The checkpoints before that are kept.
    """
    if patience and validation is None:
        raise ValueError(
            "`patience` needs a validation, by which the best weights are "
            f"known. Add val to the data, or take patience=0. Received: "
            f"patience={patience}"
        )
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
    best = None
    if patience:
        best = BestWeights(directory, monitor, patience, per_epoch)
    if done < steps and not (best and best.is_over(done)):
        _fit(
            name,
            model,
            make_dataset(done),
            initial_epoch=done // per_epoch,
            epochs=-(-steps // per_epoch),
            steps_per_epoch=per_epoch,
            callbacks=[
                ExpectedTime(steps, lambda text: say(f"{name}: {text}")),
                *_make_callbacks(directory, validation, best),
            ],
        )
    if best:
        ended = checkpoints.steps_done(model)
        if ended < steps:
            say(f"{name}: no better for {patience} parts, ended at {ended}")
        best.restore(model, say)


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


def _make_callbacks(directory, validation, best):
    return [
        StopAtNaN(),
        *(callback for callback in (validation, best) if callback),
        keras.callbacks.CSVLogger(directory / "log.csv", append=True),
        keras.callbacks.TensorBoard(directory / "tensorboard"),
        checkpoints.StepCheckpoint(directory),
    ]


class ExpectedTime(keras.callbacks.Callback):
    """Says after a few steps how long the rest will take.

    Args:
        steps: Integer, of the whole run.
        say: Function that shows a line of text to the user.
    """

    # The first step traces the model.
    FIRST, LAST = 2, 10

    def __init__(self, steps, say):
        super().__init__()
        self.steps, self.say = steps, say
        self.number, self.clock, self.seconds = 0, None, []

    def on_epoch_begin(self, epoch, logs=None):
        self.clock = None

    def on_train_batch_end(self, batch, logs=None):
        self.number += 1
        now = time.monotonic()
        if self.clock is not None and self.number > self.FIRST:
            self.seconds.append(now - self.clock)
        self.clock = now
        if self.number == self.LAST and self.seconds:
            left = self.steps - checkpoints.steps_done(self.model)
            each = sum(self.seconds) / len(self.seconds)
            self.say(
                f"{each:.2g} s a step, about {tell_time(left * each)} for the "
                f"{left} steps left, without validation"
            )


def tell_time(seconds):
    """Returns a duration as people say it.

    Example:

    >>> from nonlocal_keras.training.loop import tell_time
    >>> tell_time(40), tell_time(700), tell_time(9000), tell_time(400000)
    ('40 s', '12 min', '2.5 h', '4.6 days')
    """
    for size, unit in ((86_400, "days"), (3600, "h")):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    if seconds >= 90:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.0f} s"


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

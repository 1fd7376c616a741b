"""Trains one model of an experiment; a killed run goes on where it was."""

import math
import pathlib
import sys
import time

import keras

from nonlocal_keras import models
from nonlocal_keras.data import dataset
from nonlocal_keras.evaluation.accuracy import compile_predict
from nonlocal_keras.evaluation.accuracy import evaluate
from nonlocal_keras.training import checkpoints
from nonlocal_keras.training import run_folder


def train(
    experiment, name, strategy, training, validation, model_dir, resume=True
):
    """Trains one model and gives it back with the final weights.

    Args:
        experiment: A `nonlocal_keras.training.experiments.Experiment`.
        name: String, one of `experiment.models`.
        strategy: A `tf.distribute.Strategy`.
        training, validation: `nonlocal_keras.data.ClipReader`s.
        model_dir: Path of the folder for checkpoints and logs.
        resume: Boolean, whether to go on from the newest checkpoint; if not,
            a run that is there is put aside.

    Returns:
        A tuple of the `VideoClassifier` and the seconds spent in this call.

    Raises:
        ValueError: If the folder holds a run with other settings or videos.
        FloatingPointError: If the loss or a variable is no finite number.
            The checkpoints before that are kept.
    """
    directory = pathlib.Path(model_dir) / name
    run_folder.claim(
        directory,
        experiment,
        training.videos,
        validation and validation.videos,
        resume,
    )
    checkpoints.remove_partial(directory)
    keras.utils.set_random_seed(experiment.seed)
    start = time.monotonic()
    classes = len(training.videos.classes)
    with strategy.scope():
        model = build(
            experiment, name, classes, strategy.num_replicas_in_sync > 1
        )
        # The loss is taken from logits: exact where probabilities saturate.
        trainee = model.logits
        trainee.compile(
            optimizer=make_optimizer(experiment),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[keras.metrics.SparseCategoricalAccuracy(name="top1")],
            # Replicas of a compiled step fail under MirroredStrategy.
            jit_compile=False,
        )
        done = checkpoints.restore_newest(directory, trainee)
    print(f"{name}: {model.backbone.describe()}")
    if done:
        print(f"{name}: going on from step {done} of {experiment.steps}")
    per_epoch = max(experiment.steps // experiment.epochs, 1)
    if done % per_epoch and done < experiment.steps:
        raise ValueError(
            f"`model_dir` holds a checkpoint at step {done}, which is no "
            f"multiple of steps / epochs = {per_epoch}. Use the settings of "
            "that run, or another model_dir"
        )
    if done < experiment.steps:
        _fit(
            name,
            trainee,
            dataset.training_dataset(
                training, experiment.batch_size, start_step=done
            ),
            initial_epoch=done // per_epoch,
            epochs=-(-experiment.steps // per_epoch),
            steps_per_epoch=per_epoch,
            callbacks=_callbacks(trainee, validation, directory, experiment),
        )
    return model, time.monotonic() - start


def _fit(name, trainee, batches, **options):
    import tensorflow as tf

    try:
        trainee.fit(
            batches,
            shuffle=False,
            # A bar rewrites its line; a file gets one line per epoch.
            verbose=1 if sys.stdout.isatty() else 2,
            **options,
        )
    except FloatingPointError as error:
        raise FloatingPointError(f"{name}: {error}") from None
    except tf.errors.OpError:
        if batches.errors:
            # What the reader has raised, in place of TensorFlow's quotation.
            raise batches.errors[0] from None
        raise


def build(experiment, name, classes, synchronized=False):
    """Builds the classifier of an experiment with new weights.

    Args:
        experiment: An `Experiment`.
        name: String, a name for `nonlocal_keras.models.from_name`.
        classes: Integer, the number of classes.
        synchronized: Boolean, whether replicas share batch statistics.
    """
    spec = experiment.clip_spec
    l2 = None
    if experiment.optimizer == "sgd" and experiment.weight_decay:
        l2 = keras.regularizers.L2(experiment.weight_decay / 2)
    backbone = models.from_name(
        name,
        family=experiment.family,
        input_shape=(spec.frames, spec.size, spec.size, 3),
        synchronized=synchronized,
        kernel_regularizer=l2,
    )
    return models.VideoClassifier(
        backbone, classes, dropout=experiment.dropout, name=name
    )


def make_optimizer(experiment):
    """Builds the optimizer and the schedule of its learning rate."""
    rate, warmup = experiment.learning_rate, experiment.warmup_steps
    if experiment.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else rate,
            max(experiment.steps - warmup, 1),
            warmup_target=rate if warmup else None,
            warmup_steps=warmup,
        )
    else:
        if warmup:
            raise ValueError(
                "`warmup_steps` is used with schedule='cosine' only. "
                f"Received: warmup_steps={warmup}"
            )
        rate = keras.optimizers.schedules.PiecewiseConstantDecay(
            [int(part * experiment.steps) for part in experiment.schedule],
            [rate * 0.1**i for i in range(len(experiment.schedule) + 1)],
        )
    if experiment.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)
    if experiment.optimizer != "adamw":
        raise ValueError(
            "`optimizer` must be 'sgd' or 'adamw'. "
            f"Received: optimizer={experiment.optimizer!r}"
        )
    optimizer = keras.optimizers.AdamW(
        rate, weight_decay=experiment.weight_decay
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


class Validation(keras.callbacks.Callback):
    """Adds `val_top1` to the logs of an epoch, before others read them."""

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


def _callbacks(model, validation, directory, experiment):
    return [
        StopAtNaN(),
        *([Validation(validation)] if validation is not None else []),
        keras.callbacks.CSVLogger(directory / "log.csv", append=True),
        keras.callbacks.TensorBoard(directory / "tensorboard"),
        checkpoints.StepCheckpoint(directory),
    ]

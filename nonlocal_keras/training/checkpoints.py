"""Checkpoints that a kill at any moment leaves whole, and exact resumption.

A checkpoint is one `.npz` file of plain arrays: all variables of the model
(weights, batch statistics, states of random generators), all variables of the
optimizer and the number of steps done. It is written under another name and
then renamed, so that a file `step-N.npz` is always complete.
"""

import os
import pathlib
import re
import zipfile

import keras
import numpy as np
from absl import logging

_UNREADABLE = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile)


class StepCheckpoint(keras.callbacks.Callback):
    """Saves a checkpoint at the end of every epoch of `fit()`.

    Args:
        directory: String or path of the folder of checkpoints.
        keep: Integer, number of newest checkpoints to keep.
    """

    def __init__(self, directory, keep=2):
        super().__init__()
        self.directory, self.keep = pathlib.Path(directory), keep

    def on_epoch_end(self, epoch, logs=None):
        save(self.directory, self.model, keep=self.keep)


def save(directory, model, keep=2):
    """Writes `step-N.npz` and deletes all but the newest `keep`.

    Args:
        directory: Path of the folder, made if missing.
        model: A compiled `keras.Model` with a built optimizer.
        keep: Integer.

    Returns:
        The path of the checkpoint.
    """
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    step = _steps_done(model)
    path = directory / f"step-{step}.npz"
    partial = directory / f".step-{step}.{os.getpid()}.partial"
    with open(partial, "wb") as file:
        np.savez(file, **_arrays(model))
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    for old in checkpoints(directory)[keep:]:
        old.unlink()
    return path


def checkpoints(directory):
    """Gives the paths of the checkpoints of a folder, newest first."""
    found = []
    for path in pathlib.Path(directory).glob("step-*.npz"):
        match = re.fullmatch(r"step-(\d+)\.npz", path.name)
        if match:
            found.append((int(match[1]), path))
    return [path for _, path in sorted(found, reverse=True)]


def restore_newest(directory, model):
    """Puts the newest readable checkpoint into a model and its optimizer.

    A damaged file is named in the log, and the one before it is used.

    Args:
        directory: Path of the folder of checkpoints.
        model: A compiled `keras.Model` of the same architecture.

    Returns:
        The number of steps done, 0 without a checkpoint.

    Raises:
        ValueError: If a checkpoint is of another model or optimizer.
    """
    model.optimizer.build(model.trainable_variables)
    for path in checkpoints(directory):
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except _UNREADABLE as error:
            logging.warning("Cannot read checkpoint %s: %s", path, error)
            continue
        _assign(model, arrays, path)
        return _steps_done(model)
    return 0


def _steps_done(model):
    return int(keras.ops.convert_to_numpy(model.optimizer.iterations))


def _variables(model):
    metrics = {id(v) for metric in model.metrics for v in metric.variables}
    weights = [v for v in model.variables if id(v) not in metrics]
    # Names repeat, and longer ones count the models that a process has built:
    # the position makes a key unique, the name lets a mismatch be named.
    keyed = {f"{i:05d}:{v.name}": v for i, v in enumerate(weights)}
    for i, variable in enumerate(model.optimizer.variables):
        keyed[f"{i:05d}:optimizer"] = variable
    return keyed


def _arrays(model):
    return {
        name: keras.ops.convert_to_numpy(variable)
        for name, variable in _variables(model).items()
    }


def _assign(model, arrays, path):
    variables = _variables(model)
    wrong = sorted(set(variables) ^ set(arrays)) or [
        name for name, v in variables.items() if v.shape != arrays[name].shape
    ]
    if wrong:
        raise ValueError(
            f"`model_dir` holds a checkpoint of another model: {path} differs "
            f"in {len(wrong)} variables, first {wrong[0]!r}. "
            "Choose another model_dir, or start over with --noresume "
            "(resume=False)"
        )
    for name, variable in variables.items():
        variable.assign(arrays[name])

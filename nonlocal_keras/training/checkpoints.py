"""Checkpoints that a kill at any moment leaves whole, and exact resumption.

A checkpoint is one `.npz` file of plain arrays: all variables of the model
(weights, batch statistics, states of random generators), all variables of the
optimizer and the number of steps done. It is written under another name and
then renamed, so that a file `step-N.npz` is always complete. It ends with the
SHA-256 of all that stands before, as the comment of the zip file: whatever
happens to one byte of it later, it is not taken for whole.
"""

import contextlib
import hashlib
import io
import os
import pathlib
import re

import keras
import numpy as np
from absl import logging

_SEAL = b"sha256:"
_SEAL_BYTES = len(_SEAL) + 64
# The record at the end of a zip file without a comment.
_ZIP_END, _ZIP_END_BYTES = b"PK\5\6", 22


class StepCheckpoint(keras.callbacks.Callback):
    """Saves a checkpoint at the end of every epoch of `fit()`.

    Args:
        directory: String or path of the folder of checkpoints.
        keep: Integer, number of newest checkpoints to keep. Defaults to `2`.
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
        keep: Integer, number of newest checkpoints to keep. Defaults to `2`.

    Returns:
        The path of the checkpoint.

    Raises:
        FloatingPointError: If a variable is not finite; nothing is written.
    """
    directory = pathlib.Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    step = steps_done(model)
    arrays = _arrays(model)
    for name, array in arrays.items():
        if not _finite(array):
            raise FloatingPointError(
                f"after step {step} the variable {name.partition(':')[2]} "
                "holds values that are not finite numbers"
            )
    path = directory / f"step-{step}.npz"
    write_arrays(path, arrays)
    for old in checkpoints(directory)[keep:]:
        old.unlink()
    return path


def write_arrays(path, arrays):
    """Replaces a file of arrays as a whole, with a checksum at its end.

    Args:
        path: `pathlib.Path` of the file, `.npz`.
        arrays: Dictionary of name to array.

    Raises:
        OSError: If it cannot be written; the one before is kept.
    """
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial")
    try:
        with open(partial, "w+b") as file:
            np.savez(file, **arrays)
            _seal(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as error:
        # On a full disk it would take the room of the next try.
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = str(path)
        raise


def remove_partial(directory):
    """Removes what a killed process has left of a checkpoint.

    Only for who holds the `lock`: the file may be written just now.

    Args:
        directory: Path of the folder of checkpoints.
    """
    for partial in pathlib.Path(directory).glob(".*.partial"):
        partial.unlink(missing_ok=True)


@contextlib.contextmanager
def lock(model_dir):
    """Keeps a folder for one process, until that ends in any way.

    Args:
        model_dir: Path of the folder, made if missing.

    Raises:
        ValueError: If another process holds it.
    """
    # Slow to import, and models need no lock.
    import filelock

    model_dir = pathlib.Path(model_dir)
    model_dir.mkdir(parents=True, exist_ok=True)
    # The system frees it when a process dies, so it is never stale.
    held = filelock.FileLock(model_dir / ".lock")
    try:
        held.acquire(timeout=0)
    except filelock.Timeout:
        raise ValueError(
            "`model_dir` must not be in use by another run. Wait for its end, "
            f"or choose another model_dir. Received: model_dir={model_dir}"
        ) from None
    try:
        yield
    finally:
        held.release()


def checkpoints(directory):
    """Returns the paths of the checkpoints of a folder, newest first."""
    return [path for _, path in _found(directory)]


def newest_step(directory):
    """Returns the step of the newest checkpoint of a folder, or 0."""
    return next((step for step, _ in _found(directory)), 0)


def _found(directory):
    found = []
    for path in pathlib.Path(directory).glob("step-*.npz"):
        match = re.fullmatch(r"step-(\d+)\.npz", path.name)
        if match:
            found.append((int(match[1]), path))
    return sorted(found, reverse=True)


def restore_newest(directory, model):
    """Puts the newest whole checkpoint into a model and its optimizer.

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
    found = checkpoints(directory)
    for path in found:
        try:
            arrays = read_arrays(path)
        # Libraries raise anything for a file with one wrong byte.
        except Exception as error:
            logging.warning(
                "Leaving out the damaged checkpoint %s: %s: %s",
                path,
                type(error).__name__,
                error,
            )
            continue
        _assign(model, arrays, path)
        return steps_done(model)
    if found:
        logging.warning(
            "Not one checkpoint in %s is whole: starting from step 0", directory
        )
    return 0


def steps_done(model):
    """Returns the number of updates that the optimizer has made."""
    return int(keras.ops.convert_to_numpy(model.optimizer.iterations))


def _seal(file):
    """Ends a zip file with a comment: the SHA-256 of all before it."""
    file.seek(-2, os.SEEK_END)
    file.write(_SEAL_BYTES.to_bytes(2, "little"))
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0, os.SEEK_END)
    file.write(_SEAL + digest.encode())


def read_arrays(path):
    """Returns the arrays of a whole file; raises anything for any other."""
    data = path.read_bytes()
    body, seal = memoryview(data)[:-_SEAL_BYTES], data[-_SEAL_BYTES:]
    if seal.startswith(_SEAL):
        if seal != _SEAL + hashlib.sha256(body).hexdigest().encode():
            raise ValueError("its content is not what was written")
    elif data[-_ZIP_END_BYTES:].startswith(_ZIP_END):
        # The zip format has sums of its own, of the arrays alone.
        logging.warning(
            "Checkpoint %s is of an earlier version, without a checksum", path
        )
    else:
        raise ValueError("its end, with the checksum, is missing")
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf" or not _finite(array):
            raise ValueError(f"{name} holds values that are no finite numbers")
    return arrays


def _finite(array):
    return bool(np.isfinite(array).all())


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
        name
        for name, v in variables.items()
        if (v.shape, v.dtype) != (arrays[name].shape, arrays[name].dtype.name)
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

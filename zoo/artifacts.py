"""Artifacts: one folder for one version of a model, whole or not there.

artifacts/NAME/VERSION/
    model.keras                                     for Keras
    saved_model.pb, variables/, assets/labels.txt   for TensorFlow Serving
    record.json, card.md                            what it is
    report.json                                     how it was converted
    SHA256SUMS                                      all of the above
"""

import contextlib
import os
import pathlib
import shutil
import tempfile

from absl import logging

from zoo import checksums
from zoo.model_card import make_card
from zoo.record import write_record

TWIN = "model.keras"
SAVED_MODEL = "saved_model.pb"
# What `load` reads, and so looks at first.
LOADED = (TWIN,)
PARTIAL = ".partial-"
TOLERANCE = 1e-5


def folder_of(record, root):
    """Gives the version folder of a record."""
    return root / "artifacts" / record.name / str(record.version)


def read(folder, record):
    """Loads the Keras model of an artifact, with what a user needs of it.

    Args:
        folder: `pathlib.Path` of the artifact.
        record: The `zoo.Record`.

    Returns:
        A `nonlocal_keras.models.VideoClassifier`.
    """
    import keras

    # The import registers the classes of the file, too.
    from nonlocal_keras.layers import initialization

    with initialization.no_random_weights():
        model = keras.saving.load_model(folder / TWIN, compile=False)
    return equip(model, record)


def equip(model, record):
    """Gives a classifier its class names and its preprocessing."""
    model.labels = record.labels
    model.preprocessing = {
        key: value for key, value in record.input.items() if key != "channels"
    }
    return model


@contextlib.contextmanager
def lock(name, root):
    """Lets one process at a time change what the cache has of a name."""
    # Slow to import, and loading needs no lock.
    import filelock

    folder = root / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    # The system frees it when a process dies, so it is never stale.
    held = filelock.FileLock(folder / name)
    try:
        held.acquire(timeout=0)
    except filelock.Timeout:
        logging.warning("waiting for another process that has %s", name)
        held.acquire()
    try:
        yield
    finally:
        held.release()


def write(model, record, root, report=None):
    """Writes the artifact of a model, and proves that it predicts the same.

    It takes the place of a damaged one of the same version. The caller holds
    the lock of the name, see `lock`.

    Args:
        model: A `nonlocal_keras.models.VideoClassifier`.
        record: The `zoo.Record`.
        root: `pathlib.Path` of the root.
        report: String, JSON of the conversion. `None` for no such file.

    Returns:
        `pathlib.Path` of the version folder.

    Raises:
        RuntimeError: If a written file predicts otherwise than the model.
    """
    target = folder_of(record, root)
    target.parent.mkdir(parents=True, exist_ok=True)
    # What a process that was killed has left.
    for leftover in target.parent.glob(f"{PARTIAL}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    equip(model, record)
    with tempfile.TemporaryDirectory(
        prefix=PARTIAL, dir=target.parent
    ) as partial:
        folder = _export(model, record, pathlib.Path(partial))
        model.save(folder / TWIN)
        write_record(record, folder / "record.json")
        (folder / "card.md").write_text(make_card(record), encoding="utf-8")
        if report is not None:
            (folder / "report.json").write_text(report, encoding="utf-8")
        _prove(model, record, folder)
        checksums.write_sums(folder)
        if target.exists():
            os.replace(target, pathlib.Path(partial) / "old")
        os.replace(folder, target)
    return target


def _export(model, record, partial):
    """Gives the folder to write to, with a SavedModel where that works."""
    import keras

    from nonlocal_keras import export

    if keras.backend.backend() == "tensorflow":
        return pathlib.Path(
            export.to_saved_model(model, partial, record.labels, record.version)
        )
    logging.warning(
        "%s: no SavedModel is written, since that needs the TensorFlow "
        "backend and this is %s. The Keras model is whole.",
        record.name,
        keras.backend.backend(),
    )
    folder = partial / str(record.version)
    folder.mkdir()
    return folder


def _prove(model, record, folder):
    """Compares what was written with the model, on a small random clip."""
    import numpy as np

    small = [min(record.input["size"], 64)] * 2
    sizes = (record.input["frames"], *small, 3)
    shape = [known or size for known, size in zip(model.input_shape[1:], sizes)]
    clip = np.random.default_rng(0).normal(size=(1, *shape)).astype("float32")
    expected = _numpy(model.logits(clip, training=False))
    found = {TWIN: _numpy(read(folder, record).logits(clip, training=False))}
    if (folder / SAVED_MODEL).is_file():
        found[SAVED_MODEL] = _serve(folder, clip)
    size = max(np.abs(expected).max(), 1e-6)
    for name, logits in found.items():
        error = np.abs(logits - expected).max() / size
        if not error < TOLERANCE:
            raise RuntimeError(
                f"{name} of {record.name} predicts otherwise than the model "
                f"it was written from: the logits differ by {error:.1e} of "
                "the largest. Nothing was kept. Please report this."
            )


def _serve(folder, clip):
    import tensorflow as tf

    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    return served(clip=tf.constant(clip))["logits"].numpy()


def _numpy(tensor):
    import keras

    return keras.ops.convert_to_numpy(tensor)

"""Artifacts: one folder for one version of a model, whole or not there.

artifacts/NAME/VERSION/
    model.keras                                     for Keras
    saved_model.pb, variables/, assets/labels.txt   for TensorFlow Serving
    record.json, card.md                            what it is
    report.json                                     how it was converted
    SHA256SUMS                                      all of the above
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
import tempfile

from absl import logging

from zoo import checksums
from zoo import proof
from zoo import tasks
from zoo.record import read_json
from zoo.record import rename_fields
from zoo.record import write_record
from zoo.record_card import make_record_card

TWIN = "model.keras"
REPORT = "report.json"
RECORD = "record.json"
SAVED_MODEL = "saved_model.pb"
# What `load` relies on, and so looks at first.
LOADED = (TWIN, RECORD)
PARTIAL = ".partial-"


def folder_of(record, root):
    """Returns the version folder of a record."""
    return root / "artifacts" / record.name / str(record.version)


def find_damage(record, root, names=LOADED):
    """Finds the first file of an artifact that is not as it was written.

    Args:
        record: The `zoo.Record`.
        root: `pathlib.Path` of the root of its artifact.
        names: Tuple of the names of the files to look at, or `None` for all.
            Defaults to what `zoo.load` reads.

    Returns:
        String that says what is wrong, or `None`.
    """
    return checksums.find_damage(folder_of(record, root), names)


def find_change(record, root):
    """Says how a record differs from the one its artifact was written with.

    A model answers by its record: the names of its classes and its
    preprocessing stand there. So the record in `records` must be the one that
    lies in the artifact, under its checksums. The records of published files
    that are part of this package have none beside them to differ from.

    Args:
        record: The `zoo.Record`, as it was read.
        root: `pathlib.Path` of the root of its artifact.

    Returns:
        String that says what is wrong, or `None`, also where there is no
        artifact to compare with.
    """
    file = root / "records" / f"{record.name}.json"
    written = folder_of(record, root) / RECORD
    if find_damage(record, root, (RECORD,)) is not None:
        return None
    try:
        if not file.is_file() or file.read_bytes() == written.read_bytes():
            return None
        before = rename_fields(read_json(written))
    except (OSError, ValueError) as error:
        return f"{file} cannot be compared with {written}: {error}"
    # As JSON, where a tuple is a list.
    now = json.loads(json.dumps(dataclasses.asdict(record)))
    # An older version of the package may not have had a field.
    usual = {field.name: field.default for field in dataclasses.fields(record)}
    fields = [k for k in now if now[k] != before.get(k, usual[k])]
    if not fields:
        return None
    way_out = (
        "register the model again"
        if record.download is None
        else f"delete {written.parent} and load the model again"
    )
    return (
        f"{file} is not the record that the model was written with: they "
        f"differ in {', '.join(fields)}. Copy {written} over it, or, if the "
        f"change is yours, {way_out}"
    )


def refuse_change(record, root):
    """Raises `ValueError` for what `find_change` finds."""
    if change := find_change(record, root):
        raise ValueError(change)


def read(record, root):
    """Loads the Keras model of an artifact, with what its user needs.

    Args:
        record: The `zoo.Record`.
        root: `pathlib.Path` of the root of its artifact, which is whole.

    Returns:
        A model of the task.

    Raises:
        ValueError: If the record was changed after its model was written.
    """
    refuse_change(record, root)
    model = proof.read(folder_of(record, root) / TWIN)
    return tasks.find(record.task).equip(model, record)


def find_strays(root, versions):
    """Lists what lies among the models of a root and belongs to none.

    Args:
        root: `pathlib.Path` of the root.
        versions: Dictionary from the names of all models to the versions of
            their records, or to `None` for a record that cannot be read.

    Returns:
        List of `pathlib.Path`: files that are no record, folders without a
        record, versions newer than the record, what a killed process left.
    """
    found = [p for p in _entries(root / "records") if p.suffix != ".json"]
    for folder in _entries(root / "artifacts"):
        if folder.name not in versions:
            found.append(folder)
            continue
        last = versions[folder.name]
        for path in _entries(folder):
            is_version = path.name.isdecimal() and path.is_dir()
            if last is not None and not (is_version and int(path.name) <= last):
                found.append(path)
    return found


def _entries(folder):
    return sorted(folder.iterdir()) if folder.is_dir() else []


@contextlib.contextmanager
def changing(name, root):
    """Lets one process at a time change what a root has of a name.

    A root that cannot be written is said in words.

    Args:
        name: String, the name of a record.
        root: `pathlib.Path` of the root.

    Raises:
        ValueError: If the root cannot be written.
    """
    try:
        with _lock(name, root):
            yield
    except OSError as error:
        raise ValueError(
            f"`cache_dir` cannot be written: {error.strerror or error}. "
            "Free space, or give another folder. Received: "
            f"cache_dir={root}"
        ) from error


@contextlib.contextmanager
def _lock(name, root):
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

    It takes the place of a damaged one of the same version. The caller is
    inside of `changing`.

    Args:
        model: A model of the task.
        record: The `zoo.Record`.
        root: `pathlib.Path` of the root.
        report: String, JSON of the conversion. Defaults to `None`, for no
            such file.

    Returns:
        `pathlib.Path` of the version folder.

    Raises:
        RuntimeError: If a written file predicts otherwise than the model.
        OSError: If the root cannot be written.
    """
    target = folder_of(record, root)
    target.parent.mkdir(parents=True, exist_ok=True)
    # What a process that was killed has left.
    for leftover in target.parent.glob(f"{PARTIAL}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    task = tasks.find(record.task)
    model = task.equip(model, record)
    try:
        with tempfile.TemporaryDirectory(
            prefix=PARTIAL, dir=target.parent
        ) as partial:
            partial = pathlib.Path(partial)
            folder = _export(task, model, record, partial)
            model.save(folder / TWIN)
            write_record(record, folder / RECORD)
            card = make_record_card(record)
            (folder / "card.md").write_text(card, encoding="utf-8")
            if report is not None:
                (folder / REPORT).write_text(report, encoding="utf-8")
            proof.prove(model, record, folder / TWIN, folder / SAVED_MODEL)
            checksums.write_sums(folder)
            if target.exists():
                os.replace(target, partial / "old")
            os.replace(folder, target)
    finally:
        # Of a model whose first version could not be written.
        with contextlib.suppress(OSError):
            target.parent.rmdir()
    return target


def _export(task, model, record, partial):
    """Returns the folder to write to, with a SavedModel where that works."""
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        return pathlib.Path(task.write_saved_model(model, record, partial))
    logging.warning(
        "%s: no SavedModel is written, since that needs the TensorFlow "
        "backend and this is %s. The Keras model is whole.",
        record.name,
        backend,
    )
    folder = partial / str(record.version)
    folder.mkdir()
    return folder

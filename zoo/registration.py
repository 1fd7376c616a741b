"""Puts models of one's own into the zoo."""

import dataclasses
import os
import pathlib
import shutil

from zoo import artifacts
from zoo import loading
from zoo import registry
from zoo import renames
from zoo.record import RENAMED
from zoo.record import Record
from zoo.record import rename_fields
from zoo.record import write_record


def register(model, record, root=None):
    """Puts a model into the zoo under the name of its record.

    The artifact is written first and the record last, so that a name in the
    list always has a whole model. Each call makes a new version.

    Args:
        model: A model of the task of the record, such as a
            `nonlocal_keras.models.VideoClassifier`.
        record: Dictionary of the fields of `zoo.Record` without `version`,
            which is filled in.
        root: Path of the root. Defaults to `None`, for the user's.

    Returns:
        The `zoo.Record` as written.

    Raises:
        ValueError: If the record breaks a rule, or the root cannot be
            written. Then nothing is left there.
    """
    root = pathlib.Path(root or registry.user_root())
    for old in set(RENAMED) & set(record):
        renames.warn(old, RENAMED[old], " in `record`")
    fields = {**rename_fields(record), "labels": tuple(record["labels"])}
    name = Record(version=1, **fields).name
    with artifacts.changing(name, root):
        base = root / "artifacts" / name
        versions = [int(p.name) for p in base.glob("*") if p.name.isdecimal()]
        full = Record(version=max(versions, default=0) + 1, **fields)
        folder = artifacts.write(model, full, root)
        try:
            _list(full, root)
        except BaseException:
            # No record names it, so that it would lie there for ever.
            shutil.rmtree(folder)
            raise
    return full


def _list(record, root):
    """Writes the record, whole or not at all."""
    folder = root / "records"
    folder.mkdir(exist_ok=True)
    new = folder / f".{record.name}.partial"
    try:
        write_record(record, new)
        os.replace(new, folder / f"{record.name}.json")
    finally:
        new.unlink(missing_ok=True)


def ship(name, cache_dir=None, root=registry.PACKAGE_ROOT):
    """Copies a model of the user's zoo into this package, without its tag.

    Older versions of the model in the package are removed: what ships is one
    version, and its number tells how many came before.

    Args:
        name: String, e.g. `"nl_c2d_tiny_longrange.local"`.
        cache_dir: Folder of the user's zoo, see `zoo.load`. Defaults to
            `None`.
        root: Path of the root. Defaults to this package.

    Returns:
        The `zoo.Record` as it ships.

    Raises:
        ValueError: If the name is unknown, or of a published file.
    """
    found = registry.info(name, cache_dir)
    if found.download is not None:
        raise ValueError(
            "`name` must be of a model that was registered: the weights of "
            "others stay where they are published. Received: "
            f"name={found.name!r}"
        )
    fields = dataclasses.asdict(found)
    fields.pop("version")
    fields.update(name=found.plain_name, order=1)
    model = loading.load(name, cache_dir=cache_dir)
    record = register(model, fields, root)
    folder = artifacts.folder_of(record, pathlib.Path(root))
    for other in folder.parent.iterdir():
        if other != folder:
            shutil.rmtree(other)
    return record

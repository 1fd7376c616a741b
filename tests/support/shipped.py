"""What holds of every model that lies in a package with its artifact."""

import dataclasses
import json

import nonlocal_keras
import zoo
from zoo import artifacts
from zoo import checksums
from zoo import record as records
from zoo import tasks


def assert_whole(record, root=None):
    """The artifact is whole, and what its record says of it is true.

    Args:
        record: A `zoo.Record` without a download.
        root: `pathlib.Path`, the zoo of a user that has it. Defaults to
            `None`, for the package.

    Returns:
        The model.
    """
    folder = zoo.path(record.name, root)
    assert checksums.find_damage(folder) is None
    labels = (folder / "assets" / "labels.txt").read_text().split("\n")
    assert tuple(filter(None, labels)) == record.labels
    # What was written before a field was added is the same record.
    kept = json.loads((folder / artifacts.RECORD).read_text())
    kept = records.rename_fields({**kept, "labels": tuple(kept["labels"])})
    assert _as_json(records.Record(**kept)) == _as_json(record)
    model = zoo.load(record.name, cache_dir=root)
    assert tuple(model.labels) == record.labels
    assert tell(model, record) == {
        name: getattr(record, name)
        for name in ("parameters", "macs", "description")
    }
    return model


def tell(model, record):
    """What the record of a model must say of it."""
    shape = tasks.find(record.task).input_shape(record)
    total = nonlocal_keras.macs.total(nonlocal_keras.macs.count(model, shape))
    described = model if hasattr(model, "describe") else model.backbone
    return {
        "parameters": total.parameters,
        "macs": total.macs,
        "description": described.describe(),
    }


def _as_json(record):
    return json.loads(json.dumps(dataclasses.asdict(record)))

"""A small published model: its file as GluonCV writes it, and its record."""

import contextlib
import functools
import hashlib
import json
import unittest.mock

import numpy as np

from tests.support import checkpoint_names as names
from tests.support import checkpoint_writers as w
from tests.support import small
from zoo import artifacts

NAME = "nl_i3d_r14_test.gluoncv"
FILE = "small-0123abcd.params"
# Where a server has it.
URL = f"/models/{FILE}"


@functools.cache
def network():
    return w.network(frames=8, **w.I3D, **w.PADDED_STRIDED)


@functools.cache
def file_bytes():
    tensors = w.tensors(network(), names.GluonCV(mxnet=True))
    return w.mxnet_file(w.gluoncv_duplicates(tensors, mxnet=True))


def sha1(data=None):
    return "sha1:" + hashlib.sha1(data or file_bytes()).hexdigest()


def record(url, **changes):
    """Fields of the record; `checksum` and `mirrors` are of the download."""
    fields = small.record(changes.pop("name", NAME))
    download = {
        "url": url,
        "mirrors": changes.pop("mirrors", []),
        "checksum": changes.pop("checksum", sha1()),
        "converter": "gluoncv",
        "overrides": {},
    }
    fields.update(
        version=1,
        order=1,
        download=download,
        architecture={
            "model": "nl_i3d_r50",
            "family": "gluoncv",
            "options": {
                "stage_blocks": list(w.BLOCKS),
                "stem_width": 4,
                "non_local": {k: list(v) for k, v in w.PLACES.items()},
            },
            "head": {},
        },
    )
    fields["input"] = {**fields["input"], "frames": 8, "size": 32}
    return {**fields, **changes}


def write(root, fields):
    """Puts a record into a root, as if the package had it."""
    folder = root / "records"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{fields['name']}.json"
    file.write_text(json.dumps({**fields, "labels": list(fields["labels"])}))
    return fields["name"]


def add(root, server, **changes):
    """Puts the record of the file of a server into a root."""
    return write(root, record(server.url(URL), **changes))


def folder(root):
    """The artifact of the model."""
    return root / "artifacts" / NAME / "1"


@contextlib.contextmanager
def twin_alone():
    """Leaves out SavedModels, as backends do that are not TensorFlow.

    They take most of the time of an installation.
    """

    def make_folder(task, model, record, partial):
        folder = partial / str(record.version)
        folder.mkdir()
        return folder

    with unittest.mock.patch.object(artifacts, "_export", make_folder):
        yield


def assert_same(model):
    """A model predicts what the one predicts that the file is of."""
    x = w.clip(network())
    np.testing.assert_allclose(
        w.logits(model, x), w.logits(network(), x), atol=1e-5
    )

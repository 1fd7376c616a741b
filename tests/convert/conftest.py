"""A small file of the authors' release, and its conversion."""

import pytest

from nonlocal_keras import convert
from tests.support import checkpoint_names as names
from tests.support import checkpoint_writers as w

NETWORK = {**w.DENSE, "options": w.POOLED_FIRST}


@pytest.fixture(scope="module")
def blobs():
    """The tensors of the file."""
    return w.tensors(w.network(**NETWORK), names.Caffe2())


@pytest.fixture
def converted(tmp_path):
    """A function of tensors that converts a file of them."""

    def convert_blobs(tensors, source="vnl", **overrides):
        path = tmp_path / "blobs.pkl"
        path.write_bytes(w.caffe2_file(tensors, momenta=False))
        return convert.convert(path, source, **overrides)

    return convert_blobs

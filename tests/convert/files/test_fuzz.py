"""Whatever the bytes, the outcome is a Checkpoint or a CheckpointError."""

import pickle

import numpy as np
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from nonlocal_keras.convert.files.read import Checkpoint
from nonlocal_keras.convert.files.read import CheckpointError
from nonlocal_keras.convert.files.read import read_tensors
from tests.support.checkpoint_bytes import ATTACKS
from tests.support.checkpoint_bytes import FLOATS
from tests.support.checkpoint_bytes import GOLDEN
from tests.support.checkpoint_bytes import HUGE
from tests.support.checkpoint_bytes import blobs
from tests.support.checkpoint_bytes import history_buffer
from tests.support.checkpoint_bytes import mapping
from tests.support.checkpoint_bytes import mxnet_array
from tests.support.checkpoint_bytes import mxnet_list
from tests.support.checkpoint_bytes import number
from tests.support.checkpoint_bytes import numpy_array
from tests.support.checkpoint_bytes import torch_stream
from tests.support.checkpoint_bytes import torch_tensor
from tests.support.checkpoint_bytes import torch_zip

SMALL = (
    blobs(w=numpy_array(), lr=number(1)),
    pickle.dumps({"blobs": {"w": FLOATS, "s": {1, 2}}}, 0),
    pickle.dumps({"blobs": {"w": FLOATS, "s": {1, 2}}}, 5),
    torch_zip(
        mapping(state_dict=mapping(w=torch_tensor()), m=history_buffer())
    ),
    torch_stream(mapping(state_dict=mapping(w=torch_tensor()))),
    mxnet_list(["arg:w", "aux:v"], mxnet_array(), mxnet_array(version=None)),
    *ATTACKS.values(),
)
EXTREMES = (b"\xff" * 4, b"\x00" * 8, b"\xff\xff\xff\x7f", HUGE, b"b.", b"R")


@st.composite
def damaged(draw, originals):
    """A file with bytes flipped, replaced, cut out or taken from another."""
    data = bytearray(draw(st.sampled_from(originals)))
    place = st.integers(0, len(data))
    for _ in range(draw(st.integers(1, 4))):
        begin, end = sorted((draw(place), draw(place)))
        change = draw(st.integers(0, 4))
        if change == 0 and begin < len(data):
            data[begin] ^= 1 << draw(st.integers(0, 7))
        elif change == 1:
            piece = draw(st.sampled_from(EXTREMES))
            data[begin : begin + len(piece)] = piece
        elif change == 2:
            del data[end:]
        elif change == 3:
            del data[begin:end]
        else:
            other = draw(st.sampled_from(originals))
            data[begin:begin] = other[: end - begin]
    return bytes(data)


def outcome(folder, data):
    path = folder / "fuzzed.bin"
    path.write_bytes(data)
    try:
        checkpoint = read_tensors(path)
    except CheckpointError as error:
        assert "fuzzed.bin" in str(error) and len(str(error)) < 2000
        return
    assert isinstance(checkpoint, Checkpoint)
    assert len(repr(checkpoint.metadata)) < 1 << 26
    for key, array in checkpoint.tensors.items():
        assert type(key) is str and type(array) is np.ndarray
        assert array.dtype.kind in "biufc"


LENIENT = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@settings(LENIENT, max_examples=400)
@given(data=damaged(SMALL))
def test_damage_to_small_files_never_escapes(tmp_path_factory, data):
    outcome(tmp_path_factory.getbasetemp(), data)


@settings(LENIENT, max_examples=60)
@given(data=damaged([path.read_bytes() for path in GOLDEN]))
def test_damage_to_golden_files_never_escapes(tmp_path_factory, data):
    outcome(tmp_path_factory.getbasetemp(), data)


@settings(LENIENT, max_examples=200)
@given(body=st.binary(max_size=60), start=st.sampled_from([b"\x80\x02", b""]))
def test_random_programs_never_escape(tmp_path_factory, body, start):
    outcome(tmp_path_factory.getbasetemp(), start + body)

"""Reading costs what a file is long, however often it refers to one object."""

import tracemalloc

import pytest

from nonlocal_keras.convert.files import contents
from tests.support.checkpoint_bytes import call
from tests.support.checkpoint_bytes import name
from tests.support.checkpoint_bytes import number
from tests.support.checkpoint_bytes import read_bytes
from tests.support.checkpoint_bytes import text
from tests.support.checkpoint_bytes import torch_tensor
from tests.support.checkpoint_bytes import torch_zip

ENTRIES = 5000
REFERENCES = 500
NUMBERS = b"".join(number(i) for i in range(ENTRIES))
PAIRS = b"".join(number(i) + b"K\x01" for i in range(ENTRIES))
PUT, GET = b"r\x01\x00\x00\x00", b"j\x01\x00\x00\x00"
SHARED = {
    "dictionary": b"}(" + PAIRS + b"u",
    "ordered dictionary": call(name("collections", "OrderedDict"))
    + b"("
    + PAIRS
    + b"u",
    "dictionary of a tensor": b"}(" + PAIRS + text("z") + torch_tensor() + b"u",
    "dictionary of dictionaries": b"}("
    + b"".join(number(i) + b"}" for i in range(ENTRIES))
    + b"u",
    "list": b"](" + NUMBERS + b"e",
    "tuple": b"(" + NUMBERS + b"t",
    "set": b"\x8f(" + NUMBERS + b"\x90",
    "list of a tensor": b"](" + NUMBERS + torch_tensor() + b"e",
}


def referring(shared, references):
    """A file of one tensor, one object, and references to that object."""
    keys = (text(f"k{i}") + GET for i in range(references))
    entries = [text("w") + torch_tensor(), text("first") + shared + PUT, *keys]
    return torch_zip(b"}(" + b"".join(entries) + b"u")


@pytest.fixture
def looks(monkeypatch):
    """Counts how often an entry is looked at."""
    cell, count = contents.ArrayCell, [0]

    class Counting(type):
        def __instancecheck__(self, value):
            count[0] += 1
            return isinstance(value, cell)

    monkeypatch.setattr(contents, "ArrayCell", Counting("Cell", (), {}))
    return count


@pytest.mark.parametrize("shared", SHARED.values(), ids=SHARED)
def test_a_reference_costs_no_more_than_its_own_bytes(tmp_path, looks, shared):
    read_bytes(tmp_path, referring(shared, 0))
    alone, looks[0] = looks[0], 0
    checkpoint = read_bytes(tmp_path, referring(shared, REFERENCES))
    # What is shown of metadata may repeat it, within a budget for the file.
    shown = contents.METADATA_BUDGET // 16
    assert looks[0] < 3 * alone + 3 * REFERENCES + shown
    assert looks[0] < ENTRIES * REFERENCES / 5
    assert checkpoint.tensors["w"].shape == (2, 3)


def test_tensors_at_two_places_are_read_once_and_both_are_said(tmp_path):
    shared = SHARED["dictionary of a tensor"]
    checkpoint = read_bytes(tmp_path, referring(shared, 2))
    assert set(checkpoint.tensors) == {"w", "first.z"}
    assert checkpoint.metadata["k0"] == "<the same as first>"
    assert checkpoint.metadata["k1"] == "<the same as first>"


@pytest.mark.parametrize("ask", [("_codecs", "encode"), ("builtins", "bytes")])
def test_bytes_of_a_string_are_made_once(tmp_path, ask):
    line = b"V" + 100_000 * b"x" + b"\n" + PUT
    arguments = (GET, text("latin1"))[: 2 if ask[1] == "encode" else 1]
    asked = b"](" + 500 * call(name(*ask), *arguments) + b"e"
    file = torch_zip(
        b"}("
        + text("w")
        + torch_tensor()
        + text("l")
        + line
        + text("m")
        + asked
        + b"u"
    )
    tracemalloc.start()
    try:
        read_bytes(tmp_path, file)
        assert tracemalloc.get_traced_memory()[1] < 30 * len(file)
    finally:
        tracemalloc.stop()

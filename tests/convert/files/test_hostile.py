"""No file runs anything, exhausts memory, or passes for a whole one."""

import io
import os
import struct
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from nonlocal_keras.convert.files import pickle_machine
from nonlocal_keras.convert.files.read import CheckpointError
from nonlocal_keras.convert.files.read import read_tensors
from tests.support.checkpoint_bytes import ATTACKS
from tests.support.checkpoint_bytes import FLOATS
from tests.support.checkpoint_bytes import GLUONCV
from tests.support.checkpoint_bytes import GOLDEN
from tests.support.checkpoint_bytes import HUGE
from tests.support.checkpoint_bytes import blobs
from tests.support.checkpoint_bytes import mapping
from tests.support.checkpoint_bytes import mxnet_array
from tests.support.checkpoint_bytes import mxnet_list
from tests.support.checkpoint_bytes import number
from tests.support.checkpoint_bytes import numpy_array
from tests.support.checkpoint_bytes import numpy_dtype
from tests.support.checkpoint_bytes import program
from tests.support.checkpoint_bytes import storage
from tests.support.checkpoint_bytes import text
from tests.support.checkpoint_bytes import torch_stream
from tests.support.checkpoint_bytes import torch_tensor
from tests.support.checkpoint_bytes import torch_zip

# Pickles that try to run something.


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
@pytest.mark.parametrize("wrap", ["pickle", "zip", "stream"])
def test_nothing_in_a_file_is_run(read, tmp_path, monkeypatch, attack, wrap):
    monkeypatch.chdir(tmp_path)
    tensor = numpy_array() if wrap == "pickle" else torch_tensor()
    body = mapping(state_dict=mapping(w=tensor), extra=attack)
    make = {"pickle": program, "zip": torch_zip, "stream": torch_stream}
    try:
        checkpoint = read(make[wrap](body))
    except CheckpointError as error:
        assert "expected" in str(error)
    else:
        # Only a torch file may go on, and only without the unknown object.
        assert wrap != "pickle"
        assert list(checkpoint.tensors) == ["w"]
        assert checkpoint.metadata["extra"].startswith("<")
        assert checkpoint.opaque
    assert not (tmp_path / "HOSTILE").exists()


@pytest.mark.parametrize(
    ("attack", "named"),
    [
        ("reduce", "os.system"),
        ("inst", "os.system"),
        ("stack_global", "os.system"),
        ("python 2 builtin", "__builtin__.eval"),
        ("copyreg", "copyreg._reconstructor"),
        ("object dtype", "'O'"),
        ("extension code", "0x82"),
    ],
)
def test_refusal_names_what_was_asked_for(refused, attack, named):
    message = refused(program(mapping(w=ATTACKS[attack])))
    assert named in message
    assert "checkpoint.bin" in message
    assert "Nothing in the file was run" in message


# Files that try to exhaust memory or time.

NESTED = b"]" + b"".join(b"2\x86" for _ in range(60))
BOMBS = {
    "memo index": program(b"}r\xff\xff\xff\x7f" + b"0}"),
    "memo index in text": program(b"}p" + b"9" * 300 + b"\n"),
    "text": program(b"\x8d" + HUGE),
    "bytes": program(b"\x8e" + HUGE),
    "bytearray": program(b"\x96" + HUGE),
    "python 2 string": program(b"T\xff\xff\xff\x7f"),
    "negative string": program(b"T\xff\xff\xff\xff"),
    "frame": program(b"\x95" + HUGE + b"}"),
    "integer": program(b"\x8b\xff\xff\xff\x7f"),
    "shape": blobs(w=numpy_array(shape=(1 << 40, 1 << 40))),
    "negative shape": blobs(w=numpy_array(shape=(-2, -3))),
    "size": blobs(w=numpy_array(shape=(0, 1 << 60), data=b"U\0")),
    "element size": blobs(w=numpy_array(dtype=numpy_dtype("S999999999"))),
    "hash of a doubled tuple": program(b"}" + NESTED + b"Ns"),
    "set of a doubled tuple": program(b"\x8f(" + NESTED + b"\x90"),
    "many empty objects": program(b"(" + b"]" * 200_000 + b"t"),
    "many sets": program(b"(" + b"\x8f" * 200_000 + b"t"),
    "deep list": program(b"]" * 40_000 + b"a" * 39_999),
    "deep marks": program(b"(" * 200_000),
    "torch count": torch_zip(
        mapping(w=torch_tensor(storage(count=(1 << 31) - 1)))
    ),
    "torch stride": torch_zip(
        mapping(w=torch_tensor(size=(1 << 20, 1 << 20), stride=(0, 0)))
    ),
    "torch bounds": torch_zip(mapping(w=torch_tensor(offset=1))),
    "torch negative": torch_zip(mapping(w=torch_tensor(stride=(-3, 1)))),
    "stream count": torch_stream(mapping(w=torch_tensor()), count=1 << 60),
    "mxnet arrays": struct.pack("<QQQ", 0x112, 0, 1 << 60),
    "mxnet rank": struct.pack("<QQQIii", 0x112, 0, 1, 0xF993FAC9, 0, 1 << 30),
    "mxnet legacy rank": struct.pack("<QQQI", 0x112, 0, 1, 1 << 31),
    "mxnet shape": struct.pack(
        "<QQQIiiqiii", 0x112, 0, 1, 0xF993FAC9, 0, 1, 1 << 47, 1, 0, 0
    ),
}


def peak_of(function, *arguments):
    tracemalloc.start()
    try:
        function(*arguments)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_bombs_are_refused_within_bounded_memory(refused, monkeypatch, bomb):
    monkeypatch.setattr(pickle_machine, "MAX_OPCODES", 100_000)
    assert peak_of(refused, bomb) < 40 * len(bomb) + (4 << 20)


def test_zip_bomb_is_refused_before_it_is_inflated(refused):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", program(mapping()))
        archive.writestr("archive/data/0", bytes(80 << 20))
    assert peak_of(refused, file.getvalue()) < 4 << 20
    assert "more than it can hold" in refused(file.getvalue())


def test_zip_member_that_lies_about_its_size_is_not_inflated(refused):
    file = torch_zip(
        mapping(w=torch_tensor()), {"0": bytes(30 << 20)}, zipfile.ZIP_DEFLATED
    )
    true, lie = struct.pack("<I", 30 << 20), struct.pack("<I", 24)
    assert peak_of(refused, file.replace(true, lie)) < 4 << 20


def test_max_bytes_bounds_file_and_archive(refused):
    deflated = torch_zip(
        mapping(w=torch_tensor()), {"0": bytes(1 << 16)}, zipfile.ZIP_DEFLATED
    )
    assert "at most 4096 bytes" in refused(deflated, max_bytes=4096)
    assert "Raise max_bytes" in refused(deflated, max_bytes=9)


def test_shared_references_do_not_explode_in_metadata(read):
    body = mapping(state_dict=mapping(w=torch_tensor()), laughs=NESTED)
    assert len(repr(read(torch_zip(body)).metadata)) < 1 << 16


def test_arrays_that_share_bytes_are_not_multiplied(read, refused):
    # Big-endian numbers are copied; one string serves all arrays.
    data = b"T" + struct.pack("<i", 1 << 20) + bytes(1 << 20) + b"q\x05"
    dtype, entries = numpy_dtype(order=">"), {}
    for index in range(16):
        shape = (1 << index, 1 << (18 - index))
        entries[f"w{index}"] = numpy_array(None, dtype, shape, data)
        data = b"h\x05"
    assert len(read(blobs(w=entries["w0"])).tensors) == 1
    assert peak_of(refused, blobs(**entries)) < 8 << 20
    assert "bytes of their own" in refused(blobs(**entries))


def test_reading_takes_little_more_memory_than_the_file(read):
    array = np.ones((8 << 20,), "<f4")
    body = mapping(
        w=torch_tensor(storage(count=array.size), 0, (8 << 20,), (1,))
    )
    for file in (
        torch_zip(body, {"0": array.tobytes()}),
        blobs(w=numpy_array(array)),
        mxnet_list(["w"], mxnet_array(array)),
    ):
        assert peak_of(read, file) < 2.2 * len(file)


# Files that are not whole, or not checkpoints.


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.suffix)
def test_truncated_golden_file_is_an_error(refused, path):
    contents = path.read_bytes()
    size = len(contents)
    for end in (1, 2, 15, 16, 17, 100, 999, size // 2, size - 9, size - 1):
        assert "expected" in refused(contents[:end])


@pytest.mark.parametrize(
    "contents",
    [
        blobs(w=numpy_array()),
        torch_zip(mapping(w=torch_tensor())),
        torch_stream(mapping(w=torch_tensor())),
        mxnet_list(["w"], mxnet_array()),
    ],
    ids=["pickle", "torch zip", "torch stream", "mxnet"],
)
def test_truncation_at_every_byte_is_an_error(refused, contents):
    for end in range(len(contents)):
        refused(contents[:end])


def test_damaged_storage_fails_its_check_sum(refused):
    file = torch_zip(mapping(w=torch_tensor()))
    broken = file.replace(FLOATS.tobytes(), bytes(24))
    assert "check sum" in refused(broken)


def test_archive_without_check_sums_is_read(read):
    file = torch_zip(mapping(w=torch_tensor()))
    check_sum = struct.pack("<I", zlib.crc32(FLOATS.tobytes()))
    assert file.count(check_sum) == 2
    assert list(read(file.replace(check_sum, bytes(4))).tensors) == ["w"]


def test_bytes_after_the_end_are_reported(read):
    for file in (
        blobs(w=numpy_array()),
        torch_stream(mapping(w=torch_tensor())),
        mxnet_list(["w"], mxnet_array()),
    ):
        assert read(file + b"more").metadata == {"trailing_bytes": 4}


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"", "empty file"),
        (b"\n <!DOCTYPE html><html>Not found</html>", "HTML page"),
        (b"<html><body>Sign in</body></html>", "HTML page"),
        (b"<?xml version='1.0'?><Error>AccessDenied</Error>", "XML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer"),
        (b"\x1f\x8b\x08\x00", "gzip archive"),
        (b"\x89HDF\r\n\x1a\n", "HDF5 file"),
        (b'{"message": "Not Found"}', "begins with"),
        (b"PK\x03\x04", "whole zip archive"),
        (program(mapping()), "nothing"),
        (program(mapping(epoch=number(1))), "'epoch'"),
        (program(text("hello")), "dictionary of tensors"),
        (mxnet_list([], mxnet_array()), "1 names"),
        (mxnet_list(["w", "w"], mxnet_array(), mxnet_array()), "twice"),
    ],
)
def test_other_files_are_named(refused, contents, words):
    message = refused(contents)
    assert words in message
    assert "checkpoint.bin" in message


def test_zip_of_something_else_lists_its_members(refused):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("notes.txt", "hello")
    assert "'notes.txt'" in refused(file.getvalue())


def test_zip_with_two_parameter_files_is_an_error(refused):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.params", mxnet_list(["w"], mxnet_array()))
        archive.writestr("b.params", mxnet_list(["w"], mxnet_array()))
    assert "one .params file" in refused(file.getvalue())


def test_paths_that_are_no_file(tmp_path):
    with pytest.raises(CheckpointError, match="a directory"):
        read_tensors(tmp_path)
    with pytest.raises(CheckpointError, match="No such file"):
        read_tensors(tmp_path / "missing.pkl")
    with pytest.raises(CheckpointError, match="null"):
        read_tensors("a\0b")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(CheckpointError, match="no regular file"):
            read_tensors(tmp_path / "pipe")


def test_file_of_another_container_is_an_error():
    with pytest.raises(CheckpointError, match="a torch file.*'mxnet'"):
        read_tensors(GLUONCV, container="torch")
    with pytest.raises(ValueError, match="`container` must be one of"):
        read_tensors(GLUONCV, container="onnx")

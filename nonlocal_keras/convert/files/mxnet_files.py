"""Reads MXNet parameter files (`.params`) without MXNet.

All numbers are little-endian. A file is a list of arrays and of names:

    uint64 0x112, uint64 0         the kind of file; reserved
    uint64 n, then n arrays
    uint64 n, then n names         each a uint64 length and UTF-8 text

An array of the versions 2 and 3, which differ in what "no shape" means:

    uint32 0xF993FAC9 or ..CA      the version
    int32 storage type             0 dense; sparse kinds are refused
    int32 rank, int64 sizes        no array follows rank 0 (2) or -1 (3)
    int32 device, int32 number     where it was; of no interest
    int32 number type, raw numbers

Version 1 (..C8) has no storage type. The first files had no version either:
the word in its place is the rank, and the sizes are uint32.

Gluon publishes these files in zip archives with one member.
"""

import ml_dtypes
import numpy as np

from nonlocal_keras.convert.files.cursor import Cursor
from nonlocal_keras.convert.files.pickle_values import DOWNLOAD_AGAIN
from nonlocal_keras.convert.files.pickle_values import MAX_DIMENSIONS
from nonlocal_keras.convert.files.pickle_values import describe
from nonlocal_keras.convert.files.pickle_values import element_count
from nonlocal_keras.convert.files.pickle_values import file_error
from nonlocal_keras.convert.files.pickle_values import trailing_facts

LIST_MAGIC = (0x112).to_bytes(8, "little")
VERSION_1 = 0xF993FAC8
VERSION_2 = 0xF993FAC9
VERSION_3 = 0xF993FACA
MAX_ARRAYS = 100_000
MAX_NAME = 1024

_DTYPES = (
    np.float32,
    np.float64,
    np.float16,
    np.uint8,
    np.int32,
    np.int8,
    np.int64,
    np.bool_,
    np.int16,
    np.uint16,
    np.uint32,
    np.uint64,
    ml_dtypes.bfloat16,
)
_SPARSE = {1: "a row-sparse array", 2: "a compressed sparse row array"}


class _Cursor(Cursor):
    """Reads what these files consist of."""

    def sizes(self, rank, size):
        if rank > MAX_DIMENSIONS:
            raise file_error(
                f"at most {MAX_DIMENSIONS} dimensions", describe(rank)
            )
        return tuple(self.integer(size, signed=size == 8) for _ in range(rank))

    def count(self, what):
        count = self.integer(8)
        if count > MAX_ARRAYS:
            raise file_error(f"at most {MAX_ARRAYS} {what}", describe(count))
        return count


def _shape(cursor):
    """Reads the start of an array up to its shape; `None` is no array."""
    version = cursor.integer(4)
    if version in (VERSION_2, VERSION_3):
        storage = cursor.integer(4, signed=True)
        if storage:
            found = _SPARSE.get(storage, f"storage type {storage}")
            raise file_error("dense arrays", found, "Save it as a dense array.")
        rank = cursor.integer(4, signed=True)
        shape = cursor.sizes(rank, 8)
        unknown = rank < 0 or -1 in shape
        return None if unknown or (version == VERSION_2 and not rank) else shape
    if version == VERSION_1:
        return cursor.sizes(cursor.integer(4), 8) or None
    return cursor.sizes(version, 4) or None


def _array(cursor):
    """Reads one array."""
    shape = _shape(cursor)
    if shape is None:
        return None
    cursor.take(8)
    kind = cursor.integer(4, signed=True)
    if not 0 <= kind < len(_DTYPES):
        raise file_error(
            "a number type of MXNet", f"type {kind}", DOWNLOAD_AGAIN
        )
    dtype = np.dtype(_DTYPES[kind]).newbyteorder("<")
    count = element_count(shape)
    contents = cursor.take(count * dtype.itemsize)
    return np.frombuffer(contents, dtype, count).reshape(shape)


def read_mxnet(data):
    """Reads a parameter file.

    Args:
        data: Bytes of the file.

    Returns:
        A dictionary from name to array, without the prefixes `arg:` and
        `aux:`, and a dictionary of facts about the file. An entry that was
        saved without an array is `None`.
    """
    cursor = _Cursor(data)
    if cursor.take(16)[:8] != LIST_MAGIC:
        raise file_error("the first number 0x112", "another", DOWNLOAD_AGAIN)
    arrays = [_array(cursor) for _ in range(cursor.count("arrays"))]
    count = cursor.count("names")
    if count != len(arrays):
        way_out = 'Save a dictionary: mx.nd.save("new.params", {name: array}).'
        raise file_error(f"{len(arrays)} names", f"{count}", way_out)
    tensors = {}
    for array in arrays:
        length = cursor.integer(8)
        if length > MAX_NAME:
            raise file_error(f"names of at most {MAX_NAME} bytes", f"{length}")
        raw = bytes(cursor.take(length))
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise file_error("a name in UTF-8", describe(raw)) from error
        name = name.removeprefix("arg:").removeprefix("aux:")
        if name in tensors:
            raise file_error("each name once", f"{describe(name)} twice")
        tensors[name] = array
    return tensors, trailing_facts(data, cursor.position)


def read_mxnet_zip(archive):
    """Reads the one parameter file in a zip archive.

    Args:
        archive: `nonlocal_keras.convert.files.archives.ZipMembers`.

    Returns:
        As `read_mxnet`; the facts include the names of other members.
    """
    names = archive.names()
    # What macOS adds to archives has the same extensions.
    inside = [name for name in names if not name.startswith("__MACOSX/")]
    found = [name for name in inside if name.endswith(".params")]
    if len(found) != 1:
        way_out = "Unpack it and give the file."
        raise file_error(
            "one .params file in the zip", f"{len(found)}", way_out
        )
    tensors, facts = read_mxnet(archive.read(found[0]))
    others = [name[:200] for name in names if name != found[0]]
    return tensors, facts | ({"zip_members": others} if others else {})

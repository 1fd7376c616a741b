"""What the readers of checkpoints make of a file, and how they say no.

A value that a pickle cannot give at once has a class of its own here: arrays
come in two steps, long strings stay slices of the file, and objects of other
libraries are inert placeholders.
"""

import math

import numpy as np

MAX_DIMENSIONS = 32
MAX_SIZE = 1 << 48

DOWNLOAD_AGAIN = "Download the file again and compare its SHA-256."
NOT_RUN = (
    "Nothing in the file was run. Use the file as its authors published it, "
    "or save the arrays alone, as a dictionary of NumPy arrays."
)


class CheckpointError(ValueError):
    """The file is not a checkpoint that can be read safely."""


class Opaque:
    """Stands for an object of a class that is not ours; it does nothing."""

    __slots__ = ("name",)

    def __init__(self, name):
        self.name = name


class Global:
    """A name that a file may use, and our own factory for it.

    Args:
        name: String, the dotted name, for messages.
        call: Function of the machine and the arguments, or `None`. Defaults
            to `None`.
        payload: What the name means to the reader that defined it. Defaults
            to `None`.
    """

    __slots__ = ("name", "call", "payload")

    def __init__(self, name, call=None, payload=None):
        self.name = name
        self.call = call
        self.payload = payload


class Text:
    """A long string: a slice of the file and its encoding."""

    __slots__ = ("view", "codec", "_bytes", "_text")

    def __init__(self, view, codec):
        self.view = view
        self.codec = codec
        self._bytes = view if codec == "latin-1" else None
        self._text = None

    # Both results are kept: a file may refer to one string many times.
    def latin1(self):
        if self._bytes is None:
            self._bytes = str(self.view, self.codec).encode("latin-1")
        return self._bytes

    def decode(self):
        if self._text is None:
            self._text = str(self.view, self.codec, "replace")
        return self._text


class StateDict(dict):
    """An ordered dictionary, and the attributes that were saved with it."""

    __slots__ = ("attributes",)

    def __init__(self):
        super().__init__()
        self.attributes = {}


class DTypeCell:
    """A plain NumPy dtype whose byte order may still be set."""

    __slots__ = ("dtype",)

    def __init__(self, dtype):
        self.dtype = dtype

    def build(self, state):
        plain = isinstance(state, tuple) and len(state) >= 5
        if not plain or any(entry is not None for entry in state[2:5]):
            raise file_error("the dtype of one plain number", "fields", NOT_RUN)
        if state[1] not in ("<", ">", "=", "|"):
            raise file_error('a byte order "<" or ">"', describe(state[1]))
        self.dtype = self.dtype.newbyteorder(state[1])


class ArrayCell:
    """A place for an array.

    Attributes:
        array: `np.ndarray`, or `None` while nothing was put there.
        unread: String, the reason why there will be no array, or `None`.
    """

    __slots__ = ("array", "unread")

    def __init__(self):
        self.array = None
        self.unread = None

    def build(self, state):
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise file_error(
                "(shape, dtype, order, data) of an array", describe(state)
            )
        shape, cell, fortran, data = state[-4:]
        if isinstance(cell, Opaque):
            self.unread = cell.name
        else:
            self.fill(cell, shape, "F" if fortran else "C", data)

    def fill(self, cell, shape, order, data):
        if not isinstance(cell, DTypeCell):
            raise file_error("a dtype", describe(cell))
        data = raw_bytes(data)
        count = element_count(shape)
        if count * cell.dtype.itemsize != len(data):
            what = f"an array of shape {shape} and type {cell.dtype}"
            needed = f"{count * cell.dtype.itemsize} bytes for {what}"
            raise file_error(needed, f"{len(data)} bytes")
        flat = np.frombuffer(data, cell.dtype, count)
        self.array = flat.reshape(shape, order=order)


def file_error(expected, found, way_out=DOWNLOAD_AGAIN):
    """Returns the error to raise, in the words that all readers use."""
    return CheckpointError(f"expected {expected}, found {found}. {way_out}")


def describe(value):
    """Describes a value in a few words, whatever its size."""
    if isinstance(value, (str, bytes)):
        return repr(value[:80])
    if isinstance(value, Global | Opaque):
        return f'"{value.name[:200]}"'
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, tuple) and len(value) <= MAX_DIMENSIONS:
        if all(type(entry) is int for entry in value):
            return repr(value)[:200]
    return f"an object of type {type(value).__name__}"


def element_count(shape):
    """Returns the product of a shape after a check of its entries."""
    if not isinstance(shape, tuple) or len(shape) > MAX_DIMENSIONS:
        raise file_error(f"at most {MAX_DIMENSIONS} sizes", describe(shape))
    for size in shape:
        if type(size) is not int or not 0 <= size < MAX_SIZE:
            raise file_error("a size from 0 to 2**48", describe(size))
    return math.prod(shape)


def raw_bytes(data):
    """Returns bytes from any of the forms that a pickle gives them."""
    if isinstance(data, Text):
        return data.latin1()
    if isinstance(data, str):
        return data.encode("latin-1")
    if isinstance(data, bytes | memoryview):
        return data
    raise file_error("bytes", describe(data))


def trailing_facts(data, end):
    """Returns the fact that bytes follow the end of what was read, if so."""
    return {"trailing_bytes": len(data) - end} if end < len(data) else {}

"""Reads PyTorch checkpoint files (`.pth`, `.pt`, `.pyth`) without PyTorch.

Since PyTorch 1.6 a checkpoint is a zip archive with one folder:

    <folder>/data.pkl      a pickle of the saved object, without the numbers
    <folder>/data/<key>    the raw numbers of one storage
    <folder>/byteorder     "little" or "big"; absent means little

Before, it was one stream: three pickles (a magic number, the protocol number
1001, a description of the writing machine), the pickle of the object, a
pickled list of storage keys, and for each key an int64 element count and the
raw numbers.

In both, the pickle refers to a storage by a persistent identifier
`("storage", type, key, device, element count)` and makes a tensor by a call
with storage, offset, sizes and strides. Here a tensor becomes a read-only
NumPy view of the bytes of the file, after a check that it lies within its
storage. Half precision stays half; bfloat16 is an `ml_dtypes` type.

Training files also hold objects of other libraries. They become `Opaque`
placeholders: never imported, never called, and never taken for a tensor.
"""

import ml_dtypes
import numpy as np

from nonlocal_keras.convert.files.pickle_values import NOT_RUN
from nonlocal_keras.convert.files.pickle_values import ArrayCell
from nonlocal_keras.convert.files.pickle_values import Global
from nonlocal_keras.convert.files.pickle_values import Opaque
from nonlocal_keras.convert.files.pickle_values import describe
from nonlocal_keras.convert.files.pickle_values import element_count
from nonlocal_keras.convert.files.pickle_values import file_error
from nonlocal_keras.convert.files.pickle_values import trailing_facts
from nonlocal_keras.convert.files.pickles import PLAIN_GLOBALS
from nonlocal_keras.convert.files.pickles import load

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
# The magic number as every pickle protocol from 2 on writes it.
MAGIC_BYTES = b"\x8a\x0a" + MAGIC.to_bytes(10, "little")

SAVE_AGAIN = (
    "Save it again with a current PyTorch: "
    'torch.save(torch.load("old.pth")["state_dict"], "new.pth").'
)

_DTYPES = {
    "float64": np.float64,
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "int64": np.int64,
    "int32": np.int32,
    "int16": np.int16,
    "int8": np.int8,
    "uint8": np.uint8,
    "uint16": np.uint16,
    "uint32": np.uint32,
    "uint64": np.uint64,
    "bool": np.bool_,
    "complex64": np.complex64,
    "complex128": np.complex128,
}
_STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "UntypedStorage": "uint8",
}


class _Storage:
    """Numbers in the file that tensors share."""

    __slots__ = ("dtype", "count", "view", "untyped")

    def __init__(self, kind, count):
        self.dtype = kind.payload
        self.untyped = kind.name.endswith("UntypedStorage")
        self.count = count
        self.view = None


class _TensorCollector:
    """Collects the storages and tensors of a pickle, then joins them."""

    def __init__(self):
        self.storages = {}
        self.waiting = []
        self.names = dict(PLAIN_GLOBALS)
        for module in ("torch", "torch.cuda", "torch.storage"):
            for name, dtype in _STORAGES.items():
                self.add(f"{module}.{name}", payload=np.dtype(_DTYPES[dtype]))
        for name, dtype in _DTYPES.items():
            self.add(f"torch.{name}", payload=np.dtype(dtype))
        self.add("torch._utils._rebuild_tensor", self.tensor)
        self.add("torch._utils._rebuild_tensor_v2", self.tensor)
        self.add("torch._utils._rebuild_tensor_v3", self.typed_tensor)
        self.add("torch._utils._rebuild_parameter", self.parameter)
        self.add("torch._utils._rebuild_parameter_with_state", self.parameter)
        self.add("torch._tensor._rebuild_from_type_v2", self.subclass)
        self.add("torch.Tensor")
        self.add("torch.nn.parameter.Parameter")
        self.add("torch.Size", self.size)
        self.add("torch.device", self.device)

    def add(self, name, call=None, payload=None):
        self.names[name] = Global(name, call, payload)

    def load(self, data, start, opaque):
        return load(data, start, self.names, self.storage, opaque)

    def storage(self, machine, identifier):
        if not isinstance(identifier, tuple) or len(identifier) not in (5, 6):
            raise file_error(
                "(storage, type, key, device, count)", describe(identifier)
            )
        word, kind, key, _, count = identifier[:5]
        if isinstance(kind, Opaque):
            return kind
        if word != "storage" or type(key) is not str:
            raise file_error("the key of a storage", describe(key))
        if not isinstance(getattr(kind, "payload", None), np.dtype):
            raise file_error(
                "a storage type of PyTorch", describe(kind), NOT_RUN
            )
        if identifier[5:] not in ((), (None,)):
            raise file_error("one storage per key", "parts of one", SAVE_AGAIN)
        element_count((count,))
        known = self.storages.setdefault(key, _Storage(kind, count))
        if (known.dtype, known.count) != (kind.payload, count):
            raise file_error(
                f"one type and size of storage {describe(key)}", "two"
            )
        return known

    def tensor(self, machine, storage, offset, size, stride, *unused):
        cell = ArrayCell()
        if not isinstance(storage, _Storage):
            raise file_error("a storage", describe(storage))
        tensor = (cell, storage, storage.dtype, offset, size, stride)
        self.waiting.append(tensor)
        return cell

    def typed_tensor(
        self, machine, storage, offset, size, stride, grad, hooks, kind, *unused
    ):
        cell = self.tensor(machine, storage, offset, size, stride)
        dtype = getattr(kind, "payload", None)
        if not isinstance(dtype, np.dtype) or not storage.untyped:
            raise file_error(
                "an untyped storage and a number type", describe(kind)
            )
        self.waiting[-1] = (cell, storage, dtype, offset, size, stride)
        return cell

    def size(self, machine, sizes):
        machine.charge(len(sizes))
        return tuple(sizes)

    def device(self, machine, *parts):
        return ":".join(describe(part) for part in parts)

    def parameter(self, machine, data, *unused):
        if not isinstance(data, ArrayCell):
            raise file_error("the tensor of a parameter", describe(data))
        return data

    def subclass(self, machine, function, kind, arguments, state):
        # A subclass within a subclass could be nested without end.
        if getattr(function, "call", None) == self.subclass:
            raise file_error("the function of a tensor", describe(function))
        return machine.call(function, arguments)

    def join(self, little):
        """Joins each tensor with its numbers."""
        for cell, storage, dtype, offset, size, stride in self.waiting:
            if not little and dtype == ml_dtypes.bfloat16:
                raise file_error(
                    "little-endian bfloat16", "big-endian", SAVE_AGAIN
                )
            if not little:
                dtype = dtype.newbyteorder(">")
            cell.array = _view(storage, dtype, offset, size, stride)


def _view(storage, dtype, offset, size, stride):
    """Returns a view of a storage after a check of its bounds."""
    count = element_count(size)
    element_count(stride)
    element_count((offset,))
    if len(size) != len(stride):
        raise file_error(f"{len(size)} strides", describe(stride))
    if not count:
        return np.empty(size, dtype)
    steps = zip(size, stride, strict=True)
    last = offset + sum((n - 1) * step for n, step in steps)
    held = len(storage.view) // dtype.itemsize
    if last >= held:
        raise file_error(
            f"a tensor within its {held} numbers", f"number {last}"
        )
    # Such a view would grow without bound when it is copied.
    if count > held:
        expanded = f"a tensor of {count} that repeats its {held} numbers"
        way_out = "Save it again after tensor.contiguous()."
        raise file_error("a tensor with numbers of its own", expanded, way_out)
    return np.ndarray(
        size,
        dtype,
        storage.view,
        offset * dtype.itemsize,
        [step * dtype.itemsize for step in stride],
    )


def read_torch_zip(archive, opaque):
    """Reads a checkpoint in the zip format.

    Args:
        archive: `ZipMembers`.
        opaque: Dictionary that collects the names that were not read.

    Returns:
        The saved object with `ArrayCell` for tensors and arrays, and a
        dictionary of facts about the file.
    """
    pickles = [
        name for name in archive.names() if name.split("/")[-1] == "data.pkl"
    ]
    if len(pickles) != 1:
        raise file_error("one data.pkl in a PyTorch archive", f"{len(pickles)}")
    folder = pickles[0].removesuffix("data.pkl")
    if f"{folder}constants.pkl" in archive.members:
        found = "a TorchScript program"
        raise file_error("a saved state dict", found, "Ask for its state dict.")
    tensors = _TensorCollector()
    data = bytes(archive.read(pickles[0]))
    tree, end = tensors.load(data, 0, opaque)
    for key, storage in tensors.storages.items():
        storage.view = archive.read(f"{folder}data/{key}")
        needed = storage.count * storage.dtype.itemsize
        if len(storage.view) != needed:
            found = f"{len(storage.view)}"
            raise file_error(
                f"{needed} bytes in storage {describe(key)}", found
            )
    order = b"little"
    if f"{folder}byteorder" in archive.members:
        order = bytes(archive.read(f"{folder}byteorder"))
    if order not in (b"little", b"big"):
        raise file_error('a byte order of "little" or "big"', describe(order))
    tensors.join(order == b"little")
    return tree, trailing_facts(data, end)


def read_torch_stream(data, opaque):
    """Reads a checkpoint in the stream format of PyTorch before 1.6.

    Args:
        data: Bytes of the file.
        opaque: Dictionary that collects the names that were not read.

    Returns:
        As `read_torch_zip`.
    """
    tensors = _TensorCollector()
    magic, end = load(data)
    protocol, end = load(data, end)
    _, end = load(data, end)
    if magic != MAGIC or protocol != PROTOCOL:
        found = f"{describe(magic)} and {describe(protocol)}"
        raise file_error(
            "the magic number and protocol 1001", found, SAVE_AGAIN
        )
    tree, end = tensors.load(data, end, opaque)
    keys, end = load(data, end)
    if not isinstance(keys, list) or len(keys) != len(tensors.storages):
        found = "another list. Some tensors may be of types not known here"
        raise file_error(f"the keys of {len(tensors.storages)} storages", found)
    view = memoryview(data)
    for key in keys:
        storage = tensors.storages.get(key) if type(key) is str else None
        if storage is None or storage.view is not None:
            raise file_error("the key of a storage, once", describe(key))
        begin = end + 8
        count = int.from_bytes(view[end:begin], "little", signed=True)
        end = begin + storage.count * storage.dtype.itemsize
        if count != storage.count or end > len(data):
            needed = f"{storage.count} numbers of storage {describe(key)}"
            found = f"{count} in the {max(len(data) - begin, 0)} bytes left"
            raise file_error(needed, found)
        storage.view = view[begin:end]
    # This format is little-endian on every machine.
    tensors.join(little=True)
    return tree, trailing_facts(data, end)

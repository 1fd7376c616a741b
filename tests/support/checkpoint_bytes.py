"""Checkpoint files written byte by byte, hostile and old ones too.

No test needs PyTorch, MXNet or Python 2, and none may depend on Python's own
unpickler.
"""

import io
import struct
import zipfile

import numpy as np
import pytest

from nonlocal_keras.convert.files.read import CheckpointError
from nonlocal_keras.convert.files.read import read_tensors
from tests.support import paths

VNL = paths.GOLDEN / "vnl_i3d_nonlocal_8x8_r50_width8.pkl"
MMACTION = paths.GOLDEN / "mmaction2_i3d_r50_nl_dot_product_width8.pth"
GLUONCV = paths.GOLDEN / "gluoncv_i3d_nl5_r50_width8.params"
PYSLOWFAST = paths.GOLDEN / "pyslowfast_i3d_nln_8x8_r50_width8.pyth"
GOLDEN = (VNL, MMACTION, GLUONCV, PYSLOWFAST)

FLOATS = np.arange(6, dtype="<f4").reshape(2, 3)


# Opcodes of protocols 0 to 5, written as a pickler would.


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def number(value):
    return b"J" + struct.pack("<i", value)


def sequence(*parts):
    return b"(" + b"".join(parts) + b"t"


def mapping(**entries):
    pairs = (text(key) + value for key, value in entries.items())
    return b"}(" + b"".join(pairs) + b"u"


def name(module, attribute):
    return b"c" + f"{module}\n{attribute}\n".encode()


def call(function, *arguments):
    return function + sequence(*arguments) + b"R"


def program(body):
    return b"\x80\x02" + body + b"."


def numpy_dtype(code="f4", order="<"):
    made = call(name("numpy", "dtype"), text(code), b"K\x00", b"K\x01")
    state = [b"K\x03", text(order), b"NNN", number(-1), number(-1), b"K\x00"]
    return made + sequence(*state) + b"b"


def numpy_array(array=FLOATS, dtype=None, shape=None, data=None, fortran=False):
    """A NumPy 1 array as Python 2 wrote it: the data is a byte string."""
    if data is None:
        data = array.tobytes("F" if fortran else "C")
        data = b"T" + struct.pack("<i", len(data)) + data
    shape = array.shape if shape is None else shape
    made = call(
        name("numpy.core.multiarray", "_reconstruct"),
        name("numpy", "ndarray"),
        sequence(b"K\x00"),
        b"U\x01b",
    )
    state = sequence(
        b"K\x01",
        sequence(*[b"\x8a\x08" + struct.pack("<q", n) for n in shape]),
        numpy_dtype() if dtype is None else dtype,
        b"\x88" if fortran else b"\x89",
        data,
    )
    return made + state + b"b"


def blobs(**entries):
    return program(mapping(blobs=mapping(**entries)))


def storage(key="0", count=6, kind="FloatStorage"):
    parts = [text("storage"), name("torch", kind), text(key), text("cpu")]
    return sequence(*parts, number(count)) + b"Q"


def torch_tensor(source=None, offset=0, size=(2, 3), stride=(3, 1)):
    return call(
        name("torch._utils", "_rebuild_tensor_v2"),
        storage() if source is None else source,
        number(offset),
        sequence(*map(number, size)),
        sequence(*map(number, stride)),
        b"\x89",
        call(name("collections", "OrderedDict")),
    )


def torch_zip(body, storages=None, compression=zipfile.ZIP_STORED, **extra):
    storages = {"0": FLOATS.tobytes()} if storages is None else storages
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("archive/data.pkl", program(body))
        for key, contents in storages.items():
            archive.writestr(f"archive/data/{key}", contents)
        for key, contents in extra.items():
            archive.writestr(f"archive/{key}", contents)
    return file.getvalue()


def torch_stream(body, keys=("0",), contents=FLOATS.tobytes(), count=6):
    magic = b"\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little")
    listed = b"](" + b"".join(map(text, keys)) + b"e"
    parts = [magic, b"M\xe9\x03", mapping(little_endian=b"\x88"), body, listed]
    pickles = b"".join(map(program, parts))
    return pickles + struct.pack("<q", count) + contents


def mxnet_array(array=FLOATS, version=0xF993FAC9, storage_type=0, flag=0):
    rank = struct.pack("<i", array.ndim)
    sizes = np.asarray(array.shape, "<i8").tobytes()
    if version == 0xF993FAC8:
        start = struct.pack("<I", version) + rank + sizes
    elif version is None:
        start = rank + np.asarray(array.shape, "<u4").tobytes()
    else:
        start = struct.pack("<Ii", version, storage_type) + rank + sizes
    return start + struct.pack("<iii", 1, 0, flag) + array.tobytes()


def mxnet_list(names, *arrays):
    file = struct.pack("<QQQ", 0x112, 0, len(arrays)) + b"".join(arrays)
    file += struct.pack("<Q", len(names))
    for entry in names:
        file += struct.pack("<Q", len(entry)) + entry.encode()
    return file


def history_buffer():
    """A logging object as mmengine saves it in `message_hub`."""
    made = name("mmengine.logging.history_buffer", "HistoryBuffer") + b")\x81"
    state = mapping(_log_history=numpy_array(), _max_length=number(9))
    return made + state + b"b"


def read_bytes(folder, data, **options):
    """Writes bytes to a file and reads its tensors."""
    path = folder / "checkpoint.bin"
    path.write_bytes(data)
    return read_tensors(path, **options)


def refusal(folder, data, **options):
    """Gives the message of the error that some bytes must raise."""
    with pytest.raises(CheckpointError) as caught:
        read_bytes(folder, data, **options)
    return str(caught.value)


# Programs that try to run something, and extreme lengths.

SYSTEM = name("os", "system")
ECHO = sequence(text("touch HOSTILE"))
ATTACKS = {
    "reduce": SYSTEM + ECHO + b"R",
    "python 2 builtin": name("__builtin__", "eval") + ECHO + b"R",
    "inst": b"(" + text("touch HOSTILE") + b"ios\nsystem\n",
    "obj": b"(" + SYSTEM + text("touch HOSTILE") + b"o",
    "newobj": SYSTEM + ECHO + b"\x81",
    "newobj_ex": SYSTEM + ECHO + b"}\x92",
    "stack_global": b"\x8c\x02os\x8c\x06system\x93" + ECHO + b"R",
    "copyreg": name("copyreg", "_reconstructor") + ECHO + b"R",
    "getattr": name("builtins", "getattr") + ECHO + b"R",
    "dotted name": b"\x8c\x05numpy\x8c\x0edtype.__init__\x93" + ECHO + b"R",
    "numpy loader": name("numpy", "load") + ECHO + b"R",
    "object dtype": call(name("numpy", "dtype"), text("O")),
    "structured dtype": call(name("numpy", "dtype"), text("V8")),
    "codec that runs": call(name("_codecs", "encode"), text("a"), text("zip")),
    "call of a string": text("os.system") + ECHO + b"R",
    "instance of an allowed class": name("collections", "OrderedDict")
    + b")\x81",
    "build of a dict": b"}" + mapping(__class__=SYSTEM) + b"b",
    "build of a class": name("numpy", "ndarray") + mapping(x=b"K\x01") + b"b",
    "build of slots": numpy_array() + b"N" + mapping(array=b"K\x01") + b"\x86b",
    "build of an array": numpy_array() + mapping(array=b"K\x01") + b"b",
    "extension code": b"\x82\x01",
    "extension code 4": b"\x84\x01\x00\x00\x00",
    "persistent id": text("x") + b"Q",
    "text persistent id": b"Px\n",
    "out-of-band buffer": b"\x97",
    "append to an array": numpy_array() + b"K\x01a",
    "items of an array": numpy_array() + b"K\x01K\x02s",
}
HUGE = struct.pack("<Q", 1 << 60)

"""Reads pickled arrays and plain containers without running the file.

A pickle is a program for a small stack machine. Python's own machine imports
whatever the file names and calls it. The machine here has the same stack and
the same opcodes, but no import: a name in the file is looked up in a table of
our own factories, and a name that is not in the table is either an error or
an inert `Opaque` placeholder. Nothing else can be called or changed.

What it makes: `None`, booleans, numbers, text, bytes, tuples, lists, sets,
dictionaries, and NumPy arrays and scalars of a plain numeric type. Strings of
Python 2 are read as Latin-1, so that array bytes survive.

What it costs: all lengths are checked against the bytes that are left, long
strings and bytes stay slices of the file, and the number of opcodes is
bounded. Memory is therefore bounded by a small multiple of the file size.

Arrays are made in two steps, as in the file: an empty `ArrayCell` first, its
contents with the `BUILD` opcode later. The tree that `load` returns keeps the
cells, since other parts of the tree may refer to them.
"""

import codecs
import pickle
import re
import struct

import numpy as np

from nonlocal_keras.convert.files.pickle_machine import Machine
from nonlocal_keras.convert.files.pickle_values import NOT_RUN
from nonlocal_keras.convert.files.pickle_values import ArrayCell
from nonlocal_keras.convert.files.pickle_values import CheckpointError
from nonlocal_keras.convert.files.pickle_values import DTypeCell
from nonlocal_keras.convert.files.pickle_values import Global
from nonlocal_keras.convert.files.pickle_values import StateDict
from nonlocal_keras.convert.files.pickle_values import Text
from nonlocal_keras.convert.files.pickle_values import describe
from nonlocal_keras.convert.files.pickle_values import file_error

MAX_INTEGER_BYTES = 255
MAX_UNICODE_LINE = 1 << 20
# Longer strings stay slices of the file until somebody asks for the text.
LONG_TEXT = 1024

_PLAIN_DTYPE = re.compile(r"[<>=|]?(b1|[iu][1248]|f[248])")


def _string(machine, length_size, codec, signed=False):
    view = machine.take(machine.integer(length_size, signed))
    if len(view) > LONG_TEXT:
        machine.push(view if codec is None else Text(view, codec))
    else:
        machine.push(bytes(view) if codec is None else str(view, codec))


def _quoted_string(machine):
    line = machine.line(len(machine.data))
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b'"', b"'"):
        raise ValueError("a string without quotes")
    text = codecs.escape_decode(line[1:-1])[0]
    if len(text) > LONG_TEXT:
        machine.push(Text(memoryview(text), "latin-1"))
    else:
        machine.push(text.decode("latin-1"))


def _unicode_line(machine):
    text = machine.line(MAX_UNICODE_LINE).decode("raw-unicode-escape")
    # Half a surrogate pair is no text and could not be printed.
    data = text.encode("utf-8")
    long = len(data) > LONG_TEXT
    machine.push(Text(memoryview(data), "utf-8") if long else text)


def _integer_line(machine):
    line = machine.line()
    booleans = {b"00": False, b"01": True}
    return booleans[line] if line in booleans else int(line.removesuffix(b"L"))


def _long(machine, length_size):
    size = machine.integer(length_size)
    if size > MAX_INTEGER_BYTES:
        raise ValueError(f"an integer of {size} bytes")
    machine.push(machine.integer(size, signed=True))


def _tuple(machine, count):
    items = tuple(machine.stack[-count:])
    if len(items) < count:
        raise IndexError("too few items for a tuple")
    machine.stack[-count:] = [items]


def _filled(machine, empty, fill):
    items = machine.pop_mark()
    machine.push(empty)
    fill(items)


def _empty_set(machine):
    # An empty set takes far more memory than any other one-byte opcode.
    machine.charge(4)
    machine.push(set())


def _set_item(machine):
    value, key = machine.stack.pop(), machine.stack.pop()
    machine.set_items((key, value))


def _global(machine):
    module, name = machine.line(), machine.line()
    return machine.find(module.decode("utf-8"), name.decode("utf-8"))


def _stack_global(machine):
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.push(machine.find(module, name))


def _reduce(machine):
    arguments, function = machine.stack.pop(), machine.stack.pop()
    machine.push(machine.call(function, arguments))


def _instance(machine):
    kind = _global(machine)
    machine.pop_mark()
    machine.create(kind)


def _get(machine, index):
    machine.push(machine.memo[index])


def _put(machine, index):
    # Larger ones, from text, could be chosen to have equal hashes.
    if not 0 <= index < 1 << 32:
        raise ValueError("a memo index that is not of 32 bits")
    machine.memo[index] = machine.stack[-1]


# Absent on purpose, and so refused: the copyreg extension registry (EXT*),
# text persistent identifiers (PERSID) and out-of-band buffers. PROTO and
# FRAME only announce what follows; each later length is checked on its own.
_ACTIONS = {
    pickle.PROTO: lambda m: m.take(1),
    pickle.FRAME: lambda m: m.take(8),
    pickle.NONE: lambda m: m.push(None),
    pickle.NEWTRUE: lambda m: m.push(True),
    pickle.NEWFALSE: lambda m: m.push(False),
    pickle.BININT: lambda m: m.push(m.integer(4, signed=True)),
    pickle.BININT1: lambda m: m.push(m.integer(1)),
    pickle.BININT2: lambda m: m.push(m.integer(2)),
    pickle.LONG1: lambda m: _long(m, 1),
    pickle.LONG4: lambda m: _long(m, 4),
    pickle.INT: lambda m: m.push(_integer_line(m)),
    pickle.LONG: lambda m: m.push(_integer_line(m)),
    pickle.FLOAT: lambda m: m.push(float(m.line())),
    pickle.BINFLOAT: lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
    pickle.STRING: _quoted_string,
    pickle.UNICODE: _unicode_line,
    pickle.SHORT_BINSTRING: lambda m: _string(m, 1, "latin-1"),
    pickle.BINSTRING: lambda m: _string(m, 4, "latin-1", signed=True),
    pickle.SHORT_BINUNICODE: lambda m: _string(m, 1, "utf-8"),
    pickle.BINUNICODE: lambda m: _string(m, 4, "utf-8"),
    pickle.BINUNICODE8: lambda m: _string(m, 8, "utf-8"),
    pickle.SHORT_BINBYTES: lambda m: _string(m, 1, None),
    pickle.BINBYTES: lambda m: _string(m, 4, None),
    pickle.BINBYTES8: lambda m: _string(m, 8, None),
    pickle.BYTEARRAY8: lambda m: _string(m, 8, None),
    pickle.EMPTY_TUPLE: lambda m: m.push(()),
    pickle.EMPTY_LIST: lambda m: m.push([]),
    pickle.EMPTY_DICT: lambda m: m.push({}),
    pickle.EMPTY_SET: _empty_set,
    pickle.TUPLE1: lambda m: _tuple(m, 1),
    pickle.TUPLE2: lambda m: _tuple(m, 2),
    pickle.TUPLE3: lambda m: _tuple(m, 3),
    pickle.MARK: lambda m: m.mark(),
    pickle.TUPLE: lambda m: m.push(tuple(m.pop_mark())),
    pickle.LIST: lambda m: m.push(m.pop_mark()),
    pickle.DICT: lambda m: _filled(m, {}, m.set_items),
    pickle.FROZENSET: lambda m: _filled(m, set(), m.add_items),
    pickle.APPEND: lambda m: m.append_items((m.stack.pop(),)),
    pickle.APPENDS: lambda m: m.append_items(m.pop_mark()),
    pickle.SETITEM: _set_item,
    pickle.SETITEMS: lambda m: m.set_items(m.pop_mark()),
    pickle.ADDITEMS: lambda m: m.add_items(m.pop_mark()),
    pickle.POP: lambda m: m.stack.pop(),
    pickle.POP_MARK: lambda m: m.pop_mark(),
    pickle.DUP: lambda m: m.push(m.stack[-1]),
    pickle.GET: lambda m: _get(m, _integer_line(m)),
    pickle.BINGET: lambda m: _get(m, m.integer(1)),
    pickle.LONG_BINGET: lambda m: _get(m, m.integer(4)),
    pickle.PUT: lambda m: _put(m, _integer_line(m)),
    pickle.BINPUT: lambda m: _put(m, m.integer(1)),
    pickle.LONG_BINPUT: lambda m: _put(m, m.integer(4)),
    pickle.MEMOIZE: lambda m: _put(m, len(m.memo)),
    pickle.GLOBAL: lambda m: m.push(_global(m)),
    pickle.STACK_GLOBAL: _stack_global,
    pickle.REDUCE: _reduce,
    pickle.BUILD: lambda m: m.build(m.stack.pop()),
    pickle.INST: _instance,
    pickle.OBJ: lambda m: m.create(m.pop_mark()[0]),
    pickle.NEWOBJ: lambda m: m.create_from_stack(1),
    pickle.NEWOBJ_EX: lambda m: m.create_from_stack(2),
    pickle.BINPERSID: lambda m: m.persistent(m.stack.pop()),
}
_ACTIONS = {opcode[0]: action for opcode, action in _ACTIONS.items()}


def _make_array(machine, kind, shape, code):
    if getattr(kind, "name", None) != "numpy.ndarray" or shape != (0,):
        found = f"{describe(kind)} of shape {describe(shape)}"
        raise file_error("an empty numpy.ndarray to fill", found, NOT_RUN)
    return ArrayCell()


def _make_dtype(machine, code, align=False, copy=False):
    if not isinstance(code, str) or not _PLAIN_DTYPE.fullmatch(code):
        return machine.unknown(f"numpy.dtype {describe(code)}")
    return DTypeCell(np.dtype(code))


def _make_scalar(machine, cell, data):
    array = ArrayCell()
    array.fill(cell, (), "C", data)
    return array.array[()]


def _array_from_buffer(machine, data, cell, shape, order):
    array = ArrayCell()
    array.fill(cell, shape, "F" if order == "F" else "C", data)
    return array


def _encode(machine, text, codec):
    # Protocol 2 writes the bytes of Python 3 as text and a call of this.
    if codec != "latin1" or not isinstance(text, str | Text):
        machine.refuse("encode other than as latin1", codec)
    return machine.bytes_of(text)


def _ordered_dict(machine, pairs=()):
    result = StateDict()
    machine.charge(len(pairs))
    for key, value in pairs:
        result[machine.key(key)] = value
    return result


def _set(machine, items=()):
    machine.charge(len(items))
    return {machine.key(item) for item in items}


def _bytes(machine, data=b""):
    return machine.bytes_of(data)


PLAIN_GLOBALS = {
    name: Global(name, call)
    for name, call in {
        "numpy._core.multiarray._reconstruct": _make_array,
        "numpy._core.multiarray.scalar": _make_scalar,
        "numpy._core.numeric._frombuffer": _array_from_buffer,
        "numpy.ndarray": None,
        "numpy.dtype": _make_dtype,
        "_codecs.encode": _encode,
        "collections.OrderedDict": _ordered_dict,
        "builtins.bytearray": _bytes,
        "builtins.bytes": _bytes,
        "builtins.frozenset": _set,
        "builtins.set": _set,
    }.items()
}


def load(data, start=0, names=None, persistent_load=None, opaque=None):
    """Reads one pickle.

    Args:
        data: Bytes that hold the pickle.
        start: Integer, where it begins. Defaults to `0`.
        names: Dictionary of dotted name to `Global`, in the spelling of
            Python 3 and NumPy 2. Defaults to `PLAIN_GLOBALS`.
        persistent_load: Function of the machine and an identifier; `None`
            refuses persistent identifiers. Defaults to `None`.
        opaque: Dictionary, or `None`. With one, unknown names become `Opaque`
            and are entered as its keys. With `None` they are an error.
            Defaults to `None`.

    Returns:
        The object and the position after the pickle. Arrays are `ArrayCell`,
        strings of more than a thousand bytes are `Text` or `memoryview`.
    """
    names = PLAIN_GLOBALS if names is None else names
    machine = Machine(_ACTIONS, data, start, names, persistent_load, opaque)
    try:
        return machine.run(), machine.position
    except CheckpointError:
        raise
    except (LookupError, TypeError, ValueError, ArithmeticError) as error:
        problem = f"{type(error).__name__} ({str(error)[:200]})"
        found = f"{problem} at byte {machine.position}"
        raise file_error("a well-formed pickle", found) from error

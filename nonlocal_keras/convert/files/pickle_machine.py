"""The stack machine that executes a pickle without running anything.

Its opcodes are in `pickles.py`. What the machine costs is bounded here: every
length is checked against the bytes that are left, and opcodes are counted.
"""

import pickle

from nonlocal_keras.convert.files.cursor import Cursor
from nonlocal_keras.convert.files.pickle_values import NOT_RUN
from nonlocal_keras.convert.files.pickle_values import ArrayCell
from nonlocal_keras.convert.files.pickle_values import DTypeCell
from nonlocal_keras.convert.files.pickle_values import Opaque
from nonlocal_keras.convert.files.pickle_values import StateDict
from nonlocal_keras.convert.files.pickle_values import describe
from nonlocal_keras.convert.files.pickle_values import file_error
from nonlocal_keras.convert.files.pickle_values import raw_bytes

# A ResNet-101 checkpoint with its optimizer needs about 60 thousand.
MAX_OPCODES = 1_000_000
MAX_OPAQUE_NAMES = 10_000
MAX_LINE = 400

PLAIN = "only NumPy arrays and plain containers"

# What Python 2 and NumPy 1 call the same modules.
_RENAMED = {
    "__builtin__": "builtins",
    "numpy.core.multiarray": "numpy._core.multiarray",
    "numpy.core.numeric": "numpy._core.numeric",
}


class Machine(Cursor):
    """The stack machine; see `pickles.load` for the arguments.

    Args:
        actions: Dictionary of opcode to a function of the machine.
    """

    def __init__(self, actions, data, start, names, persistent_load, opaque):
        super().__init__(data, start)
        self.actions = actions
        self.names = names
        self.persistent_load = persistent_load
        self.opaque = opaque
        self.stack = []
        self.below = []
        self.memo = {}
        self.encoded = {}
        self.spent = 0

    def run(self):
        while True:
            self.charge(1)
            code = self.take(1)[0]
            if code == pickle.STOP[0]:
                return self.stack.pop()
            action = self.actions.get(code)
            if action is None:
                at = self.position - 1
                raise file_error(
                    PLAIN, f"opcode 0x{code:02x} at byte {at}", NOT_RUN
                )
            action(self)

    def charge(self, count):
        self.spent += count
        if self.spent > MAX_OPCODES:
            way_out = "Save the tensors alone, without the training state."
            limit = f"at most {MAX_OPCODES} pickle operations"
            raise file_error(limit, "more", way_out)

    def line(self, limit=MAX_LINE):
        end = self.data.find(b"\n", self.position, self.position + limit + 1)
        if end < 0:
            raise file_error(f"a line at byte {self.position}", "no end of it")
        line = self.data[self.position : end]
        self.position = end + 1
        return line

    def push(self, value):
        self.stack.append(value)

    def mark(self):
        self.below.append(self.stack)
        self.stack = []

    def pop_mark(self):
        items = self.stack
        self.stack = self.below.pop()
        return items

    def refuse(self, what, target):
        raise file_error(
            PLAIN, f"an attempt to {what} {describe(target)}", NOT_RUN
        )

    def find(self, module, name):
        if type(module) is not str or type(name) is not str:
            raise file_error(
                "the name of a class", describe((module, name)), NOT_RUN
            )
        known = self.names.get(f"{_RENAMED.get(module, module)}.{name}")
        return known or self.unknown(f"{module}.{name}")

    def unknown(self, name):
        """Refuses a name, or makes a placeholder for it."""
        if self.opaque is None:
            raise file_error(PLAIN, f'"{name[:200]}"', NOT_RUN)
        if len(self.opaque) >= MAX_OPAQUE_NAMES:
            raise file_error(
                f"at most {MAX_OPAQUE_NAMES} classes", "more", NOT_RUN
            )
        self.opaque[name[:200]] = None
        return Opaque(name[:200])

    def call(self, function, arguments):
        if isinstance(function, Opaque):
            return function
        if getattr(function, "call", None) is None:
            self.refuse("call", function)
        if not isinstance(arguments, tuple) or len(arguments) > 16:
            self.refuse("pass unusual arguments to", function)
        for entry in arguments:
            if isinstance(entry, Opaque):
                return entry
        return function.call(self, *arguments)

    def create(self, kind):
        """Makes an instance of a class: only ever a placeholder."""
        if not isinstance(kind, Opaque):
            self.refuse("create an instance of", kind)
        self.push(kind)

    def create_from_stack(self, arguments):
        del self.stack[-arguments:]
        self.create(self.stack.pop())

    def bytes_of(self, text):
        """Returns the bytes of a string, one object for all that ask."""
        # With the string, so that no other one takes its identity.
        known = self.encoded.get(id(text))
        if known is None:
            known = self.encoded[id(text)] = (text, raw_bytes(text))
        return known[1]

    def persistent(self, identifier):
        if self.persistent_load is None:
            self.refuse("load by a persistent identifier", identifier)
        self.push(self.persistent_load(self, identifier))

    def key(self, value):
        """Returns a dictionary key whose hash is cheap and cannot collide."""
        # A tuple is hashed anew each time, through all that it refers to.
        if value is None or type(value) in (str, bytes, bool, float):
            return value
        if type(value) is int and abs(value) < 1 << 60:
            return value
        return self.unknown(f"dictionary key of type {type(value).__name__}")

    def set_items(self, items):
        target = self.stack[-1]
        if isinstance(target, Opaque):
            return
        if not isinstance(target, dict):
            self.refuse("set items of", target)
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[self.key(key)] = value

    def append_items(self, items):
        target = self.stack[-1]
        if type(target) is list:
            target.extend(items)
        elif not isinstance(target, Opaque):
            self.refuse("append to", target)

    def add_items(self, items):
        target = self.stack[-1]
        if type(target) is set:
            target.update(self.key(item) for item in items)
        elif not isinstance(target, Opaque):
            self.refuse("add items to", target)

    def build(self, state):
        target = self.stack[-1]
        if isinstance(target, ArrayCell | DTypeCell):
            target.build(state)
        elif isinstance(target, StateDict) and isinstance(state, dict):
            target.attributes = state
        elif not isinstance(target, Opaque):
            self.refuse("set attributes of", target)

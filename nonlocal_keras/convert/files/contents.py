"""Sorts what a checkpoint file holds into tensors and the rest."""

import ml_dtypes
import numpy as np

from nonlocal_keras.convert.files.pickle_values import ArrayCell
from nonlocal_keras.convert.files.pickle_values import Global
from nonlocal_keras.convert.files.pickle_values import Opaque
from nonlocal_keras.convert.files.pickle_values import Text
from nonlocal_keras.convert.files.pickle_values import describe
from nonlocal_keras.convert.files.pickle_values import file_error

MAX_ENTRIES = 1_000_000
MAX_NAME = 1024
MAX_NESTING = 8
# For metadata: characters, each entry counted as sixteen.
METADATA_BUDGET = 4 << 20
WRAPPERS = ("blobs", "model_state", "state_dict", "model")


class Contents:
    """Sorts a tree of saved objects into tensors and metadata.

    Args:
        copy_budget: Integer, bytes that may be copied. A file that refers to
            the same bytes from many arrays must not multiply them.
        kind: String, the format of the file.
    """

    def __init__(self, copy_budget, kind):
        self.tensors = {}
        self.metadata = {}
        # In Caffe2 files these are counters and the learning rate.
        self.scalars_are_tensors = kind != "caffe2"
        self.wrapper = ""
        self.visits = 0
        self.copies = {}
        # By the identity of the dictionaries of the tree, which lives on: a
        # file may refer to one of them at a thousand places, and reading it
        # must cost what the file is long.
        self.holders = {}
        self.entered = {}
        self.copy_budget = copy_budget
        self.metadata_budget = METADATA_BUDGET

    def unwrap(self, tree):
        """Finds the tensors by name, with or without a wrapper key."""
        if not isinstance(tree, dict):
            way_out = "Save the state dict of the model, by name."
            raise file_error("a dictionary of tensors", describe(tree), way_out)
        for wrapper in WRAPPERS:
            if isinstance(tree.get(wrapper), dict):
                for key, value in tree.items():
                    if key != wrapper:
                        self.note(_name("", key), value)
                self.wrapper = f"{wrapper}."
                tree = tree[wrapper]
                break
        attributes = getattr(tree, "attributes", None)
        if attributes:
            self.note("state_dict_attributes", attributes)
        self.flatten(tree, "", MAX_NESTING)

    def flatten(self, tree, prefix, depth):
        """Enters tensors under their name, all else as metadata."""
        self.visits += len(tree)
        if self.visits > MAX_ENTRIES:
            raise file_error(f"at most {MAX_ENTRIES} entries", "more")
        for key, value in tree.items():
            name = _name(prefix, key)
            array = value.array if isinstance(value, ArrayCell) else value
            if isinstance(array, np.ndarray) and (
                array.ndim or self.scalars_are_tensors
            ):
                if type(key) not in (str, int) or name in self.tensors:
                    raise file_error(
                        "tensors by a name of their own", describe(key)
                    )
                self.tensors[name] = self.settle(array)
            elif isinstance(value, dict) and depth and self.has_arrays(value):
                first = self.entered.setdefault(id(value), name)
                if first == name:
                    self.flatten(value, f"{name}.", depth - 1)
                else:
                    self.note(name, f"<the same as {first}>")
            else:
                self.note(name, value)

    def has_arrays(self, tree):
        """Returns whether a dictionary holds tensors, or settings alone."""
        if id(tree) not in self.holders:
            self.holders[id(tree)] = any(
                isinstance(value, ArrayCell) for value in tree.values()
            )
        return self.holders[id(tree)]

    def settle(self, array):
        """Returns an aligned array of the byte order of this machine."""
        dtype = array.dtype.newbyteorder("=")
        if array.dtype == ml_dtypes.bfloat16:
            dtype = np.dtype(np.float32)
        if dtype == array.dtype and array.flags.aligned:
            array.flags.writeable = False
            return array
        place = array.__array_interface__["data"][0]
        key = (place, array.shape, array.strides, array.dtype)
        if key not in self.copies:
            self.copy_budget -= array.size * dtype.itemsize
            if self.copy_budget < 0:
                raise file_error(
                    "arrays with bytes of their own", "shared bytes"
                )
            self.copies[key] = array.astype(dtype)
            self.copies[key].flags.writeable = False
        return self.copies[key]

    def note(self, name, value):
        """Enters something that is not a tensor of the model."""
        if name in self.metadata:
            name = f"{self.wrapper}{name}"
        self.metadata[name] = self.plain(value, MAX_NESTING)

    def plain(self, value, depth):
        """Returns a bounded copy of plain data, descriptions of the rest."""
        if isinstance(value, ArrayCell):
            reason = value.unread or "nothing"
            value = (
                f"<array of {reason}>" if value.array is None else value.array
            )
        if isinstance(value, Text):
            long = len(value.view) > self.metadata_budget
            value = (
                f"<{len(value.view)} characters>" if long else value.decode()
            )
        if isinstance(value, np.generic | np.ndarray):
            if value.ndim:
                value = f"<{value.dtype} array of shape {value.shape}>"
            else:
                value = value.item()
        if isinstance(value, Opaque | Global):
            value = f"<{value.name}>"
        if isinstance(value, memoryview):
            value = f"<{len(value)} bytes>"
        self.metadata_budget -= 16
        if isinstance(value, str | bytes):
            self.metadata_budget -= len(value)
        if self.metadata_budget < 0:
            return "<not shown>"
        if value is None or isinstance(
            value, str | bytes | bool | int | float | complex
        ):
            return value
        if not isinstance(value, dict | list | tuple | set) or not depth:
            return f"<{type(value).__name__}>"
        if isinstance(value, dict):
            return {
                self.plain(key, 0): self.plain(entry, depth - 1)
                for key, entry in value.items()
            }
        entries = [self.plain(entry, depth - 1) for entry in value]
        return tuple(entries) if isinstance(value, tuple) else entries


def _name(prefix, key):
    """Returns the name of an entry, of bounded length."""
    name = prefix + (str(key) if type(key) in (str, int) else describe(key))
    if len(name) > MAX_NAME:
        raise file_error(
            f"names of at most {MAX_NAME} characters", f"{len(name)}"
        )
    return name

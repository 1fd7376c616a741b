"""Puts the tensors of a file into the weights of a model, each once."""

import collections
import math

import keras
import numpy as np

from nonlocal_keras.convert import name_maps
from nonlocal_keras.convert.name_map import ConversionError
from nonlocal_keras.layers.base_non_local import BaseNonLocal
from nonlocal_keras.models.inflation import inflate
from nonlocal_keras.models.weight_names import layers_of
from nonlocal_keras.models.weight_names import weights_of

NAMED = 5


class Tensors:
    """The tensors of a file by the weight that they become.

    Args:
        name_map: `nonlocal_keras.convert.name_map.NameMap`.
        tensors: Dictionary of name to array.

    Attributes:
        used: Dictionary of weight to the name of its tensor.
        duplicates: Dictionary of name to the name of an equal tensor.
        skipped: Dictionary of name to the reason.
        unknown: List of names that the map does not know.
        changed: Dictionary of weight to an array in the place of its tensor.
    """

    def __init__(self, name_map, tensors):
        self.name_map = name_map
        self.arrays = tensors
        self.used = {}
        self.duplicates = {}
        self.skipped = {}
        self.unknown = []
        self.changed = {}
        self._sort()

    def _sort(self):
        candidates = collections.defaultdict(list)
        for name in self.arrays:
            translated = self.name_map.translate(name)
            reason = self.name_map.reason_to_skip(name)
            if translated is not None:
                target, row = translated
                candidates[target].append((row, name))
            elif reason is not None:
                self.skipped[name] = reason
            else:
                self.unknown.append(name)
        for target, rows in candidates.items():
            (_, first), *others = sorted(rows)
            self.used[target] = first
            for _, name in others:
                pair = self.arrays[name], self.arrays[first]
                if not np.array_equal(*pair, equal_nan=True):
                    raise ConversionError(
                        f"Tensors that hold one weight twice must be equal, "
                        f"but {name!r} differs from {first!r}. The file may "
                        "be damaged: download it again, or save it again from "
                        "the model."
                    )
                self.duplicates[name] = first

    def spell(self, target):
        """Returns the name that a weight has, or would have, in the file."""
        return self.used.get(target) or self.name_map.spell(target) or target

    def shapes(self):
        """Returns the shape of the tensor of every weight."""
        return {target: self.array_of(target).shape for target in self.used}

    def array_of(self, target):
        """Returns the array that becomes a weight."""
        if target in self.changed:
            return self.changed[target]
        return self.arrays[self.used[target]]

    def fill(self, target, array):
        """Gives a weight that has no tensor an array."""
        self.used[target] = f"({target})"
        self.changed[target] = array

    def skip(self, start, reason):
        """Leaves out the tensors of all weights that begin so."""
        for target in [t for t in self.used if t.startswith(start)]:
            self.skipped[self.used.pop(target)] = reason


def check_tensors(tensors, shapes, fresh, inflate):
    """Checks that a file has every weight, in its shape, and nothing else.

    Args:
        tensors: `Tensors`.
        shapes: Dictionary of weight to the shape its tensor must have.
        fresh: Tuple of starts of weights that the file need not have.
        inflate: Boolean, whether kernels without time may stand for longer
            ones.

    Raises:
        ConversionError: Names the first few of what does not fit.
    """
    problems, misfits = [], list(tensors.unknown)
    problems += [f"{name!r} is of no known kind" for name in tensors.unknown]
    for target, name in tensors.used.items():
        found = tensors.array_of(target).shape
        if target not in shapes:
            problems.append(f"{name!r} has no place in this network")
            misfits.append(name)
        elif not _fits(found, shapes[target], inflate):
            problems.append(
                f"{name!r} has shape {found} and must have {shapes[target]}"
            )
    problems += [
        f"{tensors.spell(target)!r} is missing"
        for target in shapes
        if target not in tensors.used and not target.startswith(fresh)
    ]
    problems += bad_numbers(tensors)
    if problems:
        network = name_maps.find_other_network(misfits, tensors.name_map)
        hint = (
            f"It looks like {network}, which is not converted."
            if network
            else "The file may be damaged, of another network, or of another "
            "source."
        )
        raise ConversionError(
            "Every tensor must become a weight and every weight must have a "
            f"tensor; {len(problems)} do not: {_list_first(problems)}. {hint}"
        )


def _list_first(problems):
    more = len(problems) - NAMED
    text = "; ".join(problems[:NAMED])
    return f"{text}; and {more} more" if more > 0 else text


def bad_numbers(tensors):
    """Yields a sentence for each tensor whose numbers can be no weights."""
    for target, name in tensors.used.items():
        array = tensors.array_of(target)
        if array.dtype.kind != "f":
            yield f"{name!r} must hold floats, not {array.dtype}"
        elif not _finite(array):
            yield f"{name!r} holds NaN or infinity"
        elif target.endswith("moving_variance") and array.min(initial=0) < 0:
            yield f"{name!r} holds a negative variance"


def _finite(array):
    """Returns whether all numbers are finite as they will be stored."""
    with np.errstate(over="ignore"):
        return np.isfinite(array.astype(np.float32, copy=False)).all()


def _fits(found, expected, inflate):
    found, expected = tuple(found), tuple(expected)
    if len(expected) == 5 and len(found) == 4:
        flat = (*expected[:2], *expected[3:])
        return found == flat and (inflate or expected[2] == 1)
    if len(expected) == 5 and inflate:
        return found == (*expected[:2], 1, *expected[3:])
    if len(expected) == 2:
        # A product over channels may be stored as a 1x1x1 convolution.
        return found[:2] == expected and math.prod(found[2:]) == 1
    if len(expected) == 1 and len(found) > 1:
        return math.prod(found) == expected[0] == max(found)
    return found == expected


def assign_tensors(model, tensors, fresh, inflation):
    """Assigns every weight of a model once.

    Args:
        model: A `nonlocal_keras.models.VideoClassifier` or a
            `nonlocal_keras.models.MaskRCNN`.
        tensors: `Tensors` that passed `check_tensors`.
        fresh: Tuple of starts of weights that stay as they are.
        inflation: `"repeat"`, `"center"` or `None`.

    Returns:
        The list of the weights that stayed as they are.
    """
    weights = weights_of(model)
    left = [name for name in weights if name not in tensors.used]
    unknown = [name for name in tensors.used if name not in weights]
    missing = [name for name in left if not name.startswith(fresh)]
    if unknown or missing:
        raise ConversionError(
            "The model must have the weights that the tensors tell. Missing "
            f"in the file: {missing[:NAMED]}; in the model: "
            f"{unknown[:NAMED]}. This is a fault of the converters."
        )
    for target in tensors.used:
        weight = weights[target]
        value = to_keras(tensors.array_of(target), weight.shape, inflation)
        weight.assign(keras.ops.convert_to_tensor(value, weight.dtype))
    return left


def to_keras(array, shape, inflation=None):
    """Turns a tensor into the layout of Keras.

    Args:
        array: The tensor, output channels first.
        shape: Tuple, shape of the weight: `(time, height, width, inputs,
            outputs)`, the same without time, `(inputs, outputs)` or one size.
        inflation: How a kernel without time fills a longer one, see
            `nonlocal_keras.models.inflation`. Defaults to `None`, for kernels
            that are as long.

    Returns:
        An array of that shape.
    """
    if len(shape) == 5:
        if array.ndim == 4:
            array = array[:, :, None]
        kernel = np.transpose(array, (2, 3, 4, 1, 0))
        return inflate(kernel, shape[0], inflation)
    if len(shape) == 4:
        # A dense layer on a map has its channels, rows and columns as one.
        array = np.reshape(array, (shape[3], shape[2], *shape[:2]))
        return np.transpose(array, (2, 3, 1, 0))
    if len(shape) == 2:
        return np.reshape(array, array.shape[:2]).T
    return np.reshape(array, -1)


def untrained_blocks(model):
    """Returns the names of the non-local blocks that still are the identity.

    A block starts with a gamma of zero after `W_z` or, where no batch
    normalization follows, with a `W_z` of zero.
    """
    names = []
    for layer in layers_of(model):
        if not isinstance(layer, BaseNonLocal):
            continue
        zero = not np.any(keras.ops.convert_to_numpy(layer.w_z.kernel))
        for scale in ("gamma", "scale"):
            if hasattr(layer.norm, scale):
                values = getattr(layer.norm, scale)
                zero |= not np.any(keras.ops.convert_to_numpy(values))
        if zero:
            names.append(layer.name)
    return names

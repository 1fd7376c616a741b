"""The non-local blocks of a model: where they are, and where they look from.

Blocks are found by their type along the graph of the model, through models
inside of it. On the way the axes of every map are followed, so that each block
knows which frames and pixels of the input its positions lie over.
"""

import collections
import dataclasses

import keras
from absl import logging

from nonlocal_keras.layers.base_non_local import BaseNonLocal
from nonlocal_keras.models import graph
from nonlocal_keras.visualize import layer_axes
from nonlocal_keras.visualize.axes import Axis
from nonlocal_keras.visualize.axes import joined


@dataclasses.dataclass(frozen=True)
class BlockCall:
    """One call of a non-local block by a model.

    Attributes:
        name: String, the name of the layer; where a model has several of that
            name, that of the models around it comes first. A layer that is
            called again is `name#2`.
        layer: The `nonlocal_keras.NonLocal1D`, `2D` or `3D`.
        axes: Tuple of `Axis`, where the positions of the map that the block
            sees lie in the input of the model; `None` if they cannot be told.
        unknown: String, why not. `None` if they can.
    """

    name: str
    layer: BaseNonLocal
    axes: tuple | None
    unknown: str | None = None


def find_blocks(model, input_shape):
    """Returns the calls of non-local blocks of a model, in its order.

    Args:
        model: A functional or sequential `keras.Model` of one input.
        input_shape: Tuple, the shape of an input, batch included.

    Returns:
        List of `BlockCall`.

    Raises:
        ValueError: If the model has no graph, several inputs, no block, or
            one inside a layer whose graph is not known.
    """
    check_model(model)
    functional = graph.unwrap(model)
    blocks = list(_blocks_inside(functional))
    if not blocks:
        raise ValueError(
            "`model` has no non-local block, so that there is no map to show; "
            "put one in with nonlocal_keras.insert_non_local and train it. "
            f"Received: model {model.name!r}"
        )
    first = takes_channels_first(functional)
    start = _Map(_input_axes(input_shape, first))
    walk = _Walk(1 if first else -1)
    walk.through(functional, [start], ())
    hidden = [b for b in blocks if all(b is not c[1] for c in walk.calls)]
    if hidden:
        raise ValueError(
            "`model` must be functional down to its non-local blocks; this "
            "one is called inside a layer or a subclassed model, whose graph "
            f"is not known. Received: model {model.name!r} with the block "
            f"{hidden[0].name!r}"
        )
    if walk.assumed:
        logging.warning(
            "These layers are not known here; as their outputs have as many "
            "positions as their inputs, each is taken to stay where it is: %s",
            ", ".join(sorted(walk.assumed)),
        )
    return _named(walk.calls)


@dataclasses.dataclass(frozen=True)
class _Map:
    """What is known of a tensor: its axes, or why they are not known."""

    axes: tuple | None
    unknown: str | None = None


class _Walk:
    def __init__(self, channel_axis):
        self.calls, self.assumed = [], set()
        self._channel_axis = channel_axis

    def through(self, model, maps, path):
        """Follows maps from the inputs of a model to its outputs."""
        known = dict(zip(map(id, model.inputs), maps))
        for node in graph.calls(model):
            found = [known[id(tensor)] for tensor in node.input_tensors]
            for tensor, out in zip(
                node.output_tensors, self._step(node, found, path)
            ):
                known[id(tensor)] = out
        return [known[id(tensor)] for tensor in model.outputs]

    def _step(self, node, maps, path):
        operation = node.operation
        if isinstance(operation, BaseNonLocal):
            self.calls.append((path, operation, maps[0]))
            # Scores, the second output, are no map of positions.
            return maps[0], _unknown(operation)
        inner = graph.unwrap(operation)
        if isinstance(inner, keras.Model) and hasattr(inner, "operations"):
            return self.through(inner, maps, (*path, operation.name))
        return [self._one(node, maps)] * len(node.output_tensors)

    def _one(self, node, maps):
        layer, told = node.operation, [m for m in maps if m.axes]
        if not told:
            return maps[0] if maps else _unknown(layer)
        rule = layer_axes.find_rule(layer)
        if rule is not None:
            axes = rule(layer, told[0].axes)
            return _Map(tuple(axes)) if axes else _unknown(layer)
        rank = len(node.output_tensors[0].shape)
        keeps = layer_axes.keeps(layer, self._channel_axis, rank)
        ranks = {len(m.axes) for m in told}
        if keeps is False or len(ranks) > 1 or not self._same_sizes(node):
            return _unknown(layer)
        if keeps is None:
            self.assumed.add(f"{layer.name} ({type(layer).__name__})")
        axes = [joined(list(same)) for same in zip(*(m.axes for m in told))]
        return _unknown(layer) if None in axes else _Map(tuple(axes))

    def _same_sizes(self, node):
        """Whether an output has as many positions as one of the inputs."""
        out = tuple(node.output_tensors[0].shape)
        for tensor in node.input_tensors:
            shape = tuple(tensor.shape)
            if len(shape) == 2 and out[:2] == shape:
                return True  # An embedding: channels are new.
            same = len(shape) == len(out)
            if same and self._positions(shape) == self._positions(out):
                return True
        return False

    def _positions(self, shape):
        return shape[1:-1] if self._channel_axis == -1 else shape[2:]


def _unknown(layer):
    return _Map(None, f"{layer.name!r} ({type(layer).__name__})")


def _input_axes(shape, channels_first):
    """The axes of positions of an input; those of indices have no channels."""
    shape = tuple(shape)
    if len(shape) == 2:
        return (Axis(shape[1]),)
    return tuple(map(Axis, shape[2:] if channels_first else shape[1:-1]))


def takes_channels_first(model):
    """Tells whether channels come before positions, as in its blocks."""
    return any(b.data_format == "channels_first" for b in _blocks_inside(model))


def _blocks_inside(model):
    seen = set()
    for layer in model._flatten_layers():
        if isinstance(layer, BaseNonLocal) and id(layer) not in seen:
            seen.add(id(layer))
            yield layer


def _named(calls):
    """Names the calls: as short as they are told apart."""
    layers = {}
    for path, layer, _ in calls:
        layers.setdefault(layer.name, set()).add(id(layer))
    number, found = collections.Counter(), []
    for path, layer, place in calls:
        name = layer.name
        if len(layers[name]) > 1:
            name = "/".join((*path, name))
        number[name] += 1
        if number[name] > 1:
            name = f"{name}#{number[name]}"
        found.append(BlockCall(name, layer, place.axes, place.unknown))
    return found


def check_model(model):
    """Checks that a model has a graph, from one input.

    Args:
        model: Anything.

    Raises:
        ValueError: If it is no such model.
    """
    functional = graph.unwrap(model)
    if not isinstance(model, keras.Model) or not hasattr(
        functional, "operations"
    ):
        raise ValueError(
            "`model` must be a functional keras.Model, or a built Sequential: "
            "a subclassed model has no graph that tells where positions lie. "
            f"Received: model={model!r}"
        )
    if len(functional.inputs) != 1:
        raise ValueError(
            "`model` must have one input. Make one of it: keras.Model(of the "
            f"input to look at, outputs). Received: model {model.name!r} with "
            f"{len(functional.inputs)} inputs"
        )

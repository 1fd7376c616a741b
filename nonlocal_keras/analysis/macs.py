"""Multiply-adds and parameters of a model, counted from its layers.

The convention is that of the paper: one multiply-add is one FLOP; counted are
convolutions, dense layers and the matrix products of the blocks.
Normalization, pooling and activations are not.
"""

import dataclasses
import math

import keras

from nonlocal_keras.layers import GlobalContext2D
from nonlocal_keras.layers.base_non_local import BaseNonLocal
from nonlocal_keras.models import graph

_ONE_KERNEL = (
    keras.layers.Dense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
)
_TRANSPOSED = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)


@dataclasses.dataclass(frozen=True)
class LayerCost:
    """Cost of one layer for one sample.

    Attributes:
        name: String, the name of the layer.
        macs: Integer, the multiply-adds.
        parameters: Integer, the trainable and frozen weights, without the
            statistics of batch normalizations.
        weights_only: Integer, the weights of kernels: no biases and no
            normalization, as the paper counts parameters.
    """

    name: str
    macs: int
    parameters: int
    weights_only: int


def count(model, input_shape=None):
    """Counts multiply-adds and parameters layer by layer.

    Example:

    >>> backbone = nonlocal_keras.models.video_resnet("c2d", depth=50)
    >>> costs = nonlocal_keras.macs.count(backbone)
    >>> round(sum(cost.macs for cost in costs) / 1e9, 1)
    20.2

    Args:
        model: A functional `keras.Model`.
        input_shape: Tuple without the batch, e.g. `(32, 224, 224, 3)`; for a
            model of several inputs a dictionary of such tuples by the names
            of inputs, e.g. `{"images": (800, 1344, 3)}`. Defaults to `None`,
            the shapes the model was built with.

    Returns:
        A list of `LayerCost`, in the order of the layers. What a detector
        computes for each of its boxes is counted for as many of them as it
        takes at most.

    Raises:
        ValueError: If a size is unknown, or the model has a layer with
            kernels that this function cannot count.
    """
    costs, seen = [], set()
    for layer, inputs, outputs in calls(model, input_shape):
        cost = _cost(layer, inputs, outputs)
        if id(layer) in seen:  # shared: computed again, stored once
            cost = dataclasses.replace(cost, parameters=0, weights_only=0)
        seen.add(id(layer))
        costs.append(cost)
    return costs


def calls(model, input_shape=None):
    """Lists the calls of layers with their shapes for one sample.

    Args:
        model: A functional `keras.Model`; models in it are entered.
        input_shape: As for `count`, without the batch, which counts as 1.

    Returns:
        List of tuples `(layer, input shape, output shape)`, of the first
        input and output of a layer that has several.

    Raises:
        ValueError: If a size is unknown.
    """
    shapes = _input_shapes(model, input_shape)
    for shape in shapes:
        if None in shape:
            raise ValueError(
                "`input_shape` must be given for a model with unknown sizes. "
                f"Received: {shape}"
            )
    found = []
    _walk(model, [(1, *shape) for shape in shapes], found)
    return found


def total(costs):
    """Adds up the costs of layers.

    Args:
        costs: List of `LayerCost`.

    Returns:
        A `LayerCost` of the name `"total"`.
    """
    return LayerCost(
        "total",
        sum(cost.macs for cost in costs),
        sum(cost.parameters for cost in costs),
        sum(cost.weights_only for cost in costs),
    )


def _input_shapes(model, given):
    """Returns the shape of every input of a model, without the batch."""
    inputs = graph.unwrap(model).inputs
    if given is not None and not isinstance(given, dict):
        if len(inputs) > 1:
            names = [tensor.name for tensor in inputs]
            raise ValueError(
                "`input_shape` of a model of several inputs must be a "
                f"dictionary of shapes by names out of {names}. Received: "
                f"input_shape={given}"
            )
        return [tuple(given)]
    given = given or {}
    return [tuple(given.get(x.name, x.shape[1:])) for x in inputs]


def _walk(model, input_shapes, found):
    """Passes shapes through the graph, and returns those of the outputs."""
    model = graph.unwrap(model)
    shapes = dict(zip(map(id, model.inputs), input_shapes, strict=True))
    for node in graph.calls(model):
        operation = node.operation
        inputs = [shapes[id(tensor)] for tensor in node.input_tensors]
        if hasattr(operation, "operations"):
            outputs = _walk(operation, inputs, found)
        else:
            outputs = _output_shapes(node, shapes)
            found.append((operation, inputs[0], outputs[0]))
        shapes |= zip(map(id, node.output_tensors), outputs, strict=True)
    return [shapes[id(tensor)] for tensor in model.outputs]


def _output_shapes(node, shapes):
    """Returns the shapes of the outputs of a layer, for shapes of tensors."""

    def with_shape(value):
        if not isinstance(value, keras.KerasTensor):
            return value
        return keras.KerasTensor(shapes[id(value)], value.dtype)

    arguments = node.arguments
    args, kwargs = keras.tree.map_structure(
        with_shape, (arguments.args, arguments.kwargs)
    )
    outputs = node.operation.compute_output_spec(*args, **kwargs)
    return [tuple(tensor.shape) for tensor in keras.tree.flatten(outputs)]


def _cost(layer, input_shape, output_shape):
    statistics = ("moving_mean", "moving_variance")
    # An operation of `keras.ops` has none.
    variables = getattr(layer, "weights", ())
    parameters = sum(
        math.prod(w.shape) for w in variables if w.name not in statistics
    )
    weights = sum(
        math.prod(w.shape)
        for w in variables
        if w.name.endswith("kernel") or w.name == "w_f"
    )
    if isinstance(layer, BaseNonLocal):
        macs = _non_local_macs(layer, input_shape)
    elif isinstance(layer, GlobalContext2D):
        macs = _global_context_macs(layer, input_shape)
    elif isinstance(layer, _ONE_KERNEL):
        # Each output value reads one column of the kernel.
        macs = math.prod(output_shape) * math.prod(layer.kernel.shape[:-1])
    elif isinstance(layer, _TRANSPOSED):
        # Each input value meets the weights of its channel; outputs come
        # before inputs in the shape of such a kernel.
        macs = math.prod(input_shape) * math.prod(layer.kernel.shape[:-1])
    elif isinstance(layer, keras.layers.EinsumDense):
        macs = math.prod(output_shape) * _summed(layer)
    elif weights:
        raise ValueError(
            "Multiply-adds can be counted for convolutions, dense and "
            "non-local layers. Received a layer of type "
            f"{type(layer).__name__}: {layer.name!r}"
        )
    else:
        macs = 0
    return LayerCost(layer.name, int(macs), int(parameters), int(weights))


def _summed(layer):
    """Returns the products that an output value of an einsum is the sum of."""
    operands, _, output = layer.equation.partition("->")
    axes = zip(operands.partition(",")[2], layer.kernel.shape, strict=True)
    return math.prod(size for axis, size in axes if axis not in output)


def _non_local_macs(layer, input_shape):
    sets, queries, keys = count_positions(layer, input_shape)
    pairs = sets * queries * keys
    queries, keys = sets * queries, sets * keys
    channels, width = input_shape[layer._channel_axis], layer.g.units
    projected = keys if layer.pool_first else queries
    # g, W_z and the weighted sum of g.
    macs = (projected + queries) * channels * width + pairs * width
    if layer.pairwise == "gaussian":
        return macs + pairs * channels
    macs += (queries + projected) * channels * width  # theta and phi
    if layer.pairwise == "concatenation":
        return macs + (queries + keys) * width
    return macs + pairs * width


def _global_context_macs(layer, input_shape):
    # Two products over the positions, the rest on one vector.
    macs = sum(
        math.prod(w.shape) for w in layer.weights if w.name.endswith("kernel")
    )
    if layer.pooling == "average":
        return macs
    channels = input_shape[layer._channel_axis]
    return macs - channels + 2 * math.prod(input_shape[1:])


def count_positions(layer, input_shape):
    """Counts the positions of a non-local block, for one sample.

    Args:
        layer: A non-local layer.
        input_shape: Tuple `(1, *positions, channels)`, in the data format of
            the layer.

    Returns:
        Tuple of Integers: the sets of positions that attend to each other,
        and the queries and the keys of one set.
    """
    _, scores = layer.compute_output_spec(
        keras.KerasTensor(input_shape), return_attention_scores=True
    )
    *sets, queries, keys = scores.shape[1:]
    return math.prod(sets), queries, keys

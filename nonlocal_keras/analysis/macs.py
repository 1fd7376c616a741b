"""Multiply-adds and parameters of a model, counted from its layers.

The convention is that of the paper: one multiply-add is one FLOP; counted are
convolutions, dense layers and the two matrix products of a non-local block.
Normalization, pooling and activations are not.
"""

import dataclasses
import math

import keras

from nonlocal_keras.layers.base_non_local import BaseNonLocal
from nonlocal_keras.models import graph

_ONE_KERNEL = (
    keras.layers.Dense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
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
        input_shape: Tuple without the batch, e.g. `(32, 224, 224, 3)`.
            Defaults to `None`, the shape the model was built with.

    Returns:
        A list of `LayerCost`, in the order of the layers.

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
        input_shape: Tuple without the batch, which counts as 1. Defaults to
            `None`, the shape the model was built with.

    Returns:
        List of tuples `(layer, input shape, output shape)`.

    Raises:
        ValueError: If a size is unknown.
    """
    shape = tuple(input_shape or model.input_shape[1:])
    if None in shape:
        raise ValueError(
            "`input_shape` must be given for a model with unknown sizes. "
            f"Received: {shape}"
        )
    found = []
    _walk(model, (1, *shape), found)
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


def _walk(model, input_shape, found):
    """Passes shapes through the graph, and returns the output shape."""
    model = graph.unwrap(model)
    shapes = {id(model.inputs[0]): input_shape}
    for node in graph.calls(model):
        operation = node.operation
        inputs = [shapes[id(tensor)] for tensor in node.input_tensors]
        if hasattr(operation, "operations"):
            shape = _walk(operation, inputs[0], found)
        else:
            shape = _output_shape(operation, inputs)
            found.append((operation, inputs[0], shape))
        shapes[id(node.output_tensors[0])] = shape
    return shapes[id(model.outputs[0])]


def _output_shape(layer, inputs):
    tensors = [keras.KerasTensor(shape) for shape in inputs]
    arguments = tensors[0] if len(tensors) == 1 else tensors
    return tuple(layer.compute_output_spec(arguments).shape)


def _cost(layer, input_shape, output_shape):
    statistics = ("moving_mean", "moving_variance")
    parameters = sum(
        math.prod(w.shape) for w in layer.weights if w.name not in statistics
    )
    weights = sum(
        math.prod(w.shape)
        for w in layer.weights
        if w.name.endswith("kernel") or w.name == "w_f"
    )
    if isinstance(layer, BaseNonLocal):
        macs = _non_local_macs(layer, input_shape)
    elif isinstance(layer, _ONE_KERNEL):
        # Each output value reads one column of the kernel.
        macs = math.prod(output_shape) * math.prod(layer.kernel.shape[:-1])
    elif weights:
        raise ValueError(
            "Multiply-adds can be counted for convolutions, dense and "
            "non-local layers. Received a layer of type "
            f"{type(layer).__name__}: {layer.name!r}"
        )
    else:
        macs = 0
    return LayerCost(layer.name, int(macs), int(parameters), int(weights))


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

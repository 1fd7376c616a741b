"""Memory of the non-local operation, with and without its matrix."""

import dataclasses
import math

import keras

from nonlocal_keras.analysis import macs
from nonlocal_keras.layers.non_local import BaseNonLocal
from nonlocal_keras.ops import relu_sum
from nonlocal_keras.ops import softmax_mean
from nonlocal_keras.ops import weighted_sum
from nonlocal_keras.ops.pairwise import SOFTMAX_FORMS


@dataclasses.dataclass(frozen=True)
class BlockMemory:
    """Largest intermediate values of one block for one sample, forward.

    Attributes:
        name: The name of the layer.
        queries: Queries in each set of positions.
        keys: Keys in each set of positions.
        matrix: Bytes of the affinities of all sets.
        streamed: Bytes of what takes their place.
        implementation: What the layer uses, `"matrix"` or `"streamed"`.
    """

    name: str
    queries: int
    keys: int
    matrix: int
    streamed: int
    implementation: str


def memory_estimate(model, input_shape=None):
    """Prints what each non-local block takes in both forms.

    It counts from the shapes: the affinities in the matrix form; in the
    streamed form a tile of them (softmax), a product of channels (dot
    product) or the running sums (concatenation). Inputs and outputs of the
    operation are the same in both and are not counted.

    Example:

    >>> backbone = nonlocal_keras.models.video_resnet(
    ...     "i3d", depth=50, non_local=5
    ... )
    >>> blocks = nonlocal_keras.memory_estimate(backbone, (32, 224, 224, 3))

    Args:
        model: A functional `keras.Model`.
        input_shape: Tuple without the batch, e.g. `(32, 224, 224, 3)`. `None`
            for the shape the model was built with.

    Returns:
        A list of `BlockMemory`, in the order of the layers.

    Raises:
        ValueError: If a size is unknown.
    """
    blocks = [
        _block(layer, shape)
        for layer, shape, _ in macs.calls(model, input_shape)
        if isinstance(layer, BaseNonLocal)
    ]
    print(f"{'block':<24}{'queries x keys':>16}{'matrix':>12}{'streamed':>12}")
    for block in blocks:
        sizes = f"{block.queries} x {block.keys}"
        matrix, streamed = _megabytes(block.matrix), _megabytes(block.streamed)
        print(
            f"{block.name:<24}{sizes:>16}{matrix:>12}{streamed:>12}  "
            f"uses {block.implementation}"
        )
    return blocks


def _block(layer, input_shape):
    _, scores = layer.compute_output_spec(
        keras.KerasTensor(input_shape), return_attention_scores=True
    )
    *groups, queries, keys = scores.shape[1:]
    sets, width = math.prod(groups), layer.g.units
    channels = input_shape[layer._channel_axis]
    channels = channels if layer.pairwise == "gaussian" else width
    if layer.pairwise in SOFTMAX_FORMS:
        # Logits and weights of one tile of one set.
        streamed = 2 * softmax_mean.tile_rows(queries, keys) * keys
    elif layer.pairwise == "dot_product":
        streamed = sets * channels * width
    else:
        # Values and moments: sorted, summed up, and one row per query.
        padded = (keys // relu_sum.BLOCK + 1) * relu_sum.BLOCK
        streamed = sets * 2 * width * (keys + padded + queries)
    implementation = layer.implementation
    if implementation == "auto":
        implementation = weighted_sum.choose(
            layer.pairwise, queries, keys, channels, width
        )
    size = 8 if scores.dtype == "float64" else 4
    matrix = sets * queries * keys
    return BlockMemory(
        layer.name,
        queries,
        keys,
        size * matrix,
        size * streamed,
        implementation,
    )


def _megabytes(size):
    return f"{size / 1e6:.1f} MB"

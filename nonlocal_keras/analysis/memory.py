"""Memory of the non-local operation, with and without its matrix."""

import dataclasses

from nonlocal_keras.analysis import macs
from nonlocal_keras.layers.base_non_local import BaseNonLocal
from nonlocal_keras.ops import relu_sum
from nonlocal_keras.ops import softmax_mean
from nonlocal_keras.ops import weighted_sum
from nonlocal_keras.ops.pairwise import SOFTMAX_FORMS


@dataclasses.dataclass(frozen=True)
class BlockMemory:
    """Largest intermediate values of one block for one sample, forward.

    Attributes:
        name: String, the name of the layer.
        queries: Integer, queries in each set of positions.
        keys: Integer, keys in each set of positions.
        matrix: Integer, bytes of the affinities of all sets.
        streamed: Integer, bytes of what takes their place.
        implementation: String, what the layer uses, `"matrix"` or
            `"streamed"`.
    """

    name: str
    queries: int
    keys: int
    matrix: int
    streamed: int
    implementation: str


class MemoryEstimate(list):
    """A list of `BlockMemory` that reads as a table."""

    def __repr__(self):
        lines = [("block", "queries x keys", "matrix", "streamed", "")]
        for block in self:
            lines.append(
                (
                    block.name,
                    f"{block.queries} x {block.keys}",
                    f"{block.matrix / 1e6:.1f} MB",
                    f"{block.streamed / 1e6:.1f} MB",
                    f"  uses {block.implementation}",
                )
            )
        return "\n".join(
            f"{name:<24}{sizes:>16}{matrix:>12}{streamed:>12}{used}"
            for name, sizes, matrix, streamed, used in lines
        )


def memory_estimate(model, input_shape=None):
    """Estimates what each non-local block takes in both forms.

    It counts from the shapes: the affinities in the matrix form; in the
    streamed form a tile of them (softmax), a product of channels (dot
    product) or the running sums (concatenation). Inputs and outputs of the
    operation are the same in both and are not counted.

    Example:

    >>> backbone = nonlocal_keras.models.video_resnet(
    ...     "i3d", depth=50, non_local={"res3": (1,), "res4": (3,)}
    ... )
    >>> print(nonlocal_keras.memory_estimate(backbone, (32, 224, 224, 3)))
    block                     queries x keys      matrix    streamed
    nonlocal_res3_1               3136 x 784      9.8 MB      2.8 MB  uses matrix
    nonlocal_res4_3                784 x 196      0.6 MB      0.6 MB  uses matrix

    Args:
        model: A functional `keras.Model`.
        input_shape: Tuple without the batch, e.g. `(32, 224, 224, 3)`.
            Defaults to `None`, the shape the model was built with.

    Returns:
        A `MemoryEstimate`: the list of a `BlockMemory` for each block, in the
        order of the layers, which prints as a table.

    Raises:
        ValueError: If a size is unknown.
    """  # noqa: E501
    return MemoryEstimate(
        _block(layer, shape)
        for layer, shape, _ in macs.calls(model, input_shape)
        if isinstance(layer, BaseNonLocal)
    )


def _block(layer, input_shape):
    sets, queries, keys = macs.count_positions(layer, input_shape)
    width = layer.g.units
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
    # Scores are in float32 at least.
    size = 8 if layer.compute_dtype == "float64" else 4
    matrix = sets * queries * keys
    return BlockMemory(
        layer.name,
        queries,
        keys,
        size * matrix,
        size * streamed,
        implementation,
    )

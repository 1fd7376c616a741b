"""Features of boxes by bilinear interpolation, from one or several maps."""

import math

import numpy as np
from keras import ops

from nonlocal_keras.ops import boxes as box_ops
from nonlocal_keras.ops import roi_windows
from nonlocal_keras.ops.backend import add_rows
from nonlocal_keras.ops.backend import over_tiles
from nonlocal_keras.ops.backend import with_gradient

# Numbers that are gathered at a time, 32 MB in float32. The gradient copies its
# sum with every tile, so that smaller ones take longer.
_TILE = 1 << 23


def roi_align(
    features,
    boxes,
    strides,
    output_size,
    sampling_ratio=2,
    aligned=False,
    shrink=0.0,
):
    """Returns a small map of features for each box.

    Each cell of the small map is the mean of some points, in rows and columns,
    of the level that `find_levels` says, each interpolated between four
    positions. What lies more than a position outside of the level is zero.

    Args:
        features: List of float tensors `(batch, height, width, channels)`,
            the finest level first.
        boxes: float32 tensor `(batch, n, 4)`, in pixels of the image; `n` is
            above zero, and static but for TensorFlow without XLA. They have
            no gradient.
        strides: Tuple of Integers, pixels per position of each level, powers
            of 2.
        output_size: Integer, rows and columns of the small map.
        sampling_ratio: Integer, points per row and column of a cell, or
            `None` for as many as it is positions high and wide, rounded up.
            Defaults to `2`.
        aligned: Boolean, whether the center of the first position is half a
            position from the border of the image, as that of its pixels is.
            Without it, as in the first release of Mask R-CNN, features are
            read half a position too far, and boxes are at least one position
            wide. Defaults to `False`.
        shrink: Float, pixels by which boxes end earlier, on the right and at
            the bottom, where their features are read; their level is that of
            the whole box. Defaults to `0.0`.

    Returns:
        Tensor `(batch * n, output_size, output_size, channels)`, of the dtype
        of the features.

    Reference:

    - [He et al., 2017, section 3](https://arxiv.org/abs/1703.06870)
    """
    levels = find_levels(boxes, strides)
    boxes = boxes - ops.convert_to_tensor([0.0, 0.0, shrink, shrink])
    if sampling_ratio is None:
        return roi_windows.pool_windows(
            features, boxes, levels, strides, output_size, aligned
        )
    n, channels, cells = ops.shape(boxes)[1], features[0].shape[-1], output_size
    taps = 2 * cells * sampling_ratio
    chunks, size = roi_windows.tiles(n, _TILE // (taps**2 * channels))
    boxes, levels = roi_windows.fill(chunks * size - n, boxes, levels)

    rows, columns, vertical, horizontal = _places(
        features,
        boxes,
        levels,
        strides,
        output_size,
        sampling_ratio,
        aligned,
    )
    positions = ops.concatenate(
        [ops.reshape(f, (ops.shape(f)[0], -1, channels)) for f in features],
        axis=1,
    )
    # Each image has its positions after those of the one before.
    per_image = ops.shape(positions)[1]
    image = ops.arange(ops.shape(boxes)[0], dtype="int32")[:, None, None]
    rows = rows + image * per_image
    positions = ops.reshape(positions, (-1, channels))
    reads = [ops.cast(w, positions.dtype) for w in (vertical, horizontal)]
    reads = [
        ops.reshape(x, (-1, size, *x.shape[2:]))  # (batch * chunks, size, ...)
        for x in (*reads, rows, columns)
    ]
    y = _read(positions, tuple(map(ops.stop_gradient, reads)))
    shape = (cells, cells, channels)
    y = ops.reshape(y, (-1, chunks * size, *shape))[:, :n]
    return ops.reshape(y, (-1, *shape))


def _read(positions, reads):
    """Returns the cells of boxes, tile by tile.

    The gradient keeps nothing of the size of what is read: derivatives of
    what is linear need no values.

    Args:
        positions: Tensor `(positions, channels)`.
        reads: Tuple of tensors `(tiles, size, ...)`, see `_places`.

    Returns:
        Tensor `(tiles, size, cells, cells, channels)`.
    """

    def forward(positions):
        return (_gather(positions, reads),)

    def backward(positions, y, dy):
        return (_scatter(dy, reads, positions),)

    def second(positions, dy, weight):
        # Of the gradient, which is linear in `dy` alone.
        return ops.zeros_like(positions), _gather(weight, reads)

    return with_gradient(forward, backward, second)(positions)


def _gather(positions, reads):
    """Returns the weighted means of the positions that boxes read."""
    channels = positions.shape[-1]

    def tile(_, tensors):
        vertical, horizontal, rows, columns = tensors
        size, cells = vertical.shape[:2]
        index = rows[:, :, None] + columns[:, None, :]
        x = ops.take(positions, index, axis=0)  # (size, taps, taps, C)
        # Bilinear weights are products: rows first, then columns.
        x = ops.reshape(x, (size, cells, -1, columns.shape[1] * channels))
        x = ops.matmul(vertical[:, :, None], x)
        x = ops.reshape(x, (size, cells, cells, -1, channels))
        x = ops.matmul(horizontal[:, None, :, None], x)
        return (), (ops.reshape(x, (size, cells, cells, channels)),)

    # The first has the dtype of what `tile` returns, as `over_tiles` asks.
    return over_tiles(tile, (), reads)[1][0]


def _scatter(dy, reads, positions):
    """Returns what each position gets of `dy`: the transpose of `_gather`."""
    channels = dy.shape[-1]

    def tile(carry, tensors):
        dy, vertical, horizontal, rows, columns = tensors
        size, cells = vertical.shape[:2]
        index = rows[:, :, None] + columns[:, None, :]
        # Products of matrices: broadcasting so many axes is slow.
        dx = ops.matmul(horizontal[:, None, ..., None], dy[:, :, :, None])
        dx = ops.reshape(dx, (size, cells, 1, -1))
        dx = ops.matmul(vertical[..., None], dx)
        dx = ops.reshape(dx, (-1, channels))  # (size * taps * taps, C)
        index = ops.reshape(index, (-1, 1))
        return (add_rows(carry[0], index, dx),), ()

    zeros = ops.zeros_like(positions)
    (dx,), _ = over_tiles(tile, (zeros,), (dy, *reads), outputs=0)
    return dx


def find_levels(boxes, strides, canonical_size=224, canonical_level=4):
    """Returns the index of the level of each box: large ones, coarse levels.

    Args:
        boxes: float32 tensor `(..., 4)`.
        strides: Tuple of Integers, pixels per position of each level.
        canonical_size: Integer, side of a square box that belongs to the
            canonical level. Defaults to `224`.
        canonical_level: Integer, the level of stride `2**canonical_level`.
            Defaults to `4`.

    Returns:
        int32 tensor `(...)`.

    Reference:

    - [Lin et al., 2017, equation 1](https://arxiv.org/abs/1612.03144)
    """
    first, last = (int(math.log2(s)) for s in (strides[0], strides[-1]))
    side = ops.sqrt(ops.maximum(box_ops.areas(boxes), 0.0))
    # A box of exactly twice the size must not stay below by rounding.
    level = canonical_level + ops.log2(side / canonical_size) + 1e-6
    level = ops.clip(ops.floor(level), first, last)
    return ops.cast(level, "int32") - first


def _places(
    features, boxes, levels, strides, output_size, sampling_ratio, aligned
):
    """Returns what each box reads, and the weights of it.

    Returns:
        Two int32 tensors `(batch, n, taps)`, the index of the first position
        of each row and the columns, those of a cell after each other, and two
        float32 tensors `(batch, n, output_size, taps / output_size)`, the
        weights of both.
    """
    heights = [ops.shape(f)[1] for f in features]
    widths = [ops.shape(f)[2] for f in features]
    starts = [0]
    for height, width in zip(heights[:-1], widths[:-1]):
        starts.append(starts[-1] + height * width)

    def of_level(values, dtype="int32"):
        values = ops.convert_to_tensor(values, dtype)
        return ops.take(values, levels, axis=0)[..., None]

    scale = of_level(1.0 / np.array(strides), "float32")
    x1, y1, x2, y2 = ops.split(boxes * scale, 4, axis=-1)
    options = (output_size, sampling_ratio, aligned)
    width = of_level(widths)
    rows, vertical = _taps(y1, y2, of_level(heights), *options)
    columns, horizontal = _taps(x1, x2, width, *options)
    return of_level(starts) + rows * width, columns, vertical, horizontal


def _taps(start, end, length, output_size, sampling_ratio, aligned):
    """Returns the positions along an axis that boxes read, and the weights.

    Args:
        start: float32 tensor `(..., 1)`, in positions.
        end: float32 tensor `(..., 1)`.
        length: int32 tensor `(..., 1)`, of the axis.
        output_size: As for `roi_align`.
        sampling_ratio: As for `roi_align`.
        aligned: As for `roi_align`.

    Returns:
        int32 tensor `(..., taps)` and float32 tensor `(..., output_size, taps
        / output_size)`.
    """
    size = end - start
    if aligned:
        start = start - 0.5
    else:
        size = ops.maximum(size, 1.0)
    step = size / output_size
    points = np.arange(output_size * sampling_ratio)
    cell = ops.convert_to_tensor(points // sampling_ratio, "float32")
    point = ops.convert_to_tensor(points % sampling_ratio + 0.5, "float32")
    x = start + cell * step + point * step / sampling_ratio  # (..., points)
    last = ops.cast(length - 1, "float32")
    inside = ops.cast((x >= -1.0) & (x <= last + 1.0), "float32")
    x = ops.minimum(ops.maximum(x, 0.0), last)
    low = ops.floor(x)
    above = x - low
    weights = ops.stack([1.0 - above, above], axis=-1) * inside[..., None]
    both = ops.stack([low, ops.minimum(low + 1.0, last)], axis=-1)
    both = ops.cast(both, "int32")  # (..., points, 2)
    some = (-1, ops.shape(start)[1])
    return (
        ops.reshape(both, (*some, 2 * len(points))),
        # A cell is the mean of its points.
        ops.reshape(
            weights / sampling_ratio, (*some, output_size, 2 * sampling_ratio)
        ),
    )

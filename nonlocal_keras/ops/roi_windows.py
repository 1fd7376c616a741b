"""RoIAlign with as many points as a box has positions.

Points lie at most a position apart, so that a box reads each position of a
window, and a static number of points would do for none but square boxes. What
is static is the number of positions of a window: boxes that have many belong
to a coarser level.
"""

import math

import numpy as np
from keras import ops

from nonlocal_keras.ops.backend import over_tiles

# Numbers that are gathered at a time, as in `roi_align`.
_TILE = 1 << 22
# A box with the area of as many positions squared belongs to a coarser level.
_LARGEST_SIDE = 28
# Points of a cell that may lie within a position of another, one to spare.
_NEAR = 6


def pool_windows(features, boxes, levels, strides, output_size, aligned):
    """Returns a small map of features for each box, see `roi_align`.

    Args:
        features: As for `roi_align`.
        boxes: As for `roi_align`.
        levels: int32 tensor `(batch, n)`, the level of each box, whose sides
            are below `_LARGEST_SIDE` positions in the mean but for the
            coarsest level.
        strides: As for `roi_align`.
        output_size: As for `roi_align`.
        aligned: As for `roi_align`.

    Returns:
        As `roi_align`.
    """
    n, channels, cells = ops.shape(boxes)[1], features[0].shape[-1], output_size
    sizes = [tuple(ops.shape(f)[1:3]) for f in features]
    longest, most = _largest_window(sizes)
    usual = (_LARGEST_SIDE + 2) ** 2
    chunks, size = tiles(n, _TILE // (usual * channels))
    boxes, levels = fill(chunks * size - n, boxes, levels)

    def of_level(values, dtype="int32"):
        return ops.take(ops.convert_to_tensor(values, dtype), levels, axis=0)

    positions = ops.concatenate(
        [ops.reshape(f, (ops.shape(f)[0], -1, channels)) for f in features],
        axis=1,
    )
    # Each image has its positions after those of the one before.
    image = ops.arange(ops.shape(boxes)[0], dtype="int32")[:, None]
    starts = [0]
    for height, width in sizes[:-1]:
        starts.append(starts[-1] + height * width)
    starts = of_level(starts) + image * ops.shape(positions)[1]
    positions = ops.reshape(positions, (-1, channels))
    scale = of_level(1.0 / np.array(strides), "float32")
    whole = [starts] + [of_level(side) for side in zip(*sizes)]

    def tile(_, tensors):
        boxes, scale, whole = tensors
        starts, heights, widths = ops.unstack(whole, 3, axis=-1)
        x1, y1, x2, y2 = ops.unstack(boxes * scale[:, None], 4, axis=-1)
        options = (cells, aligned, longest)
        top, rows, vertical = _axis(y1, y2, heights, *options)
        left, columns, horizontal = _axis(x1, x2, widths, *options)
        place = ops.arange(most, dtype="int32")[None]  # (1, positions)
        row = place // columns[:, None]
        column = place - row * columns[:, None]
        inside = row < rows[:, None]
        row = ops.minimum(row, rows[:, None] - 1)
        index = (top[:, None] + row) * widths[:, None] + left[:, None] + column
        x = ops.take(positions, starts[:, None] + index, axis=0)
        vertical = ops.take_along_axis(vertical, row[:, None], axis=2)
        horizontal = ops.take_along_axis(horizontal, column[:, None], axis=2)
        weights = vertical[:, :, None] * horizontal[:, None]
        weights *= ops.cast(inside, "float32")[:, None, None]
        weights = ops.reshape(weights, (size, cells**2, -1))
        y = ops.matmul(ops.cast(weights, x.dtype), x)
        y = ops.reshape(ops.cast(y, "float32"), (size, cells, cells, channels))
        # Of the dtype of the first tensor, as `over_tiles` asks.
        return (), (y,)

    tensors = (boxes, scale[..., None], ops.stack(whole, axis=-1))
    tensors = [ops.reshape(x, (-1, size, x.shape[-1])) for x in tensors]
    tensors[1] = tensors[1][..., 0]
    _, (y,) = over_tiles(tile, (), tuple(tensors))
    shape = (cells, cells, channels)
    y = ops.reshape(y, (-1, chunks * size, *shape))[:, :n]
    return ops.cast(ops.reshape(y, (-1, *shape)), features[0].dtype)


def tiles(n, most):
    """Returns into how many tiles boxes fall, and how many are in each.

    Args:
        n: Integer or scalar tensor, number of boxes.
        most: Integer, boxes in a tile; at least one is.

    Returns:
        Integer, or a scalar tensor where `n` is one, and Integer.
    """
    most = max(1, most)
    if not isinstance(n, int):
        return (n + most - 1) // most, most
    count = math.ceil(n / most)
    return count, math.ceil(n / count)


def fill(missing, boxes, levels):
    """Returns boxes `(batch, n, 4)` and levels, and so many more of zeros."""
    if isinstance(missing, int) and missing == 0:
        return boxes, levels
    widths = ((0, 0), (0, missing))
    return ops.pad(boxes, (*widths, (0, 0))), ops.pad(levels, widths)


def _largest_window(sizes):
    """Returns how long and how large the window of a box may be.

    Args:
        sizes: List of the heights and widths of the levels.

    Returns:
        Two Integers or scalar tensors, positions along an axis and of the
        window.
    """

    def largest(values):
        if all(isinstance(value, int) for value in values):
            return max(values)
        return ops.max(ops.stack([ops.cast(v, "int32") for v in values]))

    def smaller(one, other):
        if isinstance(one, int):
            return min(one, other)
        return ops.minimum(ops.cast(one, "int32"), other)

    longest = largest([side for size in sizes for side in size])
    # A box of h x w positions touches less than (h + 3)(w + 3); with a given
    # area most where it is as long as the map, and at least one high.
    area = _LARGEST_SIDE**2
    most = area + 3 * (longest + area // _LARGEST_SIDE) + 10
    areas = [height * width for height, width in sizes]
    fine = [smaller(number, most) for number in areas[:-1]]
    return longest, largest([*fine, areas[-1]])


def _axis(start, end, length, cells, aligned, longest):
    """Returns what boxes read along an axis, and the weights of it.

    Args:
        start: float32 tensor `(n,)`, in positions.
        end: float32 tensor `(n,)`.
        length: int32 tensor `(n,)`, of the axis.
        cells: Integer, of the small map.
        aligned: Boolean.
        longest: Integer or scalar tensor, the longest axis.

    Returns:
        Two int32 tensors `(n,)`, the first position and their number, and a
        float32 tensor `(n, cells, longest)`, the weights from there on.
    """
    extent = end - start
    if aligned:
        start = start - 0.5
    else:
        extent = ops.maximum(extent, 1.0)
    last = ops.cast(length - 1, "float32")
    first = ops.clip(ops.floor(start), 0.0, last)
    final = ops.clip(ops.floor(start + extent) + 1.0, 0.0, last)
    step = extent / cells
    points = ops.ceil(step)  # of each cell
    gap = (step / ops.maximum(points, 1.0))[:, None, None, None]
    # (n, cells, longest, near)
    cell = ops.arange(cells, dtype="float32")[:, None, None]
    here = ops.arange(longest, dtype="float32")[:, None]
    here = here + first[:, None, None, None]
    begin = start[:, None, None, None] + cell * step[:, None, None, None]
    last = last[:, None, None, None]
    # The first point that is less than a position before, or one earlier.
    number = ops.floor((here - 1.0 - begin) / ops.maximum(gap, 1e-6) - 0.5)
    number = ops.maximum(number, 0.0) + ops.arange(_NEAR, dtype="float32")
    x = begin + (number + 0.5) * gap
    counts = number < points[:, None, None, None]
    counts = counts & (x >= -1.0) & (x <= last + 1.0)
    x = ops.minimum(ops.maximum(x, 0.0), last)
    weights = ops.maximum(1.0 - ops.abs(x - here), 0.0)
    weights = ops.sum(ops.where(counts, weights, 0.0), axis=-1)
    weights = weights / ops.maximum(points, 1.0)[:, None, None]
    return (
        ops.cast(first, "int32"),
        ops.cast(final - first, "int32") + 1,
        weights,
    )

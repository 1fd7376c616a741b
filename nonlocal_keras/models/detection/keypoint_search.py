"""The maxima of heat maps that are resized to boxes, with static shapes.

`postprocessing.find_keypoints` resizes each map to the pixels of its box and
looks at all of them. Here as many values are computed for every box, so that
the search can be a part of a graph: first those of a grid of pixels, then
those of the pixels around the best one.
"""

import math

import numpy as np
from keras import ops

from nonlocal_keras.ops.backend import over_tiles

# Pixels of the grid per position of a map, along an axis.
_PER_POSITION = 2
# Of the cubic kernel of Keys, as in PyTorch and OpenCV, and the positions that
# it reaches to either side.
_CUBIC, _REACH = -0.75, 2
# Peaks of the grid that are followed up.
_CANDIDATES = 4
_LOW = -3e38


def find_keypoints(maps, boxes, longest):
    """Returns the maxima of heat maps that are resized to their boxes.

    In boxes of at most two pixels per position of a map, the grid is all
    pixels. In larger ones a maximum may be missed that is narrower than a
    position.

    Args:
        maps: float32 tensor `(batch, n, size, size, keypoints)` of logits.
        boxes: float32 tensor `(batch, n, 4)`.
        longest: Integer, pixels of the longest side that a box may have.

    Returns:
        float32 tensor `(batch, n, keypoints, 2)` of x and y in the pixels of
        the boxes, and float32 tensor `(batch, n, keypoints)`, the logits
        there.
    """

    def tile(_, tensors):
        return (), _of_image(*tensors, longest)

    tensors = tuple(map(ops.convert_to_tensor, (maps, boxes)))
    # An image at a time, since the grids of 100 boxes take 100 MB.
    return over_tiles(tile, (), tensors, outputs=2)[1]


def _of_image(maps, boxes, longest):
    size = maps.shape[1]
    grid = _PER_POSITION * size
    lengths = ops.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)
    counts = ops.ceil(lengths)[:, None]  # (n, 1, 2), the pixels along x and y
    # The kernel sees the border continued.
    border = np.clip(np.arange(-_REACH, size + _REACH), 0, size - 1)
    border = ops.convert_to_tensor(border, "int32")
    maps = ops.take(ops.take(maps, border, axis=1), border, axis=2)
    places, scores = _peaks_of_grid(maps, counts, size, grid)
    if longest > grid:
        reach = math.ceil(longest / grid)
        places, scores = _best_around(maps, counts, size, places, reach)
    scores, best = _maximum(scores)
    pixels = ops.take_along_axis(places, best[..., None], axis=2)[:, :, 0]
    # A maximum lies in the middle of a pixel, of about the size of one.
    step = lengths[:, None] / counts
    return (pixels + 0.5) * step + boxes[:, None, :2], scores[..., 0]


def _peaks_of_grid(maps, counts, size, grid):
    """Looks at `grid` pixels of each axis, evenly, or at all of them.

    Returns:
        float32 tensor `(n, keypoints, candidates, 2)` of the x and y of the
        highest peaks, and their values `(n, keypoints, candidates)`.
    """
    n, padded, _, keypoints = maps.shape
    index = ops.arange(grid, dtype="float32")[:, None]
    pixels = ops.where(
        counts > grid,
        ops.floor((index + 0.5) * counts / grid),
        ops.minimum(index, counts - 1.0),
    )  # (n, grid, 2)
    along_x, along_y = ops.unstack(_weights(pixels, counts, size), 2, axis=2)
    values = ops.reshape(maps, (n, padded, padded * keypoints))
    values = ops.reshape(
        ops.matmul(along_y, values), (n, grid, padded, keypoints)
    )
    values = ops.matmul(along_x[:, None], values)  # (n, grid, grid, keypoints)
    # A short axis has its last pixel more than once.
    once = (index < counts) | (counts > grid)  # (n, grid, 2)
    once = once[:, None, :, :1] & once[:, :, None, 1:]
    values = ops.where(once, values, _LOW)
    highest = ops.max_pool(values, 3, 1, "same", data_format="channels_last")
    values = ops.where(values < highest, _LOW, values)
    values = ops.reshape(values, (n, grid**2, keypoints))
    scores, best = ops.top_k(ops.transpose(values, (0, 2, 1)), _CANDIDATES)
    best = ops.reshape(ops.cast(best, "int32"), (n, keypoints * _CANDIDATES))
    places = [
        ops.take_along_axis(pixels[..., axis], place, axis=1)
        for axis, place in enumerate((best % grid, best // grid))
    ]
    shape = (n, keypoints, _CANDIDATES, 2)
    return ops.reshape(ops.stack(places, axis=-1), shape), scores


def _best_around(maps, counts, size, places, reach):
    """Looks at all pixels around each place."""
    counts = counts[:, None, None]  # (n, 1, 1, 1, 2)
    near = 2 * reach + 1
    pixels = ops.arange(-reach, reach + 1, dtype="float32")[:, None]
    pixels = places[..., None, :] + pixels
    # (n, keypoints, candidates, near, 2)
    pixels = ops.minimum(ops.maximum(pixels, 0.0), counts - 1.0)
    along_x, along_y = ops.unstack(_weights(pixels, counts, size), 2, axis=4)
    maps = ops.transpose(maps, (0, 3, 1, 2))[:, :, None]
    values = ops.matmul(
        ops.matmul(along_y, maps), ops.transpose(along_x, (0, 1, 2, 4, 3))
    )
    values = ops.reshape(values, (*places.shape[:3], near**2))
    values, best = _maximum(values)
    x = ops.take_along_axis(pixels[..., 0], best % near, axis=3)
    y = ops.take_along_axis(pixels[..., 1], best // near, axis=3)
    return ops.concatenate([x, y], axis=3), values[..., 0]


def _maximum(values):
    # `argmax` of Keras has an operation on bits that other runtimes lack.
    values, index = ops.top_k(values, 1)
    return values, ops.cast(index, "int32")


def _weights(pixels, counts, size):
    """Returns the weights `(..., size + 4)` of positions for pixels `(...)`."""
    x = size / counts * (pixels + 0.5) - 0.5
    low = ops.floor(x)
    columns = ops.arange(-_REACH, size + _REACH, dtype="float32")
    d = ops.abs((x - low)[..., None] - (columns - low[..., None]))
    near = ((_CUBIC + 2) * d - (_CUBIC + 3)) * d * d + 1
    far = ((_CUBIC * d - 5 * _CUBIC) * d + 8 * _CUBIC) * d - 4 * _CUBIC
    return ops.where(d <= 1, near, ops.where(d < 2, far, 0.0))

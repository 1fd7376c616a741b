"""Boxes as tensors `(..., 4)` of left, top, right and bottom, in pixels.

All of it is computed in float32, whatever the dtype policy: sixteen bits do
not hold the pixels of a photo.
"""

import math

from keras import ops

# A box is enlarged by a factor of at most 1000 / 16, so that no network
# overflows the exponential: 16 pixels to 1000.
LARGEST_LOG_SCALE = math.log(1000.0 / 16.0)


def sizes(boxes):
    """Returns the widths and heights of boxes.

    Args:
        boxes: Tensor `(..., 4)`.

    Returns:
        Two tensors `(...)`.
    """
    x1, y1, x2, y2 = ops.unstack(boxes, 4, axis=-1)
    return x2 - x1, y2 - y1


def areas(boxes):
    """Returns the areas of boxes `(..., 4)` as a tensor `(...)`."""
    widths, heights = sizes(boxes)
    return widths * heights


def clip(boxes, image_sizes):
    """Moves the sides of boxes that lie outside an image onto its border.

    Args:
        boxes: float32 tensor `(batch, ..., 4)`.
        image_sizes: Tensor `(batch, 2)`, heights and widths.

    Returns:
        float32 tensor like `boxes`.
    """
    limits = ops.cast(image_sizes, "float32")
    limits = ops.flip(ops.concatenate([limits, limits], axis=-1), axis=-1)
    middle = (1,) * (len(boxes.shape) - 2)
    limits = ops.reshape(limits, (-1, *middle, 4))
    return ops.minimum(ops.maximum(boxes, 0.0), limits)


def iou(a, b):
    """Returns the intersection over union of all pairs of boxes.

    Args:
        a: float32 tensor `(..., n, 4)`.
        b: float32 tensor `(..., m, 4)`.

    Returns:
        float32 tensor `(..., n, m)`; zero for two boxes without an area.
    """
    ax1, ay1, ax2, ay2 = ops.unstack(a[..., :, None, :], 4, axis=-1)
    bx1, by1, bx2, by2 = ops.unstack(b[..., None, :, :], 4, axis=-1)
    widths = ops.maximum(ops.minimum(ax2, bx2) - ops.maximum(ax1, bx1), 0.0)
    heights = ops.maximum(ops.minimum(ay2, by2) - ops.maximum(ay1, by1), 0.0)
    common = widths * heights
    union = areas(a)[..., :, None] + areas(b)[..., None, :] - common
    # Not larger than the union, so that this divides by zero nowhere.
    return common / ops.where(union > 0.0, union, 1.0)


def encode(boxes, references, weights=(1.0, 1.0, 1.0, 1.0)):
    """Returns what `decode` turns back into the boxes.

    Args:
        boxes: float32 tensor `(..., 4)`.
        references: float32 tensor `(..., 4)`, boxes with an area.
        weights: Tuple of 4 Floats, factors of the shifts of the center and
            of the logarithms of the scales. Defaults to
            `(1.0, 1.0, 1.0, 1.0)`.

    Returns:
        float32 tensor `(..., 4)`.
    """
    widths, heights = sizes(references)
    new_widths, new_heights = sizes(boxes)
    x, y = _centers(references, widths, heights)
    new_x, new_y = _centers(boxes, new_widths, new_heights)
    wx, wy, ww, wh = weights
    return ops.stack(
        [
            wx * (new_x - x) / widths,
            wy * (new_y - y) / heights,
            ww * ops.log(new_widths / widths),
            wh * ops.log(new_heights / heights),
        ],
        axis=-1,
    )


def decode(deltas, references, weights=(1.0, 1.0, 1.0, 1.0)):
    """Moves and scales reference boxes by what a network predicts.

    Args:
        deltas: Tensor `(..., 4)`: shift of the center in widths and heights,
            logarithms of the scales, times the weights.
        references: float32 tensor `(..., 4)` that broadcasts to it.
        weights: Tuple of 4 Floats, as for `encode`. Defaults to
            `(1.0, 1.0, 1.0, 1.0)`.

    Returns:
        float32 tensor `(..., 4)`.

    Reference:

    - [Girshick et al., 2014, appendix C](https://arxiv.org/abs/1311.2524)
    """
    widths, heights = sizes(references)
    x, y = _centers(references, widths, heights)
    dx, dy, dw, dh = (
        part / weight
        for part, weight in zip(
            ops.unstack(ops.cast(deltas, "float32"), 4, axis=-1), weights
        )
    )
    new_x, new_y = dx * widths + x, dy * heights + y
    half_width = 0.5 * ops.exp(ops.minimum(dw, LARGEST_LOG_SCALE)) * widths
    half_height = 0.5 * ops.exp(ops.minimum(dh, LARGEST_LOG_SCALE)) * heights
    return ops.stack(
        [
            new_x - half_width,
            new_y - half_height,
            new_x + half_width,
            new_y + half_height,
        ],
        axis=-1,
    )


def _centers(boxes, widths, heights):
    return boxes[..., 0] + 0.5 * widths, boxes[..., 1] + 0.5 * heights

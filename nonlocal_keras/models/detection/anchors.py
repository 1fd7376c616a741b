"""The reference boxes of region proposals: a few at every position."""

import numpy as np
from keras import ops

# Of the published detectors: one size per level, in pixels, and heights over
# widths.
SIZES = ((32,), (64,), (128,), (256,), (512,))
ASPECT_RATIOS = (0.5, 1.0, 2.0)


def base_anchors(sizes, aspect_ratios):
    """Returns the boxes of one position, around the origin.

    Args:
        sizes: Tuple of Integers, square roots of the areas, in pixels.
        aspect_ratios: Tuple of Floats, heights over widths.

    Returns:
        float32 array `(anchors, 4)` of whole pixels, the sizes of one ratio
        after each other.
    """
    heights = np.sqrt(np.asarray(aspect_ratios, "float32"))[:, None]
    sizes = np.asarray(sizes, "float32")[None]
    widths, heights = (1 / heights * sizes).ravel(), (heights * sizes).ravel()
    corners = np.stack([-widths, -heights, widths, heights], axis=1)
    return np.round(corners / 2)


def grid_anchors(base, feature_size, image_size, stride=None):
    """Returns the boxes of all positions of a map of features.

    Args:
        base: float32 array `(anchors, 4)`, those of one position.
        feature_size: Tuple of 2 Integers or scalar tensors, height and width
            of the map.
        image_size: Tuple of 2 Integers or scalar tensors, of the image with
            its padding.
        stride: Integer, how many pixels further a position is. Defaults to
            `None`, as many whole ones as fit in.

    Returns:
        float32 tensor `(height * width * anchors, 4)`, row by row.
    """
    y, x = (
        _starts(length, pixels // length if stride is None else stride)
        for length, pixels in zip(feature_size, image_size)
    )
    shape = (*feature_size, 1)
    x = ops.broadcast_to(x[None, :, None], shape)
    y = ops.broadcast_to(y[:, None, None], shape)
    shifts = ops.stack([x, y, x, y], axis=-1)  # (height, width, 1, 4)
    return ops.reshape(shifts + ops.convert_to_tensor(base), (-1, 4))


def pyramid_anchors(
    sizes, aspect_ratios, levels, images, boxes=None, strides=None
):
    """Returns the boxes of all positions of a pyramid, level by level.

    Args:
        sizes: Tuple of a tuple of Integers per level, in pixels.
        aspect_ratios: Tuple of Floats, heights over widths.
        levels: List of tensors `(batch, height, width, channels)`.
        images: Tensor `(batch, height, width, 3)`.
        boxes: Array `(levels, anchors, 4)`, in the place of those that sizes
            and ratios make. Defaults to `None`.
        strides: Tuple of Integers. Defaults to `None`, see `grid_anchors`.

    Returns:
        List of float32 tensors `(height * width * anchors, 4)`.
    """
    if boxes is None:
        boxes = [base_anchors(level, aspect_ratios) for level in sizes]
    return [
        grid_anchors(
            np.asarray(base, "float32"),
            ops.shape(level)[1:3],
            ops.shape(images)[1:3],
            stride,
        )
        for base, level, stride in zip(
            boxes, levels, strides or len(levels) * (None,), strict=True
        )
    ]


def _starts(length, stride):
    positions = ops.arange(length, dtype="int32")
    return ops.cast(positions * stride, "float32")

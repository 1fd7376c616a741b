"""What the mask and keypoint heads are to draw into a box."""

from keras import ops

# More points per cell of a target than a crop of 112 cells has.
_MOST_POINTS = 8


def mask_targets(masks, boxes, rois, size, aligned=False):
    """Returns the masks of objects as their proposals see them.

    A cell is the mean of points about a pixel apart, each interpolated
    between four cells of the mask; outside of its box an object is nowhere.
    It is `roi_align` of the mask drawn into an image, without the image.

    Args:
        masks: Tensor `(n, cells, cells)`, 1 where the object is, else 0.
        boxes: float32 tensor `(n, 4)`, of the objects.
        rois: float32 tensor `(n, 4)`, the proposals.
        size: Integer, rows and columns of the result.
        aligned: Boolean, as for `nonlocal_keras.ops.roi_align`. Without it,
            pixels are read at their corners, half a pixel too far, as in the
            first release of Mask R-CNN. Defaults to `False`.

    Returns:
        float32 tensor `(n, size, size)`, from 0 to 1.
    """
    cells = masks.shape[-1]
    vertical, horizontal = (
        _matrix(
            (boxes[:, axis], boxes[:, axis + 2]),
            (rois[:, axis], rois[:, axis + 2]),
            (cells, size, aligned),
        )
        for axis in (1, 0)
    )
    masks = ops.matmul(vertical, ops.cast(masks, "float32"))
    return ops.matmul(masks, ops.swapaxes(horizontal, 1, 2))


def _matrix(box, roi, options):
    """Returns the matrix `(n, size, cells)` that resamples an axis."""
    cells, size, aligned = options
    (first, last), (start, end) = box, roi
    side = end - start
    if not aligned:
        side = ops.maximum(side, 1.0)
    points = ops.clip(ops.ceil(side / size), 1.0, _MOST_POINTS)[:, None, None]
    point = ops.arange(_MOST_POINTS, dtype="float32")
    step = (side / size)[:, None, None]
    cell = ops.arange(size, dtype="float32")[:, None]
    x = start[:, None, None] + (cell + (point + 0.5) / points) * step
    if not aligned:
        x = x + 0.5
    # Boxes of rows that do not count may have no area.
    width = ops.where(last > first, last - first, 1.0)
    x = (x - first[:, None, None]) * (cells / width)[:, None, None] - 0.5
    position = ops.arange(cells, dtype="float32")
    weights = ops.relu(1.0 - ops.abs(x[..., None] - position))
    weights = ops.where((point < points)[..., None], weights, 0.0)
    return ops.sum(weights, axis=2) / points


def keypoint_targets(keypoints, rois, size):
    """Returns the place of each keypoint in the heat map of its proposal.

    Args:
        keypoints: float32 tensor `(n, keypoints, 3)` of x, y in pixels and
            visibility, above 0 where the place is known.
        rois: float32 tensor `(n, 4)`, the proposals.
        size: Integer, rows and columns of the heat map.

    Returns:
        int32 tensor `(n, keypoints)`, the place row by row, and a Boolean
        tensor `(n, keypoints)`, true where there is a keypoint, and within
        the proposal.
    """
    x, inside_x = _bins(keypoints[..., 0], rois[:, 0], rois[:, 2], size)
    y, inside_y = _bins(keypoints[..., 1], rois[:, 1], rois[:, 3], size)
    there = (keypoints[..., 2] > 0.0) & inside_x & inside_y
    return ops.where(there, y * size + x, 0), there


def _bins(x, start, end, size):
    """Returns the bins `(n, keypoints)` along an axis, and which are one."""
    start, end = start[:, None], end[:, None]
    width = ops.where(end > start, end - start, 1.0)
    bins = ops.floor((x - start) * (size / width))
    # The last bin has its border.
    bins = ops.where(x == end, size - 1.0, bins)
    inside = (bins >= 0.0) & (bins < size)
    return ops.cast(ops.where(inside, bins, 0.0), "int32"), inside

"""What a detector learns of the objects of one image."""

import numpy as np

# Rows and columns of a mask within its box: four times those that the mask
# head predicts.
MASK_SIZE = 112


def boxes(image, rows, size, mirrored):
    """Returns the boxes of objects in the resized image.

    Args:
        image: A `nonlocal_keras.data.coco.CocoImage`.
        rows: Integer array `(n,)`, the objects.
        size: Tuple of 2 integers, height and width of the resized image.
        mirrored: Boolean, whether left and right are exchanged.

    Returns:
        float32 array `(n, 4)` of left, top, right and bottom in pixels.
    """
    found = image.boxes[rows]
    if mirrored:
        found[:, [0, 2]] = np.float32(image.width) - found[:, [2, 0]]
    return found * np.tile(_factors(image, size), 2)


def masks(image, rows, mirrored):
    """Returns the masks of objects, each within its box.

    A place of the mask is that of the pixel in which its center lies.

    Args:
        image: A `nonlocal_keras.data.coco.CocoImage`.
        rows: Integer array `(n,)`, the objects.
        mirrored: Boolean, whether left and right are exchanged.

    Returns:
        uint8 array `(n, MASK_SIZE, MASK_SIZE)` of 0 and 1; zeros for an
        object without a mask.
    """
    crops = np.zeros((len(rows), MASK_SIZE, MASK_SIZE), np.uint8)
    for crop, row, box in zip(crops, rows, image.boxes[rows]):
        mask = image.mask(row)
        if mask is not None:
            x = _centers(box[0], box[2], image.width)
            y = _centers(box[1], box[3], image.height)
            crop[:] = mask[np.ix_(y, x)]
    return crops[..., ::-1] if mirrored else crops


def keypoints(image, rows, size, order=None):
    """Returns the keypoints of objects in the resized image.

    Args:
        image: A `nonlocal_keras.data.coco.CocoImage`.
        rows: Integer array `(n,)`, the objects.
        size: Tuple of 2 integers, height and width of the resized image.
        order: Integer array of where each joint of a mirrored object comes
            from. Defaults to `None`, not mirrored.

    Returns:
        float32 array `(n, joints, 3)` of x and y in pixels, and 0 (not
        labeled), 1 (hidden) or 2 (seen). What is not labeled is zero.
    """
    found = image.keypoints[rows].astype(np.float32)
    if order is not None:
        found = found[:, order]
        # The keypoints of COCO are numbers of pixels, unlike the sides of
        # boxes: the first one becomes the last one.
        found[..., 0] = image.width - 1 - found[..., 0]
    found[..., :2] *= _factors(image, size)
    found[..., 2] = np.clip(found[..., 2], 0, 2)
    return np.where(found[..., 2:] > 0, found, np.float32(0))


def stack(targets, most, multiple):
    """Returns the targets of several images as arrays of as many rows.

    Args:
        targets: Sequence of dictionaries of arrays with a row per object.
        most: Integer, rows of each; `None` for as many as are needed.
        multiple: Integer, of the number of rows where it is not said.

    Returns:
        Dictionary of arrays `(images, rows, ...)`, padded by zeros.
    """
    if most is None:
        longest = max(len(target["labels"]) for target in targets)
        most = max(-(-longest // multiple), 1) * multiple
    stacked = {}
    for name, first in targets[0].items():
        shape = (len(targets), most, *first.shape[1:])
        stacked[name] = np.zeros(shape, first.dtype)
        for place, target in zip(stacked[name], targets):
            place[: len(target[name])] = target[name]
    return stacked


def _factors(image, size):
    """Returns by how much x and y grow."""
    height, width = np.asarray(size, np.float32)
    return np.array(
        [width / np.float32(image.width), height / np.float32(image.height)]
    )


def _centers(start, end, length):
    """Returns the pixels in which the centers of the places of a box lie."""
    places = (np.arange(MASK_SIZE) + 0.5) / MASK_SIZE
    x = float(start) + places * (float(end) - float(start))
    return np.clip(np.floor(x).astype(int), 0, length - 1)

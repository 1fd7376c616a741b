"""From the outputs of the network to pixels of the images that were given.

On the host, in NumPy: what comes out has the size of each image.
"""

import numpy as np

from nonlocal_keras.images.interpolation import cubic_matrix
from nonlocal_keras.images.interpolation import linear_matrix
from nonlocal_keras.models.detection.detections import PADDING


def postprocess(
    outputs, sizes, original_sizes, mask_threshold=None, aligned=False
):
    """Takes what the network says to the images that were given.

    Args:
        outputs: Dictionary of arrays, the outputs of a `MaskRCNN`.
        sizes: Array `(batch, 2)`, heights and widths of the resized images.
        original_sizes: Array `(batch, 2)`, those of the images.
        mask_threshold: Float, for masks of Booleans. Defaults to `None`,
            masks of probabilities.
        aligned: Boolean, how masks are drawn: `draw_masks` or `paste_masks`.
            Defaults to `False`, the latter.

    Returns:
        Dictionary, as of `MaskRCNN.predict`.
    """
    outputs = {name: np.asarray(value) for name, value in outputs.items()}
    resized, counts = outputs["boxes"], outputs["num_detections"]
    found = np.arange(resized.shape[1]) < counts[:, None]
    image = np.nonzero(found)[0]
    factors = _factors(sizes, original_sizes)[image]  # (all detections, 2)
    boxes = resized[found] * np.tile(factors, 2)
    results = {**outputs, "boxes": _fill(boxes, found)}
    if "masks" in outputs:
        paste = draw_masks if aligned else paste_masks
        results["masks"] = [
            paste(mask[:count], box[:count], *size, mask_threshold)
            for mask, box, count, size in zip(
                outputs["masks"], results["boxes"], counts, original_sizes
            )
        ]
    maps = results.pop("keypoint_maps", None)
    if maps is not None:
        points, scores = find_keypoints(maps[found], resized[found])
        points = points * factors[:, None]
        points = np.concatenate([points, np.ones_like(points[..., :1])], -1)
        results["keypoints"] = _fill(points, found)
        results["keypoint_scores"] = _fill(scores, found)
    return results


def leave_out(outputs, threshold):
    """Leaves out the detections that are less probable than a threshold.

    Args:
        outputs: Dictionary of arrays, the outputs of a `MaskRCNN`.
        threshold: Float.

    Returns:
        Dictionary of the same keys.
    """
    scores = np.asarray(outputs["confidence"])
    # The most probable ones come first.
    kept = scores >= threshold
    return {
        **outputs,
        "labels": np.where(kept, outputs["labels"], PADDING),
        "confidence": np.where(kept, scores, np.float32(PADDING)),
        "num_detections": kept.sum(axis=1, dtype="int32"),
    }


def join(batches):
    """Returns the results of several batches as one."""
    if len(batches) == 1:
        return batches[0]
    return {
        name: [mask for batch in batches for mask in batch[name]]
        if name == "masks"
        else np.concatenate([batch[name] for batch in batches])
        for name in batches[0]
    }


def _fill(values, found):
    """Returns the values of all detections by image, the rest filled."""
    filled = np.full((*found.shape, *values.shape[1:]), PADDING, "float32")
    filled[found] = values
    return filled


def _factors(sizes, original_sizes):
    """Returns the factors `(batch, 2)` of x and y."""
    factors = np.asarray(original_sizes, "float32") / np.asarray(
        sizes, "float32"
    )
    return factors[:, ::-1]


def paste_masks(masks, boxes, height, width, threshold=None):
    """Draws masks of boxes into masks of an image.

    A mask gets a border of zeros, and is resized to the whole pixels of the
    box enlarged by it.

    Args:
        masks: float32 array `(n, size, size)` of probabilities.
        boxes: float32 array `(n, 4)`, in pixels of the image.
        height: Integer, of the image.
        width: Integer, of the image.
        threshold: Float, the probability above which a pixel is in the mask.
            Defaults to `None`, for probabilities.

    Returns:
        float32 array `(n, height, width)`, zero outside the boxes, or with a
        threshold a Boolean one.

    Reference:

    - [He et al., 2017, section 3.1](https://arxiv.org/abs/1703.06870)
    """
    dtype = "float32" if threshold is None else bool
    pasted = np.zeros((len(masks), height, width), dtype)
    if not len(masks):
        return pasted
    size = masks.shape[-1]
    masks = np.pad(masks, ((0, 0), (1, 1), (1, 1)))
    boxes = _enlarge(boxes, np.float32((size + 2) / size)).astype(int)
    for image, mask, (x1, y1, x2, y2) in zip(pasted, masks, boxes):
        rows, inside_y = _visible(y1, y2, height)
        columns, inside_x = _visible(x1, x2, width)
        vertical = linear_matrix(size + 2, max(y2 - y1 + 1, 1))[inside_y]
        horizontal = linear_matrix(size + 2, max(x2 - x1 + 1, 1))[inside_x]
        visible = vertical @ mask @ horizontal.T
        image[rows, columns] = (
            visible if threshold is None else visible > threshold
        )
    return pasted


def draw_masks(masks, boxes, height, width, threshold=None):
    """Draws masks of boxes into masks of an image, boxes being continuous.

    A pixel gets what lies at its center, between the centers of the cells of
    the mask; beyond the last ones it fades to zero.

    Args:
        masks: As for `paste_masks`.
        boxes: As for `paste_masks`.
        height: As for `paste_masks`.
        width: As for `paste_masks`.
        threshold: As for `paste_masks`.

    Returns:
        As `paste_masks`.
    """
    dtype = "float32" if threshold is None else bool
    pasted = np.zeros((len(masks), height, width), dtype)
    for image, mask, (x1, y1, x2, y2) in zip(pasted, masks, boxes):
        rows, vertical = _hats(y1, y2, height, len(mask))
        columns, horizontal = _hats(x1, x2, width, len(mask))
        visible = vertical @ mask @ horizontal.T
        image[rows, columns] = (
            visible if threshold is None else visible > threshold
        )
    return pasted


def _hats(start, end, length, size):
    """Returns the pixels of an axis that a mask reaches, and their weights."""
    # What fades lies outside of the box and is never above one half: as
    # elsewhere, no more than a pixel of it is drawn.
    first = int(np.clip(np.floor(start) - 1, 0, length))
    last = int(np.clip(np.ceil(end) + 1, first, length))
    centers = np.arange(first, last, dtype="float32") + np.float32(0.5)
    extent = max(end - start, np.float32(1e-6))
    places = (centers - start) / extent * size - np.float32(0.5)
    distance = np.abs(places[:, None] - np.arange(size, dtype="float32"))
    return slice(first, last), np.maximum(1 - distance, 0)


def _enlarge(boxes, scale):
    low, high = boxes[:, :2], boxes[:, 2:]
    half, center = (
        (high - low) * np.float32(0.5),
        (high + low) * np.float32(0.5),
    )
    half = half * scale
    return np.concatenate([center - half, center + half], axis=1)


def _visible(start, end, length):
    """Returns the pixels of an axis from start to end, and their places."""
    first, last = max(start, 0), min(end + 1, length)
    last = max(first, last)
    return slice(first, last), slice(first - start, last - start)


def find_keypoints(maps, boxes):
    """Returns the maxima of heat maps that are resized to their boxes.

    Args:
        maps: float32 array `(n, size, size, keypoints)` of logits.
        boxes: float32 array `(n, 4)`, in pixels of the resized image.

    Returns:
        float32 array `(n, keypoints, 2)` of x and y, in pixels of the resized
        image, and float32 array `(n, keypoints)`, the logits there.

    Reference:

    - [He et al., 2017, section 5](https://arxiv.org/abs/1703.06870)
    """
    n, size, _, keypoints = maps.shape
    places = np.zeros((n, keypoints, 2), "float32")
    scores = np.zeros((n, keypoints), "float32")
    lengths = np.maximum(boxes[:, 2:] - boxes[:, :2], np.float32(1))
    for index, (width, height) in enumerate(np.ceil(lengths).astype(int)):
        vertical, horizontal = (
            cubic_matrix(size, length) for length in (height, width)
        )
        large = vertical @ maps[index].transpose(2, 0, 1) @ horizontal.T
        large = large.reshape(keypoints, -1)
        best = large.argmax(axis=1)
        scores[index] = large[np.arange(keypoints), best]
        x, y = best % width, best // width
        # A maximum lies in the middle of a pixel, of about the size of one.
        step = lengths[index] / np.array([width, height], "float32")
        center = np.stack([x, y], axis=1).astype("float32") + np.float32(0.5)
        places[index] = center * step + boxes[index, :2]
    return places, scores

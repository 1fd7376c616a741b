"""A picture of the objects in an image, as a detector finds them."""

import numpy as np

from nonlocal_keras import optional
from nonlocal_keras import terminal
from nonlocal_keras.models.detection import preprocessing
from nonlocal_keras.visualize import skeletons
from nonlocal_keras.visualize.label_places import LabelPlaces
from nonlocal_keras.visualize.object_marks import Canvas
from nonlocal_keras.visualize.object_marks import color_of

# Probability from which on a pixel is in a mask.
_IN_MASK = 0.5
# Images of a shorter side, in pixels, are enlarged: no letter fits in.
_LEGIBLE = 320
_LONGEST_NAME = 24
# What is drawn of `found`.
_KNOWN = (
    "boxes",
    "labels",
    "confidence",
    "num_detections",
    "masks",
    "keypoints",
)


def draw_detections(
    image, found, labels=None, index=None, threshold=0.5, skeleton=None
):
    """Draws boxes, masks and skeletons of objects, with class and score.

    Each object has a color of its own. A label that would hide others is left
    out, so that pictures of crowds stay legible. An image with a side of less
    than 320 pixels is enlarged by a whole factor.

    Example:

    >>> image = nonlocal_keras.data.read_image("photo.jpg")
    >>> found = {"boxes": np.array([[8.0, 4.0, 24.0, 36.0]]), "labels": [2]}
    >>> labels = ("background", "person", "kite")
    >>> picture = nonlocal_keras.visualize.draw_detections(image, found, labels)
    >>> picture.save("out.png")

    Args:
        image: RGB array `(height, width, 3)`, uint8, or floats from 0 to 1.
        found: Dictionary, as `nonlocal_keras.models.MaskRCNN.predict` or
            `nonlocal_keras.visualize.ground_truth` gives it, of one or
            several images, or without the axis of images. `boxes` and
            `labels` must be there; `confidence`, `num_detections`, `masks`,
            and `keypoints` may be.
        labels: Sequence of the names of the classes, the background first, as
            `labels` of the model. Defaults to `None`, for numbers.
        index: Integer, the place of the image where `found` is of several.
            Defaults to `None`.
        threshold: Float, less probable objects are left out. Defaults to
            `0.5`.
        skeleton: Sequence of pairs of joints that a line connects. Defaults
            to `None`, the lines of COCO for 17 joints, for others none.

    Returns:
        A `PIL.Image.Image`.

    Raises:
        ValueError: If an argument is outside its rule, or `found` is of
            another image.
        ImportError: If Pillow or matplotlib is not installed.
    """
    (image,) = preprocessing.check_images([image])
    if not 0 <= threshold <= 1:
        raise ValueError(
            "`threshold` must be a number from 0 to 1. Received: "
            f"threshold={threshold}"
        )
    found = _of_one_image(found, index)
    _check(found, image, labels)
    keypoints = found.get("keypoints")
    lines = ()
    if keypoints is not None and len(keypoints):
        lines = skeletons.lines_of(skeleton, keypoints.shape[1])
    if image.dtype != np.uint8:
        image = (image * 255 + 0.5).astype("uint8")
    factor = -(-_LEGIBLE // min(image.shape[:2]))
    canvas = Canvas(_enlarged(image, factor))
    shown = _order(found, threshold)
    boxes = found["boxes"] * factor
    # Large objects lie below small ones, and names above all.
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    by_area = sorted(shown, key=lambda row: -areas[row])
    for row in by_area if "masks" in found else ():
        mask = found["masks"][row] > _IN_MASK
        mask = mask.repeat(factor, axis=0).repeat(factor, axis=1)
        canvas.mask(mask, color_of(shown.index(row)))
    for row in by_area:
        canvas.box(boxes[row], color_of(shown.index(row)))
    for row in by_area if keypoints is not None else ():
        points = {
            joint: (x * factor, y * factor)
            for joint, (x, y, seen) in enumerate(keypoints[row].tolist())
            if seen > 0
        }
        canvas.skeleton(points, lines, color_of(shown.index(row)))
    places = LabelPlaces(*canvas.image.size)
    for number, row in enumerate(shown):
        text = _text(found, row, labels)
        place = places.find(boxes[row], canvas.label_size(text))
        if place is not None:
            canvas.label(text, place, color_of(number))
    return canvas.image


def _of_one_image(found, index):
    """Returns the detections of one image, as arrays, without padding."""
    missing = {"boxes", "labels"} - set(found)
    if missing:
        raise ValueError(
            "`found` must hold boxes and labels, as predict(images) of a "
            f"detector gives them. Received: found without {sorted(missing)}"
        )
    found = {name: found[name] for name in _KNOWN if name in found}
    if np.ndim(found["boxes"]) == 3:
        images = len(found["boxes"])
        if index is None and images == 1:
            index = 0
        if index is None or not -images <= index < images:
            raise ValueError(
                f"`index` must say which of the {images} images of `found` "
                f"it is, from 0 to {images - 1}. Received: index={index}"
            )
        found = {name: values[index] for name, values in found.items()}
    elif index is not None:
        raise ValueError(
            "`index` is for detections of several images and would change "
            f"nothing. Received: index={index}"
        )
    number = found.pop("num_detections", None)
    return {name: np.asarray(x)[:number] for name, x in found.items()}


def _check(found, image, labels):
    boxes, height, width = found["boxes"], *image.shape[:2]
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(
            "`found['boxes']` must be of the shape (detections, 4). Received: "
            f"the shape {boxes.shape}"
        )
    for name, values in found.items():
        if len(values) != len(boxes):
            raise ValueError(
                f"`found` must hold as many {name} as boxes, {len(boxes)}. "
                f"Received: {len(values)}"
            )
    masks = found.get("masks")
    if masks is not None and masks.shape[1:] != (height, width):
        raise ValueError(
            "`found['masks']` must be of the size of the image, "
            f"{height} x {width}. Received: masks of the shape {masks.shape}"
        )
    # Beyond the image by more than rounding.
    if boxes.size and (boxes[:, 2:] > np.array([width, height]) + 1).any():
        raise ValueError(
            "`found` must be of this image, in its pixels. Received: boxes to "
            f"{boxes[:, 2:].max(axis=0)}, an image of {width} x {height}"
        )
    largest = found["labels"].max(initial=0)
    if labels is not None and largest >= len(labels):
        raise ValueError(
            "`labels` must hold a name for each class, the background first. "
            f"Received: {len(labels)} names, and an object of class {largest}"
        )


def _order(found, threshold):
    """Returns the rows that are shown, the most certain ones first."""
    confidence = found.get("confidence")
    if confidence is None:
        return list(range(len(found["boxes"])))
    order = np.argsort(-confidence, kind="stable")
    return [row for row in order.tolist() if confidence[row] >= threshold]


def _enlarged(image, factor):
    if factor == 1:
        return image
    pillow = optional.load("PIL.Image", "A picture of detections")
    height, width, _ = image.shape
    size = width * factor, height * factor
    enlarged = pillow.fromarray(image).resize(size, pillow.Resampling.BICUBIC)
    return np.asarray(enlarged)


def _text(found, row, labels):
    label = int(found["labels"][row])
    name = f"class {label}" if labels is None else labels[label]
    name = terminal.escaped(name)
    if len(name) > _LONGEST_NAME:
        name = f"{name[: _LONGEST_NAME - 3]}..."
    if "confidence" not in found:
        return name
    return f"{name} {found['confidence'][row]:.2f}"

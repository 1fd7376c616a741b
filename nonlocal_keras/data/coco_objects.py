"""From an annotation of a COCO file to the object that it describes."""

import dataclasses

import numpy as np

from nonlocal_keras.data import segments

# Pixels by which boxes of good files leave the image: their numbers are
# rounded.
ROUNDING = 1.0
# The share of its box that a mask fills, which the evaluation of poses takes
# where a file has no areas (CrowdPose).
SHARE_OF_BOX = 0.53
# What is done with an object whose mask cannot be used.
NO_MASK = "object kept without mask"


@dataclasses.dataclass(frozen=True, eq=False)
class CocoObject:
    """An object of an image.

    Attributes:
        label: Integer, the index of its class.
        xywh: Float64 array of 4 numbers, the box as in the file: left, top,
            width and height in pixels.
        area: Float, in square pixels, by which its size is told.
        crowd: Boolean, whether it is many objects at once.
        segment: As of `nonlocal_keras.data.segments`; `None` if it has none.
        keypoints: Float64 array `(joints, 3)` of x, y and visibility (0 not
            labeled, 1 hidden, 2 seen); zeros if it has none.
    """

    label: int
    xywh: np.ndarray
    area: float
    crowd: bool
    segment: object
    keypoints: np.ndarray


def parse(entry, label, joints, height, width, note):
    """Reads an annotation.

    Args:
        entry: Dictionary, an annotation of the file.
        label: Integer, the index of its class.
        joints: Integer, number of joints in the data set.
        height: Integer, height of the image in pixels.
        width: Integer, its width.
        note: Function of two strings that counts a fault: what is wrong, and
            what is done about it.

    Returns:
        A `CocoObject`; `None` if its box is unusable.
    """
    xywh = segments.finite_numbers(entry.get("bbox"))
    fault = _fault_of_box(xywh, height, width)
    if fault:
        note(fault, "object skipped")
        return None
    x, y, w, h = xywh.tolist()
    if max(-x, -y, x + w - width, y + h - height) > ROUNDING:
        note("box reaches beyond the image", "clipped")
    return CocoObject(
        label=label,
        xywh=xywh,
        area=_area(entry, SHARE_OF_BOX * w * h, note),
        crowd=_crowd(entry, note),
        segment=_segment(entry, height, width, note),
        keypoints=_keypoints(entry, joints, note),
    )


def _fault_of_box(xywh, height, width):
    if xywh is None or len(xywh) != 4:
        return "box is not four finite numbers"
    x, y, w, h = xywh.tolist()
    if w <= 0 or h <= 0:
        return "box is empty or inverted"
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        return "box lies outside of the image"
    return None


def _area(entry, estimate, note):
    area = entry.get("area")
    if area is None:
        return estimate
    numbers = segments.finite_numbers([area])
    if numbers is None or numbers[0] < 0:
        note("area is no positive number", "estimated by the box")
        return estimate
    return float(numbers[0])


def _crowd(entry, note):
    value = entry.get("iscrowd")
    if value is None:
        return False
    # A text "0" is true for Python.
    numbers = segments.finite_numbers([value])
    if numbers is None:
        note("iscrowd is no number", "taken for one object")
        return False
    return bool(numbers[0])


def _segment(entry, height, width, note):
    value = entry.get("segmentation")
    # Data sets without masks write an empty list.
    if value is None or value == []:
        return None
    segment, wrong = segments.parse(value, height, width)
    done = "left out" if segment else NO_MASK
    for what in wrong:
        note(what, done)
    return segment


def _keypoints(entry, joints, note):
    value = entry.get("keypoints")
    none = np.zeros((joints, 3))
    if value is None or value == []:
        return none
    numbers = segments.finite_numbers(value)
    if numbers is None or len(numbers) != 3 * joints:
        note(
            f"keypoints are not x, y and visibility of {joints} joints",
            "object kept without keypoints",
        )
        return none
    return numbers.reshape(joints, 3)

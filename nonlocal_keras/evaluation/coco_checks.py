"""What `CocoEvaluator` refuses, and the words for it."""

import numpy as np

from nonlocal_keras.evaluation.coco_result import NAMES

# The joints whose sigmas faster-coco-eval knows.
COCO_JOINTS = 17


def require_kinds(dataset, kinds, sigmas):
    """Refuses to measure what a data set does not have.

    Args:
        dataset: A `nonlocal_keras.data.coco.CocoDataset`.
        kinds: Sequence of strings, what is to be measured.
        sigmas: Sequence of floats, one per joint; or `None`.

    Raises:
        ValueError: If it has no masks or joints, or no sigmas of them.
    """
    if not kinds or isinstance(kinds, str) or set(kinds) - set(NAMES):
        raise ValueError(
            f"`kinds` must be a tuple of {', '.join(NAMES)}. "
            f"Received: kinds={kinds!r}"
        )
    if "masks" in kinds and not dataset.has_masks:
        raise ValueError(
            "`kinds` must be what the objects have: not one has a mask. "
            f"Received: kinds={kinds!r}"
        )
    if "keypoints" in kinds:
        _require_sigmas(len(dataset.keypoint_names), sigmas)


def _require_sigmas(joints, sigmas):
    if not joints:
        raise ValueError(
            "`kinds` must be what the objects have: no class has keypoints. "
            "COCO keeps them in person_keypoints_*.json"
        )
    if sigmas is None and joints != COCO_JOINTS:
        raise ValueError(
            f"`sigmas` must be given for other joints than the {COCO_JOINTS} "
            f"of COCO. Received: sigmas=None for {joints} joints"
        )
    if sigmas is not None and not (
        np.shape(sigmas) == (joints,) and np.all(np.greater(sigmas, 0))
    ):
        raise ValueError(
            f"`sigmas` must be {joints} positive numbers, one per joint. "
            f"Received: sigmas={sigmas!r}"
        )


def require_detections(found, image, joints, classes):
    """Refuses arrays that cannot be the detections in an image.

    Args:
        found: Dictionary of arrays, as `CocoEvaluator.update` takes them for
            one image.
        image: A `nonlocal_keras.data.coco.CocoImage`.
        joints: Integer, number of joints of the data set.
        classes: Integer, number of classes of the detections.

    Raises:
        ValueError: If an array has a wrong shape, or a label is no class.
        FloatingPointError: If a number is not finite.
    """
    rows = len(found["labels"])
    shapes = {
        "labels": (rows,),
        "confidence": (rows,),
        "boxes": (rows, 4),
        "masks": (rows, image.height, image.width),
        "keypoints": (rows, joints, 3),
    }
    for key, value in found.items():
        if value.shape != shapes[key]:
            raise ValueError(
                f"`detections[{key!r}]` must have the shape {shapes[key]} for "
                f"image {image.id!r}. Received: {value.shape}"
            )
        if not np.isfinite(value).all():
            raise FloatingPointError(
                f"`detections[{key!r}]` of image {image.id!r} must be finite"
            )
    labels = found["labels"]
    if rows and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"`detections['labels']` must be from 0 to {classes - 1}, the "
            f"classes. Received: {labels.min()} to {labels.max()} for image "
            f"{image.id!r}. If the last rows are padding, give "
            "`num_detections`"
        )

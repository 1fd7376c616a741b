"""What `DetectionReader` refuses, and the words for it."""

from nonlocal_keras.data.coco_objects import NO_MASK
from nonlocal_keras.images import batches


def require_targets(dataset, spec):
    """Refuses a data set that has not what its targets are made of.

    Args:
        dataset: A `nonlocal_keras.data.coco.CocoDataset`.
        spec: A `DetectionSpec`.

    Raises:
        ValueError: If it has no image files, or no masks or keypoints where
            `spec` asks for them.
    """
    if any(image.path is None for image in dataset.images):
        raise ValueError(
            "`dataset` must have images: give their folder to "
            "read_coco(path, folder). Received: annotations alone"
        )
    if spec.masks and not dataset.has_masks:
        reasons = (f.what for f in dataset.faults if f.done == NO_MASK)
        reason = next(reasons, "not one object has one")
        raise ValueError(
            f"`dataset` must have masks: {reason}. Set masks=False in the "
            "specification. Received: masks=True"
        )
    if spec.keypoints and not dataset.keypoint_names:
        raise ValueError(
            "`dataset` must have keypoints: no class has any. COCO keeps them "
            "in person_keypoints_*.json. Set keypoints=False in the "
            "specification. Received: keypoints=True"
        )


def require_room(images, spec):
    """Refuses a fixed size of batches that some image would not fit in.

    Args:
        images: Sequence of `nonlocal_keras.data.coco.CocoImage`.
        spec: A `DetectionSpec`.

    Raises:
        ValueError: If a resized image may be larger than `spec.size`.
    """
    if spec.size is None:
        return
    for image in images:
        height, width = batches.target_size(
            (image.height, image.width), max(spec.short_sides), spec.max_size
        )
        if height > spec.size[0] or width > spec.size[1]:
            raise ValueError(
                "`size` must hold every image at its largest, up to "
                f"{spec.max_size} pixels long: {image.path} becomes {height} "
                f"x {width}. Received: size={spec.size}"
            )

"""The objects of a batch of images, in the form that losses want them."""

import numbers

from keras import ops

from nonlocal_keras.ops import boxes as box_ops
from nonlocal_keras.ops.backend import checked

# Axes of each target.
_AXES = {"boxes": 3, "labels": 2, "masks": 4, "keypoints": 4}


def standardize(targets, masks, num_keypoints, num_classes):
    """Checks the objects of a batch, and marks those that teach something.

    Args:
        targets: Dictionary, see `MaskRCNN.losses_of`.
        masks: Boolean, whether the network has a mask head.
        num_keypoints: Integer, or `None` without a keypoint head.
        num_classes: Integer, classes of the model with the background.

    Returns:
        Dictionary of `boxes` `(batch, n, 4)` in float32, `labels` `(batch,
        n)` in int32, `valid` `(batch, n)`, true for a label above 0 and a box
        with an area, and for the heads that there are `masks` `(batch, n,
        size, size)` in uint8 and `keypoints` `(batch, n, keypoints, 3)` in
        float32. There is at least one row, valid or not.

    Raises:
        ValueError: If a target is missing or of another shape, or, where
            that can be told, a label is no class of the model.
    """
    dtypes = {"boxes": "float32", "labels": "int32"}
    if masks:
        dtypes["masks"] = "uint8"
    if num_keypoints is not None:
        dtypes["keypoints"] = "float32"
    found = {}
    for name, dtype in dtypes.items():
        if name not in targets:
            raise ValueError(
                f"`targets` must hold {sorted(dtypes)} for the heads of this "
                f"model. Received: {sorted(targets)}"
            )
        found[name] = ops.cast(ops.convert_to_tensor(targets[name]), dtype)
        _check_shape(name, found[name].shape, num_keypoints)
    for name, target in found.items():
        _check_rows(name, target.shape[:2], found["boxes"].shape[:2])
    for name in found:
        # An image may have no object; a row to look up is there anyway.
        rest = [(0, 0)] * (_AXES[name] - 2)
        found[name] = ops.pad(found[name], [(0, 0), (0, 1), *rest])
    if masks:
        # Files of masks have 255 as often as 1.
        found["masks"] = ops.cast(found["masks"] > 0, "uint8")
    found["labels"] = _classes(found["labels"], num_classes)
    widths, heights = box_ops.sizes(found["boxes"])
    valid = (found["labels"] > 0) & (widths > 0.0) & (heights > 0.0)
    # False for a NaN, too.
    valid &= box_ops.areas(found["boxes"]) < float("inf")
    found["boxes"] = ops.where(valid[..., None], found["boxes"], 0.0)
    return {**found, "valid": valid}


def _classes(labels, num_classes):
    highest = ops.max(labels)
    return checked(
        labels,
        highest < num_classes,
        # Without quotes, which TensorFlow would escape.
        f"`labels` of the targets must be from 1 to {num_classes - 1}, or 0 "
        f"for filling: the model has num_classes={num_classes} with the "
        "background. Make it with as many as `class_names` of the reader has.",
        highest,
    )


def _check_rows(name, rows, expected):
    pairs = list(zip(rows, expected))
    if any(None not in pair and pair[0] != pair[1] for pair in pairs):
        raise ValueError(
            f"`targets[{name!r}]` must have as many images and objects as "
            f"`targets['boxes']`, {tuple(expected)}. Received: {tuple(rows)}"
        )


def _check_shape(name, shape, num_keypoints):
    shape = tuple(shape)
    last = {
        "boxes": (4,),
        "labels": (),
        "masks": shape[-1:] * 2,
        "keypoints": (num_keypoints, 3),
    }[name]
    sizes = shape[2:]
    if name == "masks" and shape[-1:] == (None,):
        raise ValueError(
            "`targets['masks']` must be of one size in all batches of a fit. "
            f"Received: {shape}"
        )
    # Where a size is unknown, so is whether it is right.
    wrong = any(
        isinstance(size, numbers.Integral) and size != expected
        for size, expected in zip(sizes, last)
    )
    if len(shape) != _AXES[name] or wrong:
        form = ", ".join(map(str, ("batch", "objects", *last)))
        raise ValueError(
            f"`targets[{name!r}]` must be of shape ({form}), masks square. "
            f"Received: {shape}"
        )

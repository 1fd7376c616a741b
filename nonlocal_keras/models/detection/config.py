"""The arguments of a `MaskRCNN` as plain values: checked, in one form."""

import numbers

import keras
import numpy as np

from nonlocal_keras.layers import arguments
from nonlocal_keras.models.backbones.placement import STAGES
from nonlocal_keras.models.detection.convolutions import NORMALIZATIONS
from nonlocal_keras.models.detection.fpn import STRIDES

_COUNTS = (
    "num_classes",
    "fpn_filters",
    "rpn_convolutions",
    "pre_nms_top_n",
    "post_nms_top_n",
    "detections_per_image",
    "min_size",
    "max_size",
)
_PARTS = ("rpn_iou_threshold", "score_threshold", "iou_threshold")


def standardize(config, backbone):
    """Checks the arguments of a `MaskRCNN` and brings each into one form.

    Args:
        config: Dictionary of all arguments but `backbone`, `name` and
            `trainable`.
        backbone: The backbone.

    Returns:
        Dictionary of the same keys.

    Raises:
        ValueError: If an argument is outside its rule or would change
            nothing.
    """
    check_backbone(backbone)
    for name in _COUNTS:
        arguments.check_positive_int(name, config[name])
    for name in _PARTS:
        _check_part(name, config[name])
    if config["num_classes"] < 2:
        raise ValueError(
            "`num_classes` must be at least 2: class 0 is the background. "
            f"Received: num_classes={config['num_classes']}"
        )
    if config["max_size"] < config["min_size"]:
        raise ValueError(
            "`max_size` limits the long side of an image and must be at least "
            f"`min_size`. Received: min_size={config['min_size']}, "
            f"max_size={config['max_size']}"
        )
    _check_anchors(config["anchor_sizes"])
    boxes = _check_anchor_boxes(config["anchor_boxes"])
    strides = config["anchor_strides"]
    if strides is not None:
        strides = tuple(strides)
        for stride in strides:
            arguments.check_positive_int("anchor_strides", stride)
        if len(strides) != len(STRIDES):
            raise ValueError(
                f"`anchor_strides` must hold {len(STRIDES)} strides, one per "
                f"level, e.g. {STRIDES}. Received: anchor_strides={strides}"
            )
    hidden = config["mask_hidden"] or config["mask_filters"][-1]
    arguments.check_positive_int("mask_hidden", hidden)
    units = config["box_units"]
    if not isinstance(units, (tuple, list)):
        units = (units, units)
    if not units:
        raise ValueError(
            "`box_units` must hold the units of at least one dense layer. "
            f"Received: box_units={config['box_units']!r}"
        )
    for width in units:
        arguments.check_positive_int("box_units", width)
    arguments.check_choice(
        "normalization", config["normalization"], (None, *NORMALIZATIONS)
    )
    arguments.check_choice(
        "rpn_ranking", config["rpn_ranking"], ("probability", "logit")
    )
    if config["roi_sampling_ratio"] is not None:
        arguments.check_positive_int(
            "roi_sampling_ratio", config["roi_sampling_ratio"]
        )
    for name in ("box_filters", "mask_filters", "keypoint_filters"):
        for width in config[name]:
            arguments.check_positive_int(name, width)
    if config["num_keypoints"] is not None:
        arguments.check_positive_int("num_keypoints", config["num_keypoints"])
    elif config["keypoint_non_local"] is not None:
        raise ValueError(
            "`keypoint_non_local` without `num_keypoints` would change "
            "nothing. Set num_keypoints=17 for persons, or leave it out. "
            f"Received: keypoint_non_local={config['keypoint_non_local']}"
        )
    labels = config["labels"]
    if labels is not None and len(labels) != config["num_classes"]:
        raise ValueError(
            f"`labels` must hold {config['num_classes']} names, the first for "
            f"the background, or be None. Received: {len(labels)} names"
        )
    return {
        **config,
        "masks": bool(config["masks"]),
        "roi_aligned": bool(config["roi_aligned"]),
        "roi_shrink": float(config["roi_shrink"]),
        "anchor_sizes": tuple(map(tuple, config["anchor_sizes"])),
        "aspect_ratios": tuple(config["aspect_ratios"]),
        "anchor_boxes": boxes,
        "anchor_strides": strides,
        "box_filters": tuple(config["box_filters"]),
        "box_units": tuple(units),
        "mask_filters": tuple(config["mask_filters"]),
        "mask_hidden": hidden,
        "keypoint_filters": tuple(config["keypoint_filters"]),
        "mean": tuple(config["mean"]),
        "std": tuple(config["std"]),
        "labels": None if labels is None else tuple(labels),
        # By name, and never None: a model that is loaded elsewhere keeps it.
        "dtype": keras.dtype_policies.get(config["dtype"]).name,
    }


def check_backbone(backbone):
    """Checks that a model gives the features of four stages by name."""
    outputs = getattr(backbone, "output", None)
    if not isinstance(outputs, dict) or set(outputs) != set(STAGES):
        raise ValueError(
            "`backbone` must be a functional model whose outputs are a "
            f"dictionary of {STAGES}, such as "
            "nonlocal_keras.models.ImageResNet. "
            f"Received: backbone={backbone!r}"
        )


def _check_anchors(sizes):
    if len(sizes) != len(STRIDES) or len(set(map(len, sizes))) != 1:
        raise ValueError(
            "`anchor_sizes` must hold a tuple of sizes, of one length, for "
            f"each of the {len(STRIDES)} levels, e.g. ((32,), (64,), (128,), "
            f"(256,), (512,)). Received: anchor_sizes={sizes}"
        )


def _check_anchor_boxes(boxes):
    """Returns the boxes as tuples of Floats, or `None`."""
    if boxes is None:
        return None
    array = np.asarray(boxes, "float64")
    if array.ndim != 3 or array.shape[::2] != (len(STRIDES), 4):
        raise ValueError(
            "`anchor_boxes` must hold, for each of the "
            f"{len(STRIDES)} levels, equally many boxes of left, top, right "
            f"and bottom. Received: an array of shape {array.shape}"
        )
    return tuple(tuple(map(tuple, level)) for level in array.tolist())


def _check_part(name, value):
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1:
        raise ValueError(
            f"`{name}` must be a number from 0 to 1. Received: {name}={value!r}"
        )


def describe(config, backbone):
    """Returns `"NL Mask R-CNN on ResNet-50: 1 non-local block at res4[4]"`."""
    heads = (
        ("Mask", config["masks"]),
        ("Keypoint", config["num_keypoints"] is not None),
    )
    name = " and ".join(head for head, there in heads if there) or "Faster"
    name += " R-CNN"
    in_head = config["keypoint_non_local"] is not None
    if in_head or getattr(backbone, "non_local", None):
        name = f"NL {name}"
    if getattr(backbone, "global_context", None):
        name = f"GC {name}"
    if in_head:
        number = len(config["keypoint_filters"]) // 2
        plural = "" if number == 1 else "s"
        name += f" with {number} non-local block{plural} in its head"
    describe_backbone = getattr(backbone, "describe", lambda: backbone.name)
    return f"{name} on {describe_backbone()}"

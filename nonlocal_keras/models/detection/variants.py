"""The detectors of section 6 of the paper by name."""

import inspect
import re

from nonlocal_keras.models.backbones.image_resnet import ImageResNet
from nonlocal_keras.models.backbones.placement import published_placement
from nonlocal_keras.models.detection.mask_rcnn import MaskRCNN

_32X8D = {"groups": 32, "width_per_group": 8}
# Arguments of `ImageResNet`.
BACKBONES = {
    "r50": {"stage_blocks": (3, 4, 6, 3)},
    "r101": {"stage_blocks": (3, 4, 23, 3)},
    "x101": {"stage_blocks": (3, 4, 23, 3), **_32X8D},
    "x152": {"stage_blocks": (3, 8, 36, 3), **_32X8D},
    # Trained from scratch on small images, in minutes. Features of a box
    # reach no farther than 92 pixels without a non-local block.
    "tiny": {
        "stage_blocks": (1, 1, 1, 1),
        "width_per_group": 16,
        "stem_width": 16,
        "normalization": "batch",
    },
}
# Arguments of `MaskRCNN`. Classes have the numbers of the categories of COCO,
# some of which are of none, and 0 is the background.
HEADS = {
    "faster": {"num_classes": 91, "masks": False},
    "mask": {"num_classes": 91},
    "keypoint": {"num_classes": 2, "masks": False, "num_keypoints": 17},
}
# Arguments of `MaskRCNN` that go with a backbone.
_OF_SIZE = {
    "tiny": {
        "fpn_filters": 32,
        "box_units": 128,
        "mask_filters": (32, 32),
        "keypoint_filters": (32, 32, 32, 32),
        "anchor_sizes": ((12,), (24,), (48,), (96,), (192,)),
        "pre_nms_top_n": 200,
        "post_nms_top_n": 100,
        "detections_per_image": 20,
        "min_size": 96,
        "max_size": 256,
    },
}
# The paper does not say more of these blocks than where they stand. There is
# no batch normalization in them, since a device holds one or two images.
_BLOCK = {"normalization": None}
_POOLED_BLOCK = {**_BLOCK, "pool_size": 2}

NAME = (
    r"(nl_|nl4_(?=keypoint))?(faster|mask|keypoint)_rcnn_"
    r"(r50|r101|x101|x152|tiny)_fpn"
)
FORM = (
    "[nl_]{faster|mask|keypoint}_rcnn_{r50|r101|x101|x152|tiny}_fpn, or "
    "nl4_keypoint_rcnn_..."
)
_OF_HEADS = set(inspect.signature(MaskRCNN).parameters) - {"backbone"}
# `dtype` goes to both, the rest of what both have to the detector.
_OF_BACKBONE = set(inspect.signature(ImageResNet).parameters) - _OF_HEADS


def from_name(name, **overrides):
    """Builds a detector from a name such as `"nl_mask_rcnn_r50_fpn"`.

    With `nl` one non-local block stands in res4, right before its last
    residual block, and in a keypoint head one after every two convolutions;
    with `nl4` those of the head stand alone.

    Args:
        name: String, of the form `FORM`.
        **overrides: Arguments of `nonlocal_keras.models.MaskRCNN` and of
            `nonlocal_keras.models.ImageResNet`, its backbone. What both
            have is of the detector; `backbone`, a dictionary of arguments of
            the backbone alone, goes before all others.

    Returns:
        A `nonlocal_keras.models.MaskRCNN` with fresh weights.

    Raises:
        ValueError: For a name of another form, or a setting without an
            effect.

    Reference:

    - [Wang et al., 2018, section 6](https://arxiv.org/abs/1711.07971)
    """
    match = re.fullmatch(NAME, name)
    if not match:
        raise ValueError(
            f"`name` must be of the form {FORM}. Received: name={name!r}"
        )
    non_local, kind, size = match.groups()
    backbone = dict(BACKBONES[size])
    heads = {**HEADS[kind], **_OF_SIZE.get(size, {})}
    if non_local and kind == "keypoint":
        heads["keypoint_non_local"] = _BLOCK
    if non_local == "nl_":
        blocks = overrides.get("stage_blocks", backbone["stage_blocks"])
        backbone["non_local"] = _place(tuple(blocks))
    overrides = dict(overrides)
    of_backbone = overrides.pop("backbone", {})
    for argument, value in overrides.items():
        if argument not in _OF_BACKBONE | _OF_HEADS:
            raise ValueError(
                f"An override of {name!r} must be an argument of MaskRCNN or "
                f"of ImageResNet. Received: {argument}={value!r}"
            )
        if argument in _OF_BACKBONE or argument == "dtype":
            backbone[argument] = value
        if argument in _OF_HEADS:
            heads[argument] = value
    backbone |= of_backbone
    if backbone.get("non_local"):
        backbone.setdefault("non_local_options", _POOLED_BLOCK)
    return MaskRCNN(ImageResNet(**backbone), **heads)


def _place(blocks):
    """Returns where the paper has its one block."""
    if blocks[2] == 1:
        # There is none before the last one.
        return {"res4": (0,)}
    return published_placement(1, 3 * sum(blocks) + 2, blocks)

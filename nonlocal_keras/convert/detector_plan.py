"""Decides what the shapes of a detector cannot tell: from overrides."""

import dataclasses
import re

from nonlocal_keras.convert.detector import Detector
from nonlocal_keras.convert.name_map import ConversionError
from nonlocal_keras.models.backbones.image_resnet import ImageResNet
from nonlocal_keras.models.backbones.placement import published_placement
from nonlocal_keras.models.detection import anchors
from nonlocal_keras.models.detection.mask_rcnn import MaskRCNN

BACKBONE = (
    "strided",
    "non_local",
    "non_local_options",
    "normalization",
    "momentum",
    "epsilon",
    "synchronized",
)
HEADS = (
    "keypoint_non_local",
    "anchor_sizes",
    "aspect_ratios",
    "pre_nms_top_n",
    "post_nms_top_n",
    "rpn_iou_threshold",
    "roi_aligned",
    "score_threshold",
    "iou_threshold",
    "detections_per_image",
    "min_size",
    "max_size",
    "mean",
    "std",
    "labels",
    "name",
)
# Files that torchvision publishes as COCO_V1, by what their names end in, and
# loads into normalizations without an epsilon.
_WITHOUT_EPSILON = re.compile(r".*-(bf2d0c1e|fc266e95|258fb6c6)\.pth")
OVERRIDES = (*BACKBONE, *HEADS, "dtype")


@dataclasses.dataclass
class DetectorPlan:
    """How a detector is built and filled.

    Attributes:
        detector: `Detector`, what the tensors must fill.
        backbone: Dictionary, arguments of `ImageResNet`.
        head: Dictionary, arguments of `MaskRCNN`.
        fresh: Tuple of starts of the names of weights that stay as they are
            initialized, since the file has none for them.
        notes: List of strings, what was taken from where.
        warnings: List of strings, what the user should check. Defaults to
            `[]`.
        family: `None`: no family says more than the file.
        inflation: `None`: kernels are as long as in the file.
    """

    detector: Detector
    backbone: dict
    head: dict
    fresh: tuple
    notes: list
    warnings: list = dataclasses.field(default_factory=list)
    family: None = None
    inflation: None = None

    def shapes(self):
        """Returns the shape of the tensor that every weight must have."""
        return self.detector.shapes()

    def build(self):
        """Returns a model with fresh weights, and one line on it."""
        model = MaskRCNN(ImageResNet(**self.backbone), **self.head)
        return model, model.describe()


def make_detector_plan(detector, file, overrides):
    """Decides how the detector of a file is built.

    Args:
        detector: `Detector` of the file.
        file: String, the name of the file, without its folder.
        overrides: Dictionary of the user's settings, of names in `OVERRIDES`.

    Returns:
        A `DetectorPlan`.

    Raises:
        ConversionError: If an override contradicts the file.
    """
    shared = {k: overrides[k] for k in ("dtype",) if k in overrides}
    backbone = {
        "stage_blocks": detector.stage_blocks,
        "groups": detector.groups,
        "width_per_group": detector.width_per_group,
        **{k: overrides[k] for k in BACKBONE if k in overrides},
        **shared,
    }
    notes = [f"{name}: {overrides[name]}, as asked for" for name in overrides]
    if "epsilon" not in overrides and _WITHOUT_EPSILON.fullmatch(file):
        backbone["epsilon"] = 0.0
        notes.append("epsilon: 0.0, from the name of the file")
    if isinstance(backbone.get("non_local"), int):
        depth = 3 * sum(detector.stage_blocks) + 2
        backbone["non_local"] = published_placement(
            backbone["non_local"], depth, detector.stage_blocks
        )
    head = {
        "num_classes": detector.num_classes,
        "masks": detector.mask_hidden is not None,
        "num_keypoints": detector.num_keypoints,
        "fpn_filters": detector.fpn_filters,
        "box_units": detector.box_units,
        **{k: overrides[k] for k in HEADS if k in overrides},
        **shared,
    }
    if detector.mask_hidden is not None:
        head["mask_filters"] = detector.mask_filters
        head["mask_hidden"] = detector.mask_hidden
    if detector.num_keypoints is not None:
        head["keypoint_filters"] = detector.keypoint_filters
    _check_anchors(detector.anchors, overrides)
    fresh = ()
    if backbone.get("non_local"):
        fresh += ("nonlocal_",)
    if head.get("keypoint_non_local") is not None:
        fresh += ("keypoint_nonlocal_",)
    return DetectorPlan(detector, backbone, head, fresh, notes)


def _check_anchors(found, overrides):
    """Refuses anchors of another number than the file has outputs for."""
    sizes = overrides.get("anchor_sizes", anchors.SIZES)
    ratios = overrides.get("aspect_ratios", anchors.ASPECT_RATIOS)
    number = len(sizes[0]) * len(ratios)
    if number != found:
        raise ConversionError(
            "`anchor_sizes` and `aspect_ratios` must make as many anchors at "
            f"a position as the file has outputs for, {found}. Received: "
            f"anchor_sizes={sizes}, aspect_ratios={ratios}, which make "
            f"{number}"
        )

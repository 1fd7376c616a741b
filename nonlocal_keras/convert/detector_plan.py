"""Decides what the shapes of a detector cannot tell: from overrides."""

import dataclasses

from nonlocal_keras.convert.detector import Detector
from nonlocal_keras.convert.detector_sources import anchor_boxes
from nonlocal_keras.convert.name_map import ConversionError
from nonlocal_keras.models.backbones.image_resnet import ImageResNet
from nonlocal_keras.models.backbones.placement import published_placement
from nonlocal_keras.models.detection import anchors
from nonlocal_keras.models.detection.mask_rcnn import MaskRCNN

BACKBONE = (
    "strided",
    "non_local",
    "non_local_options",
    "global_context",
    "global_context_options",
    "normalization",
    "momentum",
    "epsilon",
    "synchronized",
)
HEADS = (
    "keypoint_non_local",
    "anchor_sizes",
    "aspect_ratios",
    "anchor_boxes",
    "anchor_strides",
    "pre_nms_top_n",
    "post_nms_top_n",
    "rpn_iou_threshold",
    "rpn_ranking",
    "roi_aligned",
    "roi_sampling_ratio",
    "roi_shrink",
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
OVERRIDES = (*BACKBONE, *HEADS, "bgr", "dtype")


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


def make_detector_plan(detector, published, overrides):
    """Decides how the detector of a file is built.

    Args:
        detector: `Detector` of the file.
        published: `nonlocal_keras.convert.detector_sources.Published`.
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
        **published.backbone,
        **{k: overrides[k] for k in BACKBONE if k in overrides},
        **shared,
    }
    asked = set(overrides)
    if asked & {"anchor_sizes", "aspect_ratios"}:
        asked.add("anchor_boxes")
    notes = [
        note
        for note in published.notes
        if not set(note.split(":")[0].split(", ")) <= asked
    ]
    notes += [f"{name}: {overrides[name]}, as asked for" for name in overrides]
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
        "rpn_convolutions": detector.rpn_convolutions,
        "box_filters": detector.box_filters,
        "box_units": detector.box_units,
        **published.head,
        **{k: overrides[k] for k in HEADS if k in overrides},
        **shared,
    }
    if detector.normalized:
        # As that of the backbone.
        head["normalization"] = backbone.get("normalization", "frozen")
    if detector.mask_hidden is not None:
        head["mask_filters"] = detector.mask_filters
        head["mask_hidden"] = detector.mask_hidden
    if detector.num_keypoints is not None:
        head["keypoint_filters"] = detector.keypoint_filters
    _decide_anchors(detector.anchors, published, head, overrides)
    fresh = _decide_context(detector.context, backbone, overrides)
    if backbone.get("non_local"):
        fresh += ("nonlocal_",)
    if head.get("keypoint_non_local") is not None:
        fresh += ("keypoint_nonlocal_",)
    return DetectorPlan(detector, backbone, head, fresh, notes)


def _decide_context(context, backbone, overrides):
    """Decides on global context blocks, and returns which are fresh."""
    if context is None:
        return ("global_context_",) if backbone.get("global_context") else ()
    for name in ("global_context", "global_context_options"):
        if name in overrides:
            raise ConversionError(
                f"`{name}` follows from the tensors of the file, which has "
                f"such blocks in {', '.join(context.stages)}. Leave it out. "
                f"Received: {name}={overrides[name]!r}"
            )
    backbone["global_context"] = context.stages
    backbone["global_context_options"] = {
        "ratio": context.ratio,
        "pooling": context.pooling,
        "fusions": context.fusions,
    }
    return ()


def _decide_anchors(found, published, head, overrides):
    """Decides on anchors, of as many as the file has outputs for."""
    of_user = {k: overrides.get(k) for k in ("anchor_sizes", "aspect_ratios")}
    boxes = head.get("anchor_boxes")
    if "anchor_boxes" not in overrides:
        asked = any(value is not None for value in of_user.values())
        if asked or boxes is None:
            boxes = anchor_boxes(published.place_anchors, *of_user.values())
    elif any(value is not None for value in of_user.values()):
        raise ConversionError(
            "`anchor_boxes` take the place of `anchor_sizes` and "
            "`aspect_ratios`. Give either the boxes or these. Received: "
            f"anchor_sizes={of_user['anchor_sizes']}, "
            f"aspect_ratios={of_user['aspect_ratios']}"
        )
    head["anchor_boxes"] = boxes
    sizes = of_user["anchor_sizes"] or anchors.SIZES
    ratios = of_user["aspect_ratios"] or anchors.ASPECT_RATIOS
    number = len(sizes[0]) * len(ratios) if boxes is None else len(boxes[0])
    if number != found:
        raise ConversionError(
            "`anchor_sizes` and `aspect_ratios` must make as many anchors at "
            f"a position as the file has outputs for, {found}. Received: "
            f"anchor_sizes={sizes}, aspect_ratios={ratios}, "
            f"anchor_boxes={overrides.get('anchor_boxes')}, which make "
            f"{number}"
        )

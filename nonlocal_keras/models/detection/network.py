"""How backbone, pyramid and heads of a `MaskRCNN` are connected."""

import keras
from keras import ops

from nonlocal_keras.models.backbones.placement import STAGES
from nonlocal_keras.models.detection.box_head import box_head
from nonlocal_keras.models.detection.detections import Detections
from nonlocal_keras.models.detection.fpn import feature_pyramid
from nonlocal_keras.models.detection.keypoint_head import keypoint_head
from nonlocal_keras.models.detection.mask_head import ClassMasks
from nonlocal_keras.models.detection.mask_head import mask_head
from nonlocal_keras.models.detection.proposals import Proposals
from nonlocal_keras.models.detection.roi_pooling import RoIAlign
from nonlocal_keras.models.detection.rpn_head import region_proposal_head

# Rows and columns of the features of a box, for classes and for maps.
BOX_SIZE = 7
MAP_SIZE = 14


def connect(backbone, config):
    """Connects all layers of a detector.

    Args:
        backbone: A functional model from images to a dictionary of stages.
        config: Dictionary of `config.standardize`.

    Returns:
        The dictionary of inputs, `images` and `image_sizes`, and that of
        outputs: `boxes`, `labels`, `confidence`, `num_detections`, and where
        the model has such heads `masks` and `keypoint_maps`.
    """
    images = keras.Input(backbone.input_shape[1:], name="images")
    sizes = keras.Input((2,), dtype="int32", name="image_sizes")
    pyramid = _pyramid(backbone, config)(backbone(images))
    proposals = _propose(config, pyramid, images, sizes)
    # The coarsest level is for proposals alone.
    finest = pyramid[:-1]
    outputs = _detect(config, finest, proposals, sizes)
    if config["masks"]:
        outputs["masks"] = _draw_masks(config, finest, outputs)
    if config["num_keypoints"] is not None:
        outputs["keypoint_maps"] = _draw_keypoints(config, finest, outputs)
    return {"images": images, "image_sizes": sizes}, outputs


def _pyramid(backbone, config):
    stages = backbone.output
    channels = tuple(stages[stage].shape[-1] for stage in STAGES)
    return feature_pyramid(
        channels,
        config["fpn_filters"],
        config["dtype"],
        config["normalization"],
    )


def _propose(config, pyramid, images, sizes):
    anchors = len(config["anchor_sizes"][0]) * len(config["aspect_ratios"])
    if config["anchor_boxes"] is not None:
        anchors = len(config["anchor_boxes"][0])
    head = region_proposal_head(
        config["fpn_filters"],
        anchors,
        config["dtype"],
        config["rpn_convolutions"],
    )
    logits, deltas = zip(*map(head, pyramid))
    return Proposals(
        config["anchor_sizes"],
        config["aspect_ratios"],
        config["pre_nms_top_n"],
        config["post_nms_top_n"],
        config["rpn_iou_threshold"],
        config["anchor_boxes"],
        config["anchor_strides"],
        config["rpn_ranking"],
        name="proposals",
    )(list(logits), list(deltas), images, sizes)


def _detect(config, pyramid, proposals, sizes):
    boxes, valid = proposals
    head = box_head(
        config["fpn_filters"],
        BOX_SIZE,
        config["box_units"],
        config["num_classes"],
        config["dtype"],
        config["box_filters"],
        config["normalization"],
    )
    logits, deltas = head(_pool(config, "box", BOX_SIZE)(pyramid, boxes))
    names = ("boxes", "labels", "confidence", "num_detections")
    found = Detections(
        config["score_threshold"],
        config["iou_threshold"],
        config["detections_per_image"],
        name="detections",
    )(logits, deltas, boxes, valid, sizes)
    return dict(zip(names, found))


def _draw_masks(config, pyramid, found):
    head = mask_head(
        config["fpn_filters"],
        MAP_SIZE,
        config["mask_filters"],
        config["mask_hidden"],
        config["num_classes"],
        config["dtype"],
        config["normalization"],
    )
    logits = head(_pool(config, "mask", MAP_SIZE)(pyramid, found["boxes"]))
    masks = ClassMasks(name="class_masks", dtype="float32")
    return masks(logits, found["labels"])


def _draw_keypoints(config, pyramid, found):
    head = keypoint_head(
        config["fpn_filters"],
        MAP_SIZE,
        config["keypoint_filters"],
        config["num_keypoints"],
        config["dtype"],
        config["keypoint_non_local"],
    )
    maps = head(_pool(config, "keypoint", MAP_SIZE)(pyramid, found["boxes"]))
    # The head has seen the boxes of all images in one row.
    shape = (-1, config["detections_per_image"], *maps.shape[1:])
    return ops.reshape(maps, shape)


def _pool(config, kind, size):
    return RoIAlign(
        size,
        config["roi_sampling_ratio"],
        config["roi_aligned"],
        config["roi_shrink"],
        name=f"{kind}_roi_align",
        dtype=config["dtype"],
    )

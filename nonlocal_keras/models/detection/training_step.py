"""One step of training, up to the losses: no optimizer and no loop."""

from keras import ops

from nonlocal_keras.models.detection import losses
from nonlocal_keras.models.detection import map_targets
from nonlocal_keras.models.detection import targets as objects
from nonlocal_keras.models.detection.anchors import pyramid_anchors
from nonlocal_keras.models.detection.detections import DELTA_WEIGHTS
from nonlocal_keras.models.detection.proposals import propose
from nonlocal_keras.models.detection.roi_samples import draw_rois
from nonlocal_keras.models.detection.rpn_training import rpn_losses
from nonlocal_keras.ops import boxes as box_ops
from nonlocal_keras.ops.backend import rows_that_count

# A box that `encode` takes, in rows that have no target.
_UNIT = (0.0, 0.0, 1.0, 1.0)


def names(config):
    """Returns the names of the losses of a detector."""
    heads = {
        "mask_loss": config["masks"],
        "keypoint_loss": config["num_keypoints"] is not None,
    }
    return (
        "rpn_objectness_loss",
        "rpn_box_loss",
        "class_loss",
        "box_loss",
        *(name for name, there in heads.items() if there),
    )


def losses_of(model, config, options, inputs, targets, seed, training):
    """Returns the losses of a batch.

    Args:
        model: A `MaskRCNN`, whose layers are called.
        config: Dictionary of `config.standardize`.
        options: Dictionary of `sampling.standardize`.
        inputs: Dictionary of `images` and `image_sizes`.
        targets: Dictionary, see `MaskRCNN.losses_of`.
        seed: Integer or `keras.random.SeedGenerator`.
        training: Boolean, how layers behave.

    Returns:
        Dictionary of float32 scalars, one for each of `names`.
    """

    def call(layer, *inputs):
        return model.get_layer(layer)(*inputs, training=training)

    targets = objects.standardize(
        targets,
        config["masks"],
        config["num_keypoints"],
        config["num_classes"],
    )
    images = ops.convert_to_tensor(inputs["images"])
    stages = model.backbone(images, training=training)
    pyramid = call("fpn", stages)
    logits, deltas = zip(*(call("rpn", level) for level in pyramid))
    anchors = pyramid_anchors(
        config["anchor_sizes"],
        config["aspect_ratios"],
        logits,
        images,
        config["anchor_boxes"],
        config["anchor_strides"],
    )
    found = rpn_losses(logits, deltas, anchors, targets, options, seed)
    proposals = propose(
        list(map(ops.stop_gradient, logits)),
        list(map(ops.stop_gradient, deltas)),
        anchors,
        ops.convert_to_tensor(inputs["image_sizes"]),
        {
            **options,
            "iou_threshold": config["rpn_iou_threshold"],
            "ranking": config["rpn_ranking"],
        },
    )
    samples = draw_rois(*proposals, targets, options, seed)
    # The coarsest level is for proposals alone.
    finest = pyramid[:-1]
    features = call("box_roi_align", finest, samples["rois"])
    found += _of_boxes(*call("box_head", features), samples, targets)

    # Positive proposals come first. Mostly there are few.
    most = int(options["roi_samples"] * options["roi_positive_fraction"])
    positive = ops.cast(samples["labels"][:, :most] > 0, "int32")
    most = rows_that_count(ops.sum(positive, axis=1), most)
    samples = {name: values[:, :most] for name, values in samples.items()}
    if config["masks"]:
        features = call("mask_roi_align", finest, samples["rois"])
        logits = call("mask_head", features)
        aligned = config["roi_aligned"]
        found += (_of_masks(logits, samples, targets, aligned),)
    if config["num_keypoints"] is not None:
        features = call("keypoint_roi_align", finest, samples["rois"])
        logits = call("keypoint_head", features)
        found += (_of_keypoints(logits, samples, targets),)
    return dict(zip(names(config), found, strict=True))


def _of_boxes(logits, deltas, samples, targets):
    """Returns the losses of classes and of boxes."""
    rois, labels = _in_one_row(samples["rois"]), _in_one_row(samples["labels"])
    positive = labels > 0
    boxes = _look_up(targets["boxes"], samples["object"])
    unit = ops.convert_to_tensor(_UNIT, "float32")
    boxes, rois = (ops.where(positive[:, None], x, unit) for x in (boxes, rois))
    # Each class has deltas of its own.
    deltas = ops.reshape(deltas, (-1, logits.shape[-1], 4))
    deltas = ops.take_along_axis(deltas, labels[:, None, None], axis=1)[:, 0]
    weights = ops.cast(_in_one_row(samples["drawn"]), "float32")
    return (
        losses.class_loss(logits, labels, weights),
        losses.box_loss(
            deltas,
            box_ops.encode(boxes, rois, DELTA_WEIGHTS),
            ops.cast(positive, "float32"),
            weights,
        ),
    )


def _of_masks(logits, samples, targets, aligned):
    labels = _in_one_row(samples["labels"])
    masks = _look_up(targets["masks"], samples["object"])
    # An object without a mask teaches none.
    taught = (labels > 0) & ops.any(masks > 0, axis=(1, 2))
    masks = map_targets.mask_targets(
        masks,
        _look_up(targets["boxes"], samples["object"]),
        _in_one_row(samples["rois"]),
        logits.shape[1],
        aligned,
    )
    return losses.mask_loss(logits, masks, labels, ops.cast(taught, "float32"))


def _of_keypoints(logits, samples, targets):
    places, there = map_targets.keypoint_targets(
        _look_up(targets["keypoints"], samples["object"]),
        _in_one_row(samples["rois"]),
        logits.shape[1],
    )
    taught = there & (_in_one_row(samples["labels"]) > 0)[:, None]
    return losses.keypoint_loss(logits, places, ops.cast(taught, "float32"))


def _in_one_row(x):
    """Returns `(batch, n, ...)` as `(batch * n, ...)`, as heads see boxes."""
    return ops.reshape(x, (-1, *x.shape[2:]))


def _look_up(values, index):
    """Returns the rows `(batch * n, ...)` of `(batch, m, ...)` by `(batch, n)`.

    `take_along_axis` would make an index as large as the result.
    """
    batch, rows = ops.shape(values)[:2]
    image = ops.arange(batch, dtype="int32")[:, None]
    index = ops.reshape(index + image * rows, (-1,))
    return ops.take(_in_one_row(values), index, axis=0)

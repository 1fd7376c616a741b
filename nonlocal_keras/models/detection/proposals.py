"""Boxes that may hold an object, of any class: the best anchors, moved."""

import keras
from keras import layers
from keras import ops

from nonlocal_keras.models.detection.anchors import pyramid_anchors
from nonlocal_keras.ops import boxes as box_ops
from nonlocal_keras.ops import suppression
from nonlocal_keras.ops.suppression import NEVER

_SMALLEST = 1e-3


def propose(logits, deltas, anchors, image_sizes, options):
    """Returns the best boxes of all levels.

    Args:
        logits: List of tensors `(batch, height, width, anchors)`, one per
            level.
        deltas: List of tensors `(batch, height, width, 4 * anchors)`.
        anchors: List of float32 tensors `(height * width * anchors, 4)`.
        image_sizes: Tensor `(batch, 2)`, heights and widths of the images
            without their padding.
        options: Dictionary of `pre_nms_top_n` (of each level), `post_nms_top_n`
            (of an image), `iou_threshold` and perhaps `ranking`.

    Returns:
        float32 tensor `(batch, post_nms_top_n, 4)`, best first, and a Boolean
        tensor `(batch, post_nms_top_n)` that is true where there is a box.
    """
    top_n = options["pre_nms_top_n"]
    ranking = options.get("ranking", "probability")
    levels = [
        _best_of_level(*level, image_sizes, top_n, ranking)
        for level in zip(logits, deltas, anchors)
    ]
    number = len(levels)
    boxes, scores = (ops.concatenate(x, axis=1) for x in zip(*levels))
    valid = scores > NEVER
    groups = ops.repeat(ops.arange(number, dtype="int32"), top_n)[None]
    # Levels do not suppress each other: a row each.
    rows = suppression.move_apart(boxes, groups, valid)
    count = min(top_n, options["post_nms_top_n"])
    kept, found = suppression.suppress(
        ops.reshape(rows, (-1, top_n, 4)),
        ops.reshape(scores, (-1, top_n)),
        count,
        options["iou_threshold"],
    )
    boxes = ops.reshape(boxes, (-1, top_n, 4))
    boxes = ops.take_along_axis(boxes, kept[..., None], axis=1)
    scores = ops.reshape(scores, (-1, top_n))
    scores = ops.where(found, ops.take_along_axis(scores, kept, axis=1), NEVER)
    boxes = ops.reshape(boxes, (-1, number * count, 4))
    scores = ops.reshape(scores, (-1, number * count))
    return _best(boxes, scores, options["post_nms_top_n"])


def _best_of_level(logits, deltas, anchors, image_sizes, top_n, ranking):
    """Returns the best anchors of one level as boxes, with their scores."""
    batch, number = ops.shape(logits)[0], ops.shape(anchors)[0]
    logits = ops.cast(ops.reshape(logits, (batch, -1)), "float32")
    # A level may have fewer anchors than are taken.
    nothing = ops.full((batch, top_n), NEVER, dtype="float32")
    logits = ops.concatenate([logits, nothing], axis=1)
    logits, index = ops.top_k(logits, top_n)
    index = ops.minimum(ops.cast(index, "int32"), number - 1)
    deltas = ops.reshape(deltas, (batch, -1, 4))
    deltas = ops.take_along_axis(deltas, index[..., None], axis=1)
    boxes = box_ops.decode(deltas, ops.take(anchors, index, axis=0))
    boxes = box_ops.clip(boxes, image_sizes)
    widths, heights = box_ops.sizes(boxes)
    valid = (widths >= _SMALLEST) & (heights >= _SMALLEST) & (logits > NEVER)
    # Probabilities next to one are equal where logits are not yet.
    scores = logits if ranking == "logit" else ops.sigmoid(logits)
    return boxes, ops.where(valid, scores, NEVER)


def _best(boxes, scores, count):
    """Returns the best boxes of each row; those of a tie in their order."""
    missing = count - scores.shape[1]
    if missing > 0:
        boxes = ops.pad(boxes, ((0, 0), (0, missing), (0, 0)))
        scores = ops.pad(scores, ((0, 0), (0, missing)), constant_values=NEVER)
    order = ops.argsort(-scores, axis=1)[:, :count]
    boxes = ops.take_along_axis(boxes, order[..., None], axis=1)
    valid = ops.take_along_axis(scores, order, axis=1) > NEVER
    return ops.where(valid[..., None], boxes, 0.0), valid


@keras.saving.register_keras_serializable("nonlocal_keras")
class Proposals(layers.Layer):
    """The proposals for a batch of images, from what the head says.

    Args:
        anchor_sizes: Tuple of a tuple of Integers per level, in pixels.
        aspect_ratios: Tuple of Floats, heights over widths.
        pre_nms_top_n: Integer, anchors of each level that are looked at.
        post_nms_top_n: Integer, proposals of an image.
        iou_threshold: Float, of the suppression.
        anchor_boxes: As for `MaskRCNN`. Defaults to `None`.
        anchor_strides: As for `MaskRCNN`. Defaults to `None`.
        ranking: As `rpn_ranking` of `MaskRCNN`. Defaults to
            `"probability"`.
        **kwargs: `name`, as in every Keras layer.

    Returns:
        float32 tensor `(batch, post_nms_top_n, 4)` of boxes, and a Boolean
        tensor `(batch, post_nms_top_n)`.
    """

    def __init__(
        self,
        anchor_sizes,
        aspect_ratios,
        pre_nms_top_n,
        post_nms_top_n,
        iou_threshold,
        anchor_boxes=None,
        anchor_strides=None,
        ranking="probability",
        **kwargs,
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.anchor_sizes = tuple(map(tuple, anchor_sizes))
        self.aspect_ratios = tuple(aspect_ratios)
        self.anchor_boxes = anchor_boxes
        self.anchor_strides = anchor_strides
        self.options = {
            "pre_nms_top_n": pre_nms_top_n,
            "post_nms_top_n": post_nms_top_n,
            "iou_threshold": iou_threshold,
            "ranking": ranking,
        }

    def call(self, logits, deltas, images, image_sizes):
        anchors = pyramid_anchors(
            self.anchor_sizes,
            self.aspect_ratios,
            logits,
            images,
            self.anchor_boxes,
            self.anchor_strides,
        )
        return propose(logits, deltas, anchors, image_sizes, self.options)

    def compute_output_spec(self, logits, deltas, images, image_sizes):
        shape = (images.shape[0], self.options["post_nms_top_n"])
        return (
            keras.KerasTensor((*shape, 4), "float32"),
            keras.KerasTensor(shape, "bool"),
        )

    def get_config(self):
        return {
            **super().get_config(),
            "anchor_sizes": self.anchor_sizes,
            "aspect_ratios": self.aspect_ratios,
            "anchor_boxes": self.anchor_boxes,
            "anchor_strides": self.anchor_strides,
            **self.options,
        }

"""What the head of region proposals learns from: some anchors of an image."""

from keras import ops

from nonlocal_keras.models.detection import losses
from nonlocal_keras.ops import boxes as box_ops
from nonlocal_keras.ops.matching import match
from nonlocal_keras.ops.subsets import draw_balanced


def rpn_losses(logits, deltas, anchors, targets, options, seed):
    """Returns the losses of some anchors, drawn at random.

    An anchor is positive where it overlaps an object by the upper threshold,
    or more than every other anchor does, and negative where it overlaps each
    object less than by the lower one. All anchors take part, also those that
    reach out of the image.

    Args:
        logits: List of tensors `(batch, height, width, anchors)`, one per
            level.
        deltas: List of tensors `(batch, height, width, 4 * anchors)`.
        anchors: List of float32 tensors `(height * width * anchors, 4)`.
        targets: Dictionary of `targets.standardize`.
        options: Dictionary of `sampling.OPTIONS`.
        seed: Integer or `keras.random.SeedGenerator`.

    Returns:
        The loss of objectness and that of boxes.

    Reference:

    - [Ren et al., 2015, section 3.1](https://arxiv.org/abs/1506.01497)
    """
    batch = ops.shape(logits[0])[0]
    logits = [ops.reshape(x, (batch, -1)) for x in logits]
    deltas = [ops.reshape(x, (batch, -1, 4)) for x in deltas]
    logits = ops.concatenate(logits, axis=1)
    deltas = ops.concatenate(deltas, axis=1)
    anchors = ops.concatenate(anchors, axis=0)[None]

    low, high = options["rpn_iou_thresholds"]
    overlap, match_index, is_best = match(
        anchors, targets["boxes"], targets["valid"]
    )
    positive = (overlap >= high) | is_best
    index, drawn = draw_balanced(
        positive,
        (overlap < low) & ~positive,
        options["rpn_samples"],
        options["rpn_positive_fraction"],
        seed,
    )

    positive = ops.take_along_axis(positive, index, axis=1) & drawn
    anchors = ops.take(anchors[0], index, axis=0)
    match_index = ops.take_along_axis(match_index, index, axis=1)
    boxes = ops.take_along_axis(
        targets["boxes"], match_index[..., None], axis=1
    )
    boxes = ops.where(positive[..., None], boxes, anchors)
    logits = ops.take_along_axis(logits, index, axis=1)
    deltas = ops.take_along_axis(deltas, index[..., None], axis=1)
    weights = ops.cast(drawn, "float32")
    return (
        losses.objectness_loss(logits, positive, weights),
        losses.box_loss(
            deltas,
            box_ops.encode(boxes, anchors),
            ops.cast(positive, "float32"),
            weights,
        ),
    )

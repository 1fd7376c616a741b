"""The proposals that the heads of boxes and maps learn from."""

from keras import ops

from nonlocal_keras.ops.matching import match
from nonlocal_keras.ops.subsets import draw_balanced


def draw_rois(proposals, valid, targets, options, seed):
    """Draws some proposals of each image, and says what each should be.

    The boxes of the objects take part as proposals, so that there are
    positive ones from the first step on.

    Args:
        proposals: float32 tensor `(batch, n, 4)`.
        valid: Boolean tensor `(batch, n)`.
        targets: Dictionary of `targets.standardize`.
        options: Dictionary of `sampling.OPTIONS`.
        seed: Integer or `keras.random.SeedGenerator`.

    Returns:
        Dictionary of tensors for each of `count = roi_samples` proposals:

        - `rois`: float32 tensor `(batch, count, 4)`, the positive ones first.
        - `labels`: int32 tensor `(batch, count)`, 0 for the background.
        - `drawn`: Boolean tensor `(batch, count)`, which of them count.
        - `object`: int32 tensor `(batch, count)`, the row of the object that
          a positive one overlaps most.

    Reference:

    - [Girshick, 2015, section 2.3](https://arxiv.org/abs/1504.08083)
    """
    boxes = targets["boxes"]
    candidates = ops.concatenate([proposals, boxes], axis=1)
    candidates = ops.stop_gradient(candidates)
    valid = ops.concatenate([valid, targets["valid"]], axis=1)
    overlap, match_index, _ = match(candidates, boxes, targets["valid"])
    positive = overlap >= options["roi_iou_threshold"]
    count = options["roi_samples"]
    index, drawn = draw_balanced(
        positive & valid,
        ~positive & valid,
        count,
        options["roi_positive_fraction"],
        seed,
    )
    positive = ops.take_along_axis(positive, index, axis=1) & drawn
    rois = ops.take_along_axis(candidates, index[..., None], axis=1)
    object_index = ops.take_along_axis(match_index, index, axis=1)
    labels = ops.take_along_axis(targets["labels"], object_index, axis=1)
    return {
        # What is not drawn is a box as well: of no area, at the origin.
        "rois": ops.where(drawn[..., None], rois, 0.0),
        "labels": ops.where(positive, labels, 0),
        "drawn": drawn,
        "object": object_index,
    }

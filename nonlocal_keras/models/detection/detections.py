"""Boxes with classes and scores, from what the box head says of proposals."""

import keras
from keras import layers
from keras import ops

from nonlocal_keras.ops import boxes as box_ops
from nonlocal_keras.ops import suppression
from nonlocal_keras.ops.suppression import NEVER

# Factors of the deltas, which bring their deviations to about one.
DELTA_WEIGHTS = (10.0, 10.0, 5.0, 5.0)
PADDING = -1
_SMALLEST = 1e-2


def detect(logits, deltas, proposals, valid, image_sizes, options):
    """Returns the detections of each image, the most certain ones first.

    A proposal may become a detection of every class but the background, class
    0; suppression looks at each class alone.

    Args:
        logits: Tensor `(batch, n, classes)`.
        deltas: Tensor `(batch, n, 4 * classes)`.
        proposals: float32 tensor `(batch, n, 4)`.
        valid: Boolean tensor `(batch, n)`, which of them count.
        image_sizes: Tensor `(batch, 2)`, heights and widths.
        options: Dictionary of `score_threshold`, `iou_threshold` and
            `detections_per_image`.

    Returns:
        Boxes `(batch, detections, 4)` in float32, labels in int32 and
        probabilities in float32 of `(batch, detections)`, all of them
        `PADDING` after the last detection, and the number of detections
        `(batch,)` in int32.
    """
    n, classes = logits.shape[1:]
    boxes = box_ops.decode(
        ops.reshape(deltas, (-1, n, classes, 4)),
        proposals[:, :, None],
        DELTA_WEIGHTS,
    )[:, :, 1:]
    boxes = box_ops.clip(boxes, image_sizes)
    scores = ops.softmax(ops.cast(logits, "float32"), axis=-1)[..., 1:]
    widths, heights = box_ops.sizes(boxes)
    possible = valid[..., None] & (scores > options["score_threshold"])
    possible &= (widths >= _SMALLEST) & (heights >= _SMALLEST)
    scores = ops.where(possible, scores, NEVER)

    candidates = n * (classes - 1)
    boxes = ops.reshape(boxes, (-1, candidates, 4))
    scores = ops.reshape(scores, (-1, candidates))
    labels = ops.tile(ops.arange(1, classes, dtype="int32"), n)[None]
    labels = ops.zeros_like(scores, "int32") + labels
    kept, found = suppression.suppress(
        suppression.move_apart(boxes, labels, scores > NEVER),
        scores,
        options["detections_per_image"],
        options["iou_threshold"],
        labels,
    )
    boxes = ops.take_along_axis(boxes, kept[..., None], axis=1)
    return (
        ops.where(found[..., None], boxes, PADDING),
        ops.where(found, ops.take_along_axis(labels, kept, axis=1), PADDING),
        ops.where(found, ops.take_along_axis(scores, kept, axis=1), PADDING),
        ops.sum(ops.cast(found, "int32"), axis=1),
    )


@keras.saving.register_keras_serializable("nonlocal_keras")
class Detections(layers.Layer):
    """The detections of a batch of images, see `detect`.

    Args:
        score_threshold: Float, less certain boxes are left out.
        iou_threshold: Float, of the suppression.
        detections_per_image: Integer, at most so many.
        **kwargs: `name`, as in every Keras layer.

    Returns:
        What `detect` does.
    """

    def __init__(
        self, score_threshold, iou_threshold, detections_per_image, **kwargs
    ):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.options = {
            "score_threshold": score_threshold,
            "iou_threshold": iou_threshold,
            "detections_per_image": detections_per_image,
        }

    def call(self, logits, deltas, proposals, valid, image_sizes):
        # The head has seen the boxes of all images in one row.
        n = proposals.shape[1]
        logits = ops.reshape(logits, (-1, n, logits.shape[-1]))
        deltas = ops.reshape(deltas, (-1, n, deltas.shape[-1]))
        return detect(
            logits, deltas, proposals, valid, image_sizes, self.options
        )

    def compute_output_spec(
        self, logits, deltas, proposals, valid, image_sizes
    ):
        batch = proposals.shape[0]
        shape = (batch, self.options["detections_per_image"])
        return (
            keras.KerasTensor((*shape, 4), "float32"),
            keras.KerasTensor(shape, "int32"),
            keras.KerasTensor(shape, "float32"),
            keras.KerasTensor((batch,), "int32"),
        )

    def get_config(self):
        return {**super().get_config(), **self.options}

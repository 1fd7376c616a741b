"""The losses of region proposals, anchor by anchor in NumPy."""

import numpy as np
import pytest
from keras import ops

from nonlocal_keras.models.detection import sampling
from nonlocal_keras.models.detection.rpn_training import rpn_losses
from tests.support.backends import numpy


def draw(rng, *shape):
    corner, size = rng.uniform(0, 60, (2, *shape, 2))
    return np.concatenate([corner, corner + 4 + size], -1).astype("float32")


def overlap(a, b):
    width = max(min(a[2], b[2]) - max(a[0], b[0]), 0)
    height = max(min(a[3], b[3]) - max(a[1], b[1]), 0)
    areas = [(x[2] - x[0]) * (x[3] - x[1]) for x in (a, b)]
    return width * height / (sum(areas) - width * height)


def expected(logits, deltas, anchors, boxes, valid, low, high):
    """Both losses of all anchors, from their definition."""
    entropy, distance, count = 0.0, 0.0, 0
    for image in range(len(logits)):
        objects = boxes[image][valid[image]].astype(float)
        table = [
            [overlap(a, b) for b in objects] for a in anchors.astype(float)
        ]
        table = np.array(table).reshape(len(anchors), len(objects))
        best = table.max(axis=1, initial=0)
        is_best = ((table == table.max(axis=0)) & (table > 0)).any(axis=1)
        for i, anchor in enumerate(anchors.astype(float)):
            positive = best[i] >= high or is_best[i]
            if not positive and best[i] >= low:
                continue
            p = 1 / (1 + np.exp(-float(logits[image, i])))
            entropy -= np.log(p if positive else 1 - p)
            count += 1
            if positive:
                box = objects[table[i].argmax()]
                size, new = anchor[2:] - anchor[:2], box[2:] - box[:2]
                shift = (box[:2] + new / 2) - (anchor[:2] + size / 2)
                target = np.concatenate([shift / size, np.log(new / size)])
                error = np.abs(deltas[image, i] - target)
                smooth = np.where(error < 1 / 9, 4.5 * error**2, error - 1 / 18)
                distance += smooth.sum()
    return entropy / count, distance / count


@pytest.mark.any_backend
@pytest.mark.parametrize("thresholds", [(0.3, 0.7), (0.2, 0.4)])
def test_losses_are_those_of_every_anchor(thresholds):
    rng = np.random.default_rng(0)
    # Two levels, of 2 x 3 and 1 x 2 positions with 4 anchors each.
    sizes = [(2, 3, 4), (1, 2, 4)]
    counts = [int(np.prod(size)) for size in sizes]
    logits = rng.normal(size=(2, sum(counts))).astype("float32")
    deltas = rng.normal(size=(2, sum(counts), 4)).astype("float32")
    anchors, boxes = draw(rng, sum(counts)), draw(rng, 2, 5)
    valid = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0]]) > 0
    parts = np.cumsum(counts)[:-1]
    found = rpn_losses(
        [
            ops.convert_to_tensor(x.reshape(2, *size))
            for x, size in zip(np.split(logits, parts, axis=1), sizes)
        ],
        [
            ops.convert_to_tensor(x.reshape(2, *size[:2], -1))
            for x, size in zip(np.split(deltas, parts, axis=1), sizes)
        ],
        [ops.convert_to_tensor(x) for x in np.split(anchors, parts)],
        {
            "boxes": ops.convert_to_tensor(boxes),
            "valid": ops.convert_to_tensor(valid),
        },
        {
            **sampling.OPTIONS,
            "rpn_iou_thresholds": thresholds,
            "rpn_samples": 1000,
        },
        seed=0,
    )
    wanted = expected(logits, deltas, anchors, boxes, valid, *thresholds)
    found = [float(numpy(loss)) for loss in found]
    np.testing.assert_allclose(found, wanted, rtol=1e-4)

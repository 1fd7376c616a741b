"""Proposals: the best anchors of all levels, without those that repeat."""

import keras
import numpy as np
import pytest
from keras import ops

from nonlocal_keras.models.detection.proposals import Proposals
from nonlocal_keras.models.detection.proposals import propose
from tests.support.backends import numpy

OPTIONS = {"pre_nms_top_n": 4, "post_nms_top_n": 5, "iou_threshold": 0.5}


def run(boxes, scores, sizes=((100, 100),), **options):
    """Proposals from levels of boxes that do not move."""
    logits = [np.array(s, "float32").reshape(1, 1, -1, 1) for s in scores]
    deltas = [np.zeros((1, 1, len(s), 4), "float32") for s in scores]
    anchors = [ops.convert_to_tensor(np.array(b, "float32")) for b in boxes]
    logits = list(map(ops.convert_to_tensor, logits))
    deltas = list(map(ops.convert_to_tensor, deltas))
    sizes = ops.convert_to_tensor(np.array(sizes, "int32"))
    found = propose(logits, deltas, anchors, sizes, {**OPTIONS, **options})
    boxes, valid = map(numpy, found)
    assert not boxes[~valid].any()
    return boxes[0][valid[0]].tolist()


def square(x, size=10):
    return [x, 0, x + size, size]


@pytest.mark.any_backend
def test_best_come_first_whatever_their_level():
    levels = [square(0), square(20)], [square(40)]
    found = run(levels, [[1.0, 3.0], [2.0]])
    assert found == [square(20), square(40), square(0)]


@pytest.mark.parametrize("ranking", ["probability", "logit"])
def test_large_logits_are_told_apart_by_themselves_alone(ranking):
    # Their probabilities are one, and the first of equals comes first.
    levels = [square(0), square(20)], [square(40)]
    found = run(levels, [[20.0, 30.0], [25.0]], ranking=ranking)
    by_logit = [square(20), square(40), square(0)]
    in_order = [square(20), square(0), square(40)]
    assert found == (by_logit if ranking == "logit" else in_order)


def test_levels_do_not_suppress_each_other():
    levels = [square(0), square(1)], [square(2)]
    found = run(levels, [[2.0, 1.0], [3.0]])
    assert found == [square(2), square(0)]


def test_each_level_gives_its_best_anchors_alone():
    boxes = [square(20 * i) for i in range(4)]
    found = run([boxes, boxes[:1]], [[4.0, 3, 2, 1], [0.0]], pre_nms_top_n=2)
    assert found == [boxes[0], boxes[1], boxes[0]]


def test_no_more_are_given_than_asked_for():
    boxes = [square(20 * i) for i in range(4)]
    assert run([boxes], [[1.0, 2, 3, 4]], post_nms_top_n=1) == [boxes[3]]


def test_boxes_end_at_the_image_and_empty_ones_are_left_out():
    boxes = [square(0), square(45), square(60)]
    found = run([boxes], [[1.0, 2.0, 3.0]], sizes=((8, 50),))
    assert found == [[45, 0, 50, 8], [0, 0, 10, 8]]


def test_the_layer_is_made_again_from_its_config():
    layer = Proposals(((8,), (16,)), (1.0,), 4, 5, 0.5)
    twin = Proposals.from_config(layer.get_config())
    logits = [ops.zeros((2, n, n, 1)) for n in (4, 2)]
    deltas = [ops.zeros((2, n, n, 4)) for n in (4, 2)]
    sizes = ops.convert_to_tensor(np.array([[32, 32], [20, 24]], "int32"))
    inputs = logits, deltas, ops.zeros((2, 32, 32, 3)), sizes
    for one, other in zip(layer(*inputs), twin(*inputs)):
        np.testing.assert_array_equal(numpy(one), numpy(other))


@pytest.mark.any_backend
def test_shapes_are_known_before_sizes_are():
    maps = [keras.KerasTensor((None, None, None, n)) for n in (1, 4)]
    images = keras.KerasTensor((None, None, None, 3))
    sizes = keras.KerasTensor((None, 2), "int32")
    layer = Proposals(((8,),), (1.0,), 4, 5, 0.5)
    boxes, valid = layer([maps[0]], [maps[1]], images, sizes)
    assert (boxes.shape, valid.shape) == ((None, 5, 4), (None, 5))

"""Boxes: their coding, areas and overlaps, by their definitions."""

import numpy as np
import pytest
from keras import ops

from nonlocal_keras.ops import boxes as box_ops
from tests.support.backends import numpy


def random_boxes(*shape, seed=0):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 100, (*shape, 2))
    size = rng.uniform(1, 40, (*shape, 2))
    return np.concatenate([corner, corner + size], -1).astype("float32")


@pytest.mark.any_backend
@pytest.mark.parametrize("weights", [(1, 1, 1, 1), (10, 10, 5, 5)])
def test_decoding_undoes_encoding(weights):
    boxes, references = random_boxes(3, 5), random_boxes(3, 5, seed=1)
    boxes, references = map(ops.convert_to_tensor, (boxes, references))
    deltas = box_ops.encode(boxes, references, weights)
    decoded = box_ops.decode(deltas, references, weights)
    np.testing.assert_allclose(numpy(decoded), numpy(boxes), atol=1e-4)


def test_deltas_move_by_sizes_and_scale_by_exponents():
    reference = ops.convert_to_tensor([[10.0, 20.0, 30.0, 60.0]])
    deltas = ops.convert_to_tensor([[0.5, -0.25, np.log(2.0), 0.0]])
    decoded = numpy(box_ops.decode(deltas, reference))
    # Center (20, 40) to (30, 30), width 20 to 40, height 40.
    np.testing.assert_allclose(decoded, [[10, 10, 50, 50]], rtol=1e-6)


def test_a_box_is_enlarged_by_a_bounded_factor():
    reference = ops.convert_to_tensor([[0.0, 0.0, 16.0, 16.0]])
    deltas = ops.convert_to_tensor([[0.0, 0.0, 1e4, 1e4]])
    x1, y1, x2, y2 = numpy(box_ops.decode(deltas, reference))[0]
    assert x2 - x1 == pytest.approx(1000, rel=1e-5)
    assert y2 - y1 == pytest.approx(1000, rel=1e-5)


@pytest.mark.any_backend
def test_half_precision_deltas_give_boxes_in_float32():
    references = ops.convert_to_tensor(random_boxes(4))
    deltas = ops.zeros((4, 4), "bfloat16")
    decoded = numpy(box_ops.decode(deltas, references))
    np.testing.assert_allclose(decoded, numpy(references), rtol=1e-6)


@pytest.mark.any_backend
def test_clipping_takes_the_size_of_each_image():
    boxes = np.array([[[-5, -5, 50, 50]], [[10, 10, 50, 50]]], "float32")
    sizes = np.array([[20, 30], [40, 60]], "int32")
    clipped = box_ops.clip(*map(ops.convert_to_tensor, (boxes, sizes)))
    expected = [[[0, 0, 30, 20]], [[10, 10, 50, 40]]]
    np.testing.assert_array_equal(numpy(clipped), expected)


@pytest.mark.any_backend
def test_overlap_is_intersection_over_union():
    a = np.array([[0, 0, 2, 2], [0, 0, 0, 0]], "float32")
    b = np.array([[1, 1, 3, 3], [0, 0, 2, 2], [5, 5, 6, 6]], "float32")
    found = numpy(box_ops.iou(*map(ops.convert_to_tensor, (a, b))))
    expected = [[1 / 7, 1, 0], [0, 0, 0]]
    np.testing.assert_allclose(found, expected, rtol=1e-6)

"""Matching finds what the table of all overlaps says."""

import numpy as np
import pytest
from keras import ops

from nonlocal_keras.ops.matching import match
from tests.support.backends import numpy


def draw(*shape, seed=0):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 60, (*shape, 2))
    size = rng.uniform(1, 40, (*shape, 2))
    return np.concatenate([corner, corner + size], -1).astype("float32")


def table(references, boxes):
    """Intersection over union of all pairs, pair by pair."""
    overlaps = np.zeros((len(references), len(boxes)), "float32")
    for i, a in enumerate(references):
        for j, b in enumerate(boxes):
            width = max(min(a[2], b[2]) - max(a[0], b[0]), np.float32(0))
            height = max(min(a[3], b[3]) - max(a[1], b[1]), np.float32(0))
            both = sum((x[2] - x[0]) * (x[3] - x[1]) for x in (a, b))
            overlaps[i, j] = width * height / (both - width * height)
    return overlaps


def run(references, boxes, valid):
    tensors = map(ops.convert_to_tensor, (references, boxes, valid))
    return list(map(numpy, match(*tensors)))


@pytest.mark.any_backend
# One row of boxes, one that fills a tile, and one of several tiles.
@pytest.mark.parametrize("number", [1, 16, 37])
@pytest.mark.parametrize("shared", [True, False])
def test_the_best_box_of_each_reference_is_found(number, shared):
    references = draw(1 if shared else 2, 40)
    boxes = draw(2, number, seed=1)
    valid = np.random.default_rng(2).uniform(size=(2, number)) < 0.7
    valid[0, 0] = True
    overlap, index, is_best = run(references, boxes, valid)
    for image in range(2):
        expected = table(references[0 if shared else image], boxes[image])
        expected[:, ~valid[image]] = 0
        largest = expected.max(axis=1)
        np.testing.assert_allclose(overlap[image], largest, rtol=1e-5)
        met = largest > 0
        found = np.take_along_axis(expected, index[image][:, None], 1)[:, 0]
        np.testing.assert_allclose(found[met], largest[met], rtol=1e-5)
        most = expected.max(axis=0)
        best = np.isclose(expected, most, rtol=1e-6, atol=0) & (most > 0)
        np.testing.assert_array_equal(is_best[image], best.any(axis=1))


@pytest.mark.any_backend
def test_what_meets_no_box_overlaps_nothing():
    references = draw(1, 5)
    boxes = np.array([[[500, 500, 510, 510], [0, 0, 90, 90]]], "float32")
    overlap, _, is_best = run(references, boxes, np.array([[True, False]]))
    assert not overlap.any() and not is_best.any()


def test_the_first_of_equal_boxes_is_taken():
    references = draw(1, 5)
    # In one tile, and in two of them.
    for number in (2, 20):
        boxes = np.repeat(references[:, :1], number, axis=1)
        _, index, _ = run(references, boxes, np.ones((1, number), bool))
        assert index[0, 0] == 0


def test_all_references_of_a_tie_are_best():
    references = np.array([[[0, 0, 4, 4], [8, 0, 12, 4], [0, 0, 1, 1]]])
    boxes = np.array([[[2, 0, 10, 4]]])
    _, _, is_best = run(
        references.astype("float32"),
        boxes.astype("float32"),
        np.array([[True]]),
    )
    assert is_best.tolist() == [[True, True, False]]

"""Suppression keeps what the greedy loop of its definition keeps."""

import numpy as np
import pytest
from keras import ops

from nonlocal_keras.ops import suppression
from tests.support.backends import compile_call
from tests.support.backends import numpy
from tests.support.backends import tensorflow_only
from tests.support.marks import mostly_slow


def overlap(a, b):
    width = max(min(a[2], b[2]) - max(a[0], b[0]), np.float32(0))
    height = max(min(a[3], b[3]) - max(a[1], b[1]), np.float32(0))
    both = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (both - width * height)


def greedy(boxes, scores, count, iou_threshold, groups):
    kept = []
    for index in np.argsort(-scores, kind="stable"):
        rivals = [i for i in kept if groups[i] == groups[index]]
        if np.isfinite(scores[index]) and not any(
            overlap(boxes[i], boxes[index]) > iou_threshold for i in rivals
        ):
            kept.append(int(index))
    return kept[:count]


def draw(n, groups=1, seed=0):
    """Two rows of boxes; scores are rounded, so that some are equal."""
    rng = np.random.default_rng(seed)
    corner, size = rng.uniform(0, 60, (2, n, 2)), rng.uniform(1, 30, (2, n, 2))
    boxes = np.concatenate([corner, corner + size], -1).astype("float32")
    scores = rng.uniform(size=(2, n)).round(2).astype("float32")
    scores[0, ::7] = suppression.NEVER
    return boxes, scores, rng.integers(0, groups, (2, n)).astype("int32")


def suppress(boxes, scores, count, iou_threshold, groups):
    tensors = map(ops.convert_to_tensor, (boxes, scores, groups))
    boxes, scores, groups = tensors
    kept, found = suppression.suppress(
        boxes, scores, count, iou_threshold, groups
    )
    return [
        row[there].tolist() for row, there in zip(numpy(kept), numpy(found))
    ]


@pytest.mark.any_backend
@mostly_slow(
    pytest.mark.parametrize(
        "n, count, iou_threshold, groups",
        [(40, 40, 0.5, 1), (40, 40, 0.3, 3), (40, 5, 0.5, 2), (3, 9, 0.5, 1)],
    ),
    1,
    3,
)
def test_rows_keep_what_the_greedy_loop_keeps(n, count, iou_threshold, groups):
    boxes, scores, groups = draw(n, groups)
    options = count, iou_threshold
    kept = suppress(boxes, scores, *options, groups)
    for row in range(2):
        expected = greedy(boxes[row], scores[row], *options, groups[row])
        assert kept[row] == expected


def test_tiles_go_on_where_the_one_before_ended(monkeypatch):
    boxes, scores, groups = draw(100, groups=4)
    whole = suppress(boxes, scores, 60, 0.5, groups)
    monkeypatch.setattr(suppression, "_TILE", 16)
    assert suppress(boxes, scores, 60, 0.5, groups) == whole
    assert len(whole[0]) > 32


def test_a_chain_of_boxes_is_resolved_to_its_end():
    # Each box overlaps its neighbors alone: every second one stays.
    start = 6.0 * np.arange(50, dtype="float32")
    boxes = np.stack([start, 0 * start, start + 10, 0 * start + 10], axis=1)
    scores = np.linspace(1, 0.5, 50).astype("float32")[None]
    groups = np.zeros((1, 50), "int32")
    kept = suppress(boxes[None], scores, 50, 0.2, groups)
    assert kept == [list(range(0, 50, 2))]


def test_no_box_at_all():
    boxes, scores, groups = draw(8)
    scores[:] = suppression.NEVER
    assert suppress(boxes, scores, 3, 0.5, groups) == [[], []]


@pytest.mark.slow
@tensorflow_only
def test_compiled_by_xla_it_keeps_the_same():
    boxes, scores, groups = draw(40, groups=2)
    function = compile_call(
        lambda *x: suppression.suppress(x[0], x[1], 20, 0.5, x[2])
    )
    kept, found = map(numpy, function(boxes, scores, groups))
    expected = suppress(boxes, scores, 20, 0.5, groups)
    assert [r[f].tolist() for r, f in zip(kept, found)] == expected


def move_apart(boxes, groups, valid):
    tensors = map(ops.convert_to_tensor, (boxes, groups, valid))
    return numpy(suppression.move_apart(*tensors))


@pytest.mark.any_backend
def test_groups_are_moved_by_more_than_the_largest_coordinate():
    boxes = np.array([[[0, 0, 4, 4], [1, 1, 9, 3], [2, 2, 99, 9]]], "float32")
    groups = np.array([[0, 2, 1]], "int32")
    valid = np.array([[True, True, False]])
    moved = move_apart(boxes, groups, valid)
    np.testing.assert_array_equal(moved[0, 0], boxes[0, 0])
    np.testing.assert_array_equal(moved[0, 1], boxes[0, 1] + 20)


def test_many_boxes_stay_where_they_are():
    boxes = np.ones((1, 1001, 4), "float32")
    groups = np.ones((1, 1001), "int32")
    valid = np.ones((1, 1001), bool)
    np.testing.assert_array_equal(move_apart(boxes, groups, valid), boxes)

"""What counts as the same detections when detectors are compared."""

import numpy as np
import pytest

from benchmarks.parity.detectors import comparison


def draw(scores=(0.9, 0.5, 0.50001, 0.2)):
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 100, (len(scores), 2))
    sides = rng.uniform(20, 50, (len(scores), 2))
    return {
        "boxes": np.concatenate([corners, corners + sides], axis=1),
        "labels": np.arange(len(scores)) % 2 + 1,
        "scores": np.array(scores),
        "masks": rng.uniform(size=(len(scores), 6, 8)),
    }


def change(found, index, **values):
    copy = {name: array.copy() for name, array in found.items()}
    for name, value in values.items():
        copy[name][index] += value
    return copy


def rows(found, order):
    return {name: array[list(order)] for name, array in found.items()}


def compare(ours, theirs):
    total = comparison.Comparison()
    total.add(ours, theirs)
    return total


def test_the_same_detections_are_the_same():
    ours = change(draw(), 2, boxes=0.04, scores=-9e-5)
    ours = change(ours, 1, masks=9e-4)
    total = compare(ours, draw())
    assert total.passed
    assert (total.images, total.objects, total.ties) == (1, 4, 0)
    assert total.differences == pytest.approx(
        {"boxes": 0.04, "scores": 9e-5, "masks": 9e-4}
    )


@pytest.mark.parametrize(
    "values",
    [
        {"boxes": 0.06},
        {"scores": 1.1e-4},
        {"masks": 1.1e-3},
        {"masks": np.nan},
        {"boxes": np.nan},
        {"labels": 1},
    ],
)
def test_a_detection_that_differs_is_noticed(values):
    total = compare(change(draw(), 1, **values), draw())
    # A second image cannot make up for it.
    total.add(draw(), draw())
    assert not total.passed


def test_a_mask_may_move_with_its_box():
    theirs = draw()
    side = (theirs["boxes"][1, 2:] - theirs["boxes"][1, :2]).min()
    moved = 0.03 * 28 / side
    for extra, passed in ((9e-4, True), (1.1e-3, False)):
        ours = change(theirs, 1, boxes=0.03, masks=moved + extra)
        assert compare(ours, theirs).passed == passed
        assert not compare(change(theirs, 1, masks=moved), theirs).passed


def test_one_more_or_less_is_noticed():
    most = rows(draw(), (0, 1, 3))
    assert compare(most, draw()).other == 1
    assert compare(draw(), most).other == 1
    assert compare(rows(draw(), (0, 0, 1, 2, 3)), draw()).other == 1
    assert not compare(most, draw()).passed


def test_the_order_counts_but_for_equal_scores():
    tie = compare(rows(draw(), (0, 2, 1, 3)), draw())
    assert tie.passed and (tie.ties, tie.swapped) == (2, 0)
    other = compare(rows(draw(), (0, 1, 3, 2)), draw())
    assert not other.passed and (other.ties, other.swapped) == (0, 2)


def test_the_limit_may_fall_between_two_equal_scores():
    scores = (0.9, 0.5, 0.2, 0.20001)
    ours, theirs = (rows(draw(scores), x) for x in ((0, 1, 2), (0, 1, 3)))
    for limit, passed in ((3, True), (4, False), (None, False)):
        total = comparison.Comparison(limit=limit)
        total.add(ours, theirs)
        assert total.passed == passed and total.ties == 2 * passed
    total = comparison.Comparison(limit=3)
    total.add(ours, rows(draw((0.9, 0.5, 0.2, 0.201)), (0, 1, 3)))
    assert not total.passed


def test_masks_are_compared_where_their_whole_pixels_are_the_same():
    # Enlarged by 30/28, it begins just below a whole pixel, or just above.
    found = rows(draw(), (0,))
    below, above = (
        {**found, "boxes": np.array([[20 + gap, 30.2, 48 + gap, 58.3]])}
        for gap in (-1e-3, 1e-3)
    )
    moved = {**above, "masks": found["masks"] + 0.5}
    total = comparison.Comparison(whole_pixels=True)
    total.add(moved, below)
    assert total.passed and total.edges == 1
    total.add(moved, above)
    assert not total.passed and total.edges == 1
    assert not compare(moved, below).passed


def test_a_keypoint_may_be_at_the_other_one_of_two_equal_maxima():
    points = {
        "keypoints": np.zeros((4, 3, 2)),
        "keypoint_scores": np.ones((4, 3)),
    }
    theirs = {**draw(), **points}
    ours = change(theirs, (1, 2), keypoints=5.0, keypoint_scores=9e-4)
    tie = compare(ours, theirs)
    assert tie.passed and tie.ties == 1
    other = change(ours, (1, 2), keypoint_scores=2e-4)
    assert not compare(other, theirs).passed
    without = {**draw(), "keypoints": points["keypoints"]}
    assert not compare(ours, without).passed


def test_finding_nothing_in_any_image_is_no_agreement():
    assert not compare(rows(draw(), ()), rows(draw(), ())).passed


def test_overlaps_are_of_one_class():
    ours = {"boxes": np.array([[0, 0, 2, 2]]), "labels": np.array([1])}
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6], [0, 0, 2, 2]])
    theirs = {"boxes": boxes, "labels": np.array([1, 1, 1, 2])}
    found = comparison.misfits(ours, theirs)
    np.testing.assert_allclose(found, [[0, 1 - 1 / 3, 1, 2]])

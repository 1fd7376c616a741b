"""Positions of a map: sets that attend to each other, masks, scores."""

import numpy as np
import pytest

from nonlocal_keras.ops import positions
from tests.support.backends import numpy

pytestmark = pytest.mark.any_backend

SHAPE = (2, 3, 4, 5, 2)
AXES = [(0,), (1, 2), (0, 2), (1,), (0, 1, 2)]


@pytest.fixture
def clip():
    return np.arange(np.prod(SHAPE), dtype="float32").reshape(SHAPE)


@pytest.mark.parametrize("axes", AXES, ids=str)
def test_sets_go_back_to_where_they_came_from(clip, axes):
    sets = positions.to_sets(clip, axes)
    assert sets.shape[1] == np.prod([SHAPE[1 + axis] for axis in axes])
    back = positions.from_sets(sets, axes, like=clip)
    np.testing.assert_array_equal(numpy(back), clip)


def test_a_set_over_time_is_one_pixel_in_all_frames(clip):
    sets = numpy(positions.to_sets(clip, (0,)))
    np.testing.assert_array_equal(sets[1], clip[0, :, 0, 1])


def test_a_group_of_frames_is_a_sample(clip):
    groups = numpy(positions.split_frames(clip, 3))
    np.testing.assert_array_equal(groups[4], clip[1, 1:2])


@pytest.mark.parametrize("axes", AXES, ids=str)
def test_scores_have_the_sizes_of_the_sets(clip, axes):
    sets = positions.to_sets(positions.split_frames(clip, 3), axes)
    b, *middle, queries, keys = positions.score_shape(SHAPE, axes, 3, None)
    assert (b * np.prod(middle), queries) == sets.shape[:2]
    assert keys == queries


def test_scores_of_unknown_sizes_are_unknown():
    shape = positions.score_shape((None, 4, None, 5, 2), (0,), 2, (2, 1, 1))
    assert shape == (None, None, 2, 1)


def test_invalid_positions_never_win_a_window():
    x = np.array([[[1.0], [9.0], [8.0], [7.0]]], "float32")
    mask = np.array([[[1.0], [0.0], [0.0], [0.0]]], "float32")
    pooled_mask = positions.pool_mask(mask, (2,))
    pooled = positions.pool_valid(x, (2,), mask, pooled_mask)
    assert numpy(pooled)[..., 0].tolist() == [[1.0, 0.0]]
    assert numpy(pooled_mask)[..., 0].tolist() == [[True, False]]


def test_a_mask_of_frames_holds_for_all_their_pixels(clip):
    mask = np.array([[True, False, True], [False, False, True]])
    full = numpy(positions.expand_mask(mask, clip, "float32"))
    assert full.shape == (*SHAPE[:-1], 1)
    np.testing.assert_array_equal(full[0, :, 3, 4, 0], [1.0, 0.0, 1.0])

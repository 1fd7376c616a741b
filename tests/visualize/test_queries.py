"""A query is a frame and pixel of the source, or a part of the input."""

import numpy as np
import pytest

from nonlocal_keras.visualize import queries
from nonlocal_keras.visualize.clip import Clip

# 4 of 20 frames, the right half of frames of 40 x 60 scaled by a half.
CLIP = Clip(
    inputs=np.zeros((1, 4, 20, 15, 3), "float32"),
    pictures=None,
    scale=(2.0, 2.0),
    offset=(0.0, 30.0),
    source_size=(20, 40, 60),
    frames=np.array([4, 8, 12, 16]),
    name="video.mp4",
)


def test_integers_are_frames_and_pixels_of_the_source():
    assert queries.place_in_input((8, 10, 40), CLIP) == (1.5, 5.25, 5.25)


def test_a_frame_that_the_clip_leaves_out_is_the_nearest_one():
    assert queries.place_in_input((9, 0, 40), CLIP)[0] == 1.5


def test_floats_are_parts_of_what_the_model_sees():
    assert queries.place_in_input((0.0, 0.5, 1.0), CLIP) == (0.0, 10.0, 14.5)


@pytest.mark.parametrize(
    "query, words",
    [
        ((20, 0, 40), "frames go from 0 to 19"),
        ((0, 40, 40), "rows go from 0 to 39"),
        ((0, 0, 10), "columns from 30 to 59 of 60, the rest is cut off"),
        ((0, 1.5, 40), "from 0.0 to 1.0"),
        ((0, -1, 40), "rows go from 0"),
        ((0.5, 0.5), "frame, row, column"),
        ((True, 0, 40), "an integer counts"),
        ((float("nan"), 0, 40), "from 0.0 to 1.0"),
    ],
)
def test_a_query_outside_is_refused_with_what_is_inside(query, words):
    with pytest.raises(ValueError, match=words):
        queries.place_in_input(query, CLIP)


def test_one_query_or_several():
    assert queries.listed((0, 0.5)) == [(0, 0.5)]
    assert queries.listed([(0, 1), [2, 3]]) == [(0, 1), (2, 3)]
    assert queries.listed(np.array([[1, 2]])) == [(1, 2)]
    for wrong in ([], "0,0", [(0, 1), 2], None):
        with pytest.raises(ValueError, match="tuple of numbers"):
            queries.listed(wrong)


def test_text_keeps_integers_and_parts_apart():
    assert queries.parsed("0,0.5,1") == (0, 0.5, 1)
    assert [type(n) for n in queries.parsed("1,1.0")] == [int, float]
    with pytest.raises(ValueError, match="'0,x'"):
        queries.parsed("0,x")


def test_an_index_must_be_on_the_map():
    assert queries.check_index((1, 2), (2, 3), "b") == (1, 2)
    for wrong in ((2, 0), (0, -1), (0,), (0.5, 1)):
        with pytest.raises(ValueError, match=r"'b' sees, .* to \(1, 2\)"):
            queries.check_index(wrong, (2, 3), "b")

import numpy as np
import pytest

from nonlocal_keras import data
from nonlocal_keras.data import sampling


def test_clip_indices_take_every_stride_th_frame():
    assert data.clip_indices(3, frames=4, stride=2, total=20).tolist() == [
        3,
        5,
        7,
        9,
    ]


def test_clip_indices_wrap_around_a_short_video():
    assert data.clip_indices(0, frames=5, stride=2, total=4).tolist() == [
        0,
        2,
        0,
        2,
        0,
    ]


def test_a_clip_that_counts_time_covers_the_same_seconds_at_any_rate():
    slow = data.clip_indices(0, 8, 8, total=1000, ratio=1.0)
    fast = data.clip_indices(0, 8, 8, total=1000, ratio=2.0)
    assert slow.tolist() == [0, 9, 18, 27, 36, 45, 54, 63]
    assert fast.tolist() == [0, 18, 36, 54, 72, 90, 108, 127]


def test_a_clip_that_counts_time_stays_within_the_video():
    clip = data.clip_indices(10, 4, 8, total=20, ratio=1.0)
    assert clip.tolist() == [10, 19, 19, 19]


def test_a_clip_of_one_frame_is_its_first():
    assert data.clip_indices(5, 1, 8, total=20, ratio=1.0).tolist() == [5]


def test_random_starts_cover_all_that_fit():
    rng = np.random.default_rng(0)
    starts = {data.random_start(rng, 4, 2, total=11) for _ in range(200)}
    assert starts == {0, 1, 2, 3}


def test_random_starts_in_time_cover_all_that_fit():
    rng = np.random.default_rng(0)
    starts = [
        data.random_start(rng, 4, 2, total=20, ratio=2.0) for _ in range(200)
    ]
    assert 0 <= min(starts) < 0.2 and 3.8 < max(starts) <= 4


def test_random_start_of_a_short_video_is_its_first_frame():
    assert data.random_start(np.random.default_rng(0), 8, 8, total=20) == 0
    rng = np.random.default_rng(0)
    assert data.random_start(rng, 8, 8, total=20, ratio=1.5) == 0.0


def test_one_clip_stands_in_the_middle():
    assert sampling.middle_start(frames=4, stride=2, total=20) == 6
    # SlowFast: decoder.py, get_start_end_idx with use_offset.
    assert sampling.middle_start(4, 2, total=20, ratio=0.9) == 6


def test_three_crops_lie_along_the_longer_side():
    assert data.crop_offsets(3, 256, 340, 256) == [(0, 0), (0, 42), (0, 84)]
    assert data.crop_offsets(3, 340, 256, 256) == [(0, 0), (42, 0), (84, 0)]


def test_one_crop_is_the_centre():
    assert data.crop_offsets(1, 256, 340, 224) == [(16, 58)]


def test_other_numbers_of_crops_are_refused():
    with pytest.raises(ValueError, match="`crops` must be 1, 3 or 10.*crops=2"):
        data.crop_offsets(2, 256, 256, 224)


def test_ten_crops_are_five_that_are_mirrored():
    assert data.crop_offsets(10, 256, 340, 224) == [
        (0, 0),
        (0, 116),
        (32, 0),
        (32, 116),
        (16, 58),
    ]


def test_random_spread_clips_start_in_the_first_part():
    rng = np.random.default_rng(0)
    starts = [data.random_start(rng, 4, None, total=80) for _ in range(99)]
    assert 0 <= min(starts) < 2 and 18 < max(starts) < 20

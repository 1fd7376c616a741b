"""The views of published tests, to the frame and to the pixel.

The expected numbers are those of the projects' own functions, which the tests
name; they were run on a video of 301 frames, and on one that is too short.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nonlocal_keras import data
from nonlocal_keras.data import views

TEN = {
    # video-nonlocal-net: caffe2_customized_ops/video/customized_video_io.cc,
    # DecodeClipFromVideoFileFlex.
    "vnl": [0, 30, 60, 90, 120, 150, 180, 210, 240, 270],
    # mmaction2 1.2.0: mmaction/datasets/transforms/loading.py, SampleFrames.
    "mmaction2": [0, 26, 53, 79, 106, 132, 159, 185, 212, 238],
    # The same file, DenseSampleFrames.
    "mmaction2_dense": [0, 26, 52, 79, 105, 131, 158, 184, 210, 237],
    # mmaction2 0.24.1: mmaction/datasets/pipelines/loading.py, SampleFrames.
    "mmaction2_v0": [11, 35, 59, 83, 107, 130, 154, 178, 202, 226],
    # GluonCV: gluoncv/torch/data/video_cls/dataset_classification.py.
    "gluoncv_torch": [0, 26, 52, 78, 104, 132, 158, 184, 210, 238],
    # GluonCV: gluoncv/data/video_custom/classification.py,
    # _sample_test_indices.
    "gluoncv": [11, 35, 59, 83, 107, 130, 154, 178, 202, 226],
    # temporal-shift-module: ops/dataset.py, _get_test_indices.
    "tsm_dense": [0, 26, 52, 79, 105, 131, 158, 184, 210, 237],
}


@pytest.mark.parametrize("rule", TEN)
def test_ten_clips_start_where_the_project_starts_them(rule):
    indices = data.view_indices(rule, 10, frames=32, stride=2, total=301)
    assert indices.shape == (10, 32)
    assert indices[:, 0].tolist() == TEN[rule]
    assert indices[0].tolist() == list(
        range(TEN[rule][0], TEN[rule][0] + 63, 2)
    )


ROUND = [*range(0, 40, 2), *range(0, 24, 2)]
STAYS = [*range(0, 40, 2), *(12 * [38])]


@pytest.mark.parametrize(
    ("rule", "clip"),
    [
        ("mmaction2", ROUND),
        ("mmaction2_dense", ROUND),
        ("mmaction2_v0", ROUND),
        ("tsm_dense", ROUND),
        # The last kept frame is repeated.
        ("gluoncv_torch", STAYS),
        ("gluoncv", STAYS),
    ],
)
def test_a_short_video_fills_its_clips_as_the_project_does(rule, clip):
    indices = data.view_indices(rule, 10, frames=32, stride=2, total=40)
    assert indices.tolist() == 10 * [clip]


def test_short_videos_of_the_authors_release_go_round():
    indices = data.view_indices("vnl", 10, frames=32, stride=2, total=40)
    assert indices[:, 0].tolist() == list(range(0, 40, 4))
    assert indices[0].tolist() == ROUND


def test_gluoncv_never_reads_the_last_frame_of_a_short_video():
    # classification.py: `if offset + self.new_step < duration`, from 1 on.
    indices = data.view_indices("gluoncv", 1, frames=32, stride=2, total=3)
    assert set(indices.ravel().tolist()) == {0}


def test_charades_clips_lie_around_centres_and_stay_inside():
    # video-long-term-feature-banks: lib/datasets/charades.py,
    # sample_center_of_segments, and dataset_helper.py, get_sequence.
    indices = data.view_indices("lfb", 10, frames=32, stride=4, total=301)
    assert indices[:, 0].tolist() == [
        *(0, 0, 11, 41, 71, 102, 132, 162, 192, 222)
    ]
    assert indices[:, -1].tolist() == [
        *(75, 105, 135, 165, 195, 226, 256, 286, 300, 300)
    ]


def test_the_clip_of_an_action_lies_around_its_middle_rounded_down():
    # video-long-term-feature-banks: lib/datasets/epic.py, get_sequence.
    indices = data.view_indices("lfb", 1, frames=32, stride=2, total=103)
    assert indices[0, [0, -1]].tolist() == [51 - 32, 51 - 32 + 62]


# SlowFast: slowfast/datasets/decoder.py, get_start_end_idx and
# temporal_sampling, at 30 frames per second.
@pytest.mark.parametrize(
    ("rate", "second"),
    [
        (30, [23, 32, 41, 50, 59, 68, 77, 86]),
        (60, [17, 35, 53, 71, 89, 108, 126, 144]),
        (25, [24, 32, 39, 47, 54, 62, 69, 77]),
    ],
)
def test_pyslowfast_counts_time(rate, second):
    indices = data.view_indices(
        "pyslowfast", 10, 8, 8, total=301, fps=30, rate=rate
    )
    assert indices[1].tolist() == second


def test_pyslowfast_stays_at_the_last_frame_of_a_short_video():
    indices = data.view_indices(
        "pyslowfast", 10, 8, 8, total=40, fps=30, rate=30
    )
    assert indices.tolist() == 10 * [[0, 9, 18, 27, 36, 39, 39, 39]]


def test_positions_are_rounded_as_pytorch_rounds_them():
    # In double precision the third and the fifth of them are 14 and 29.
    indices = data.view_indices(
        "pyslowfast", 10, 8, 8, total=55, fps=30, rate=25
    )
    assert indices[1].tolist() == [0, 7, 15, 22, 30, 37, 45, 52]


# pytorchvideo: pytorchvideo/data/clip_sampling.py,
# ConstantClipsPerVideoSampler, encoded_video_pyav.py, get_clip, and
# transforms/functional.py, uniform_temporal_subsample.
@pytest.mark.parametrize(
    ("rate", "second"),
    [
        (30, [27, 36, 45, 54, 63, 72, 81, 90]),
        (60, [20, 38, 56, 74, 92, 110, 128, 147]),
        (25, [28, 35, 42, 50, 57, 65, 72, 80]),
    ],
)
def test_pytorchvideo_counts_seconds(rate, second):
    indices = data.view_indices(
        "pytorchvideo", 10, 8, 8, total=301, fps=30, rate=rate
    )
    assert indices[1].tolist() == second


def test_pytorchvideo_thins_out_a_short_video():
    indices = data.view_indices(
        "pytorchvideo", 10, 8, 8, total=40, fps=30, rate=60
    )
    assert indices.tolist() == 10 * [[0, 5, 11, 16, 22, 27, 33, 39]]


def test_rules_that_count_frames_refuse_a_frame_rate():
    with pytest.raises(ValueError, match="`rule` must be one of vnl, pysl.*mm"):
        data.view_indices("mmaction2", 10, 8, 8, 300, fps=30, rate=25)
    with pytest.raises(ValueError, match="`rate`.*must be given.*rate=None"):
        data.view_indices("pyslowfast", 10, 8, 8, 300, fps=30)


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="`rule` must be one of vnl, .*'tsn'"):
        data.view_indices("tsn", 10, 8, 8, 300)
    with pytest.raises(ValueError, match="`rule` must be one of vnl, .*'tsn'"):
        data.view_corners("tsn", 3, 256, 340, 256)


@given(
    rule=st.sampled_from(data.VIEW_RULES),
    clips=st.integers(1, 12),
    frames=st.integers(1, 40),
    stride=st.none() | st.integers(1, 16),
    total=st.integers(1, 600),
    rate=st.none() | st.floats(1, 240),
)
def test_no_rule_asks_for_a_frame_that_is_not_there(
    rule, clips, frames, stride, total, rate
):
    timed = rate is not None and stride and views.RULES[rule].counts_time
    timing = {"fps": 30, "rate": rate} if timed else {}
    indices = data.view_indices(rule, clips, frames, stride, total, **timing)
    assert indices.shape == (clips, frames) and indices.dtype == int
    assert 0 <= indices.min() and indices.max() < total


@given(
    rule=st.sampled_from(data.VIEW_RULES),
    frames=st.integers(1, 16),
    stride=st.integers(1, 8),
    more=st.integers(0, 300),
)
def test_one_clip_stands_in_the_middle_of_a_longer_video(
    rule, frames, stride, more
):
    total = frames * stride + more
    (clip,) = data.view_indices(rule, 1, frames, stride, total)
    outside = clip[0] - (total - 1 - clip[-1])
    assert abs(outside) <= 2 * stride


def test_a_spread_clip_takes_the_middle_of_equal_parts():
    # mmaction2: mmaction/datasets/transforms/loading.py, SampleFrames with
    # clip_len=1, num_clips=8.
    for rule in ("mmaction2", "mmaction2_v0", "vnl"):
        (clip,) = data.view_indices(rule, 1, 8, None, total=300)
        assert clip.tolist() == [18, 56, 93, 131, 168, 206, 243, 281]


def test_a_spread_clip_of_a_short_video_repeats_frames():
    (clip,) = data.view_indices("mmaction2", 1, 4, None, total=2)
    assert clip.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("rules", "wide", "tall"),
    [
        # mmaction2: mmaction/datasets/transforms/processing.py, ThreeCrop;
        # video-nonlocal-net: customized_video_io.cc, ClipTransformFlex;
        # GluonCV: gluoncv/data/transforms/video.py, VideoThreeCrop.
        (
            "vnl mmaction2 mmaction2_dense mmaction2_v0 gluoncv gluoncv_torch",
            [(0, 0), (0, 42), (0, 84)],
            [(0, 0), (42, 0), (84, 0)],
        ),
        # SlowFast: slowfast/datasets/transform.py, uniform_crop;
        # video-long-term-feature-banks: lib/datasets/image_processor.py,
        # spatial_shift_crop_list.
        (
            "pyslowfast pytorchvideo lfb",
            [(0, 0), (0, 43), (0, 85)],
            [(0, 0), (43, 0), (85, 0)],
        ),
        # temporal-shift-module: ops/transforms.py, GroupFullResSample.
        (
            "tsm_dense",
            [(0, 0), (0, 42), (0, 84)],
            3 * [(42, 0)],
        ),
    ],
)
def test_three_crops_lie_where_the_project_puts_them(rules, wide, tall):
    for rule in rules.split():
        assert data.view_corners(rule, 3, 256, 341, 256) == wide
        assert data.view_corners(rule, 3, 341, 256, 256) == tall


def test_ten_crops_of_mmaction2_step_by_quarters():
    # mmaction/datasets/transforms/processing.py, TenCrop: 231 // 4 = 57.
    corners = data.view_corners("mmaction2", 10, 256, 455, 224)
    assert corners == [(0, 0), (0, 228), (32, 0), (32, 228), (16, 114)]
    assert data.view_corners("gluoncv", 10, 256, 455, 224)[1] == (0, 231)


def test_the_one_crop_of_pyslowfast_is_rounded_up():
    assert data.view_corners("pyslowfast", 1, 256, 341, 224) == [(16, 59)]
    assert data.view_corners("mmaction2", 1, 256, 341, 224) == [(16, 58)]


@given(
    rule=st.sampled_from(data.VIEW_RULES),
    crops=st.sampled_from((1, 3, 10)),
    size=st.integers(1, 64),
    free=st.tuples(st.integers(0, 99), st.integers(0, 99)),
)
def test_every_crop_lies_in_the_frame(rule, crops, size, free):
    corners = data.view_corners(
        rule, crops, size + free[0], size + free[1], size
    )
    assert len(corners) == {1: 1, 3: 3, 10: 5}[crops]
    corners = np.array(corners)
    assert (corners >= 0).all() and (corners <= free).all()


def test_only_mmaction2_rounds_the_longer_side():
    # mmcv/image/geometric.py, rescale_size.
    rounding = [r for r in data.VIEW_RULES if views.rounds_to_nearest(r)]
    assert rounding == ["mmaction2", "mmaction2_dense", "mmaction2_v0"]

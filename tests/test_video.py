import numpy as np
import pytest

from nonlocal_keras import data
from tests import videos


@pytest.fixture
def clip(tmp_path):
    return videos.write_video(tmp_path / "clip.mp4", frames=12)


def test_counts_the_frames(clip):
    assert data.count_frames(clip) == 12


def test_reads_the_frames_that_were_asked_for_in_their_order(clip):
    frames = data.read_frames(clip, [7, 0, 7, 3])
    assert frames.shape == (4, 36, 48, 3)
    means = frames.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(means, [56, 0, 56, 24], atol=2)


def test_scales_the_shorter_side(clip):
    assert data.read_frames(clip, [0], short_side=18).shape == (1, 18, 24, 3)
    assert data.read_frames(clip, [0], short_side=54).shape == (1, 54, 72, 3)


def test_a_frame_past_the_end_is_an_error_that_names_it(clip):
    with pytest.raises(data.VideoError, match="clip.mp4.*before frame 12"):
        data.read_frames(clip, [3, 12])


def test_an_empty_file_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "empty.mp4"
    path.touch()
    with pytest.raises(data.VideoError, match="empty.mp4"):
        data.count_frames(path)


def test_a_truncated_file_is_an_error_that_names_it(clip):
    videos.truncate(clip)
    with pytest.raises(data.VideoError, match="clip.mp4"):
        data.read_frames(clip, [0])


def test_a_text_file_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "notes.mp4"
    path.write_text("not a video\n" * 100)
    with pytest.raises(data.VideoError, match="notes.mp4"):
        data.read_frames(path, [0])


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(data.VideoError, match="gone.mp4"):
        data.count_frames(tmp_path / "gone.mp4")

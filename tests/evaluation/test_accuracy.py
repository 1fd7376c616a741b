import numpy as np
import pytest

import nonlocal_keras
from nonlocal_keras import data
from nonlocal_keras.evaluation.accuracy import wilson_interval
from tests.support import videos

SPEC = data.ClipSpec(frames=4, stride=2, size=24, short_side=(24, 24))


@pytest.fixture
def reader(tmp_path):
    root = videos.write_classes(tmp_path / "test", each=4, frames=8)
    (root / "a" / "3.mp4").write_bytes(b"")
    return data.ClipReader(data.list_videos(root), SPEC)


def by_brightness(clips):
    """Probability of class b: the brighter one."""
    bright = np.array(clips).mean(axis=(1, 2, 3, 4)) > 0
    return np.stack([1.0 - bright, bright], axis=-1)


def always_a(clips):
    return np.tile([0.9, 0.1], (len(clips), 1))


def test_a_perfect_classifier_has_top1_of_1(reader):
    result = nonlocal_keras.evaluate(by_brightness, reader, progress=False)
    assert result.top1 == 1.0
    assert (result.videos, result.skipped) == (7, 1)


def test_a_constant_classifier_has_the_share_of_its_class(reader):
    result = nonlocal_keras.evaluate(always_a, reader, progress=False)
    assert result.top1 == pytest.approx(3 / 7)
    assert result.top5 == 1.0


def test_views_are_averaged_per_video(reader):
    calls = []

    def first_view_right(clips):
        calls.append(len(clips))
        scores = np.tile([0.5, 0.5], (len(clips), 1))
        scores[::6] = by_brightness(clips)[::6]
        return scores

    result = nonlocal_keras.evaluate(
        first_view_right, reader, clips=2, crops=3, progress=False
    )
    assert result.top1 == 1.0 and sum(calls) == 7 * 6
    assert result.protocol.startswith("2 x 3 views of 4 frames, stride 2")


def test_the_protocol_says_what_is_unusual(tmp_path):
    root = videos.write_classes(tmp_path / "test", each=1, frames=8)
    spec = data.ClipSpec(
        frames=4,
        stride=2,
        size=24,
        short_side=(24, 24),
        resize=(32, 24),
        fps=30,
    )
    reader = data.ClipReader(data.list_videos(root), spec)
    result = nonlocal_keras.evaluate(
        always_a, reader, clips=2, rule="pyslowfast", progress=False
    )
    assert result.protocol == (
        "2 x 1 views of 4 frames, stride 2 at 30 frames per second, placed as "
        "by pyslowfast, of frames stretched to 32 x 24, 24 pixels; mean of "
        "probabilities"
    )


def test_without_a_readable_video_there_is_no_accuracy(reader, tmp_path):
    for path in (tmp_path / "test").glob("*/*"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="Not one of the 8 videos"):
        nonlocal_keras.evaluate(always_a, reader, progress=False)


def test_wilson_interval_agrees_with_published_values():
    # 81 of 263, Newcombe (1998), table I, method 3.
    low, high = wilson_interval(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert wilson_interval(0, 20)[0] == 0.0

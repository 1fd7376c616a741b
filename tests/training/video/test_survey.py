"""What is said of videos before a training."""

import shutil

import pytest

from nonlocal_keras.data import splits
from nonlocal_keras.training import experiments
from nonlocal_keras.training.video import survey
from tests.support import videos

RECIPE = experiments.get_experiment("small").override(
    {"frames": 4, "stride": 5, "size": 24, "short_side": (24, 24)}
)


@pytest.fixture
def root(tmp_path):
    """Two classes of train and test, one of them rare, one video short."""
    for position, split in enumerate(("train", "test")):
        for number in range(4):
            videos.write_video(
                tmp_path / split / "run" / f"{number}.mp4",
                frames=20 + number,
                value=40 + 8 * number + position,
            )
        videos.write_video(
            tmp_path / split / "walk" / "0.mp4", frames=6, value=90 + position
        )
    return tmp_path


def told(root):
    found, _ = splits.open_splits(root, seed=1)
    lengths = survey.measure(found)
    return lengths, "\n".join(survey.tell(found, lengths, RECIPE))


def test_lengths_and_broken_videos_are_counted(root):
    (root / "train" / "run" / "3.mp4").write_bytes(b"no video")
    lengths, said = told(root)
    assert lengths["train"].cells() == ("6 frames", "22 frames", 1)
    assert lengths["test"].cells() == ("6 frames", "23 frames", 0)
    assert "left out, of train, val and test 1, such as" in said


def test_uneven_few_and_short_are_said_with_what_follows(root):
    _, said = told(root)
    assert "Classes of train have from 1 to 4 videos" in said
    assert "5 test videos is known to about 44 points" in said
    assert "1 of 5 videos of train are shorter than the 20 frames" in said


def test_a_copy_under_another_name_is_refused(root):
    twin = root / "test" / "walk" / "other.mp4"
    shutil.copy(root / "train" / "walk" / "0.mp4", twin)
    with pytest.raises(ValueError, match="other.mp4, which hold the same"):
        told(root)


def test_of_many_videos_not_each_is_opened(root, monkeypatch):
    monkeypatch.setattr(survey, "MOST", 3)
    monkeypatch.setattr(survey.decode, "count_frames", pytest.fail)
    lengths, said = told(root)
    assert lengths == {}
    assert "Classes of train" in said

"""The videos of a run before its first step."""

import pytest

from nonlocal_keras.training import experiments
from nonlocal_keras.training.video import inputs
from tests.support import videos

TINY = experiments.get_experiment("small").override(
    {"frames": 4, "stride": 2, "size": 24, "short_side": (24, 24)}
)


@pytest.fixture
def root(tmp_path):
    for number, split in enumerate(("train", "val", "test")):
        videos.write_classes(
            tmp_path / split, ("run", "walk"), each=2, brighter=10 * number
        )
    return tmp_path


def test_a_table_says_what_was_found(root, capsys):
    (root / "train" / "run" / "1.mp4").unlink()
    train, validation, test = inputs.open_data(TINY, root, say=print)
    assert [len(r.videos) for r in (train, validation, test)] == [3, 4, 4]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        "| split | videos | classes | fewest | most | shortest | longest | "
        "broken | missing | from |"
    )
    assert lines[2].startswith("| train | 3 | 2 of 2 | 1 run | 2 walk | ")


def test_names_that_are_no_text_are_shown_escaped(root, capsys):
    for split in ("train", "val", "test"):
        (root / split / "run").rename(root / split / "r\udce9\n")
    inputs.open_data(TINY, root, say=print)
    assert "| 2 r\\udce9\\n | 2 walk |" in capsys.readouterr().out


def test_missing_files_are_in_the_table(root, capsys):
    text = "test/run/0.mp4,run\ntest/walk/0.mp4,walk\ngone.mp4,walk\n"
    (root / "test.csv").write_text(text)
    inputs.open_data(TINY, root, say=print)
    row = capsys.readouterr().out.split("\n| test ")[1].split("\n")[0]
    assert row.startswith("| 2 | 2 of 2 | 1 run | 1 walk |")
    assert "| 0 | 1 | " in row and row.endswith("test.csv |")


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_split_without_a_readable_video_is_said_by_name(root, split):
    for number, path in enumerate((root / split).glob("*/*.mp4")):
        path.write_bytes(b"x" * (100 + number))
    with pytest.raises(ValueError, match=f"(?i){split}, .*not one of the 4"):
        inputs.open_data(TINY, root)


class FirstFramesOnly(inputs.data.ClipReader):
    """Readers of files that open, and that fail as soon as a clip is asked."""

    def test_views(self, index, clips=1, crops=1):
        path = self.videos.paths[index]
        self.skipped[path] = f"{path}: breaks off"


def test_one_clip_of_each_split_is_read_before_the_run(root, monkeypatch):
    monkeypatch.setattr(inputs.data, "ClipReader", FirstFramesOnly)
    words = "train, .*not one of the 4 videos gives a clip.*breaks off"
    with pytest.raises(ValueError, match=words):
        inputs.open_data(TINY, root)


def test_the_benchmark_is_never_rendered_into_the_folder_of_a_user(
    root, capsys
):
    before = sorted(root.rglob("*"))
    experiment = experiments.get_experiment("longrange")
    with pytest.raises(ValueError, match="--experiment=small --data="):
        inputs.open_data(experiment, root, say=print)
    assert sorted(root.rglob("*")) == before
    assert "rendering" not in capsys.readouterr().out


def test_an_experiment_without_data_asks_for_them():
    with pytest.raises(ValueError, match="`data` must name the folder of"):
        inputs.open_data(TINY)

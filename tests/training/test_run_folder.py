"""What the folder of a run remembers, and that each advice works."""

import dataclasses
import json
import types

import pytest

from nonlocal_keras import data
from nonlocal_keras.training import experiments
from nonlocal_keras.training import run_folder
from nonlocal_keras.training.video import job
from nonlocal_keras.training.video.contents import describe
from tests.support import videos

SMALL = experiments.get_experiment("small")


@pytest.fixture
def root(tmp_path):
    videos.touch(
        tmp_path / "data", "jump/a.mp4", "run/a.mp4", "walk/a.mp4", "walk/b.mp4"
    )
    return tmp_path / "data"


def claim(folder, root, experiment=SMALL, **options):
    claim_list(folder, data.list_videos(root), experiment, **options)


def claim_list(folder, videos, experiment=SMALL, **options):
    splits = {"train": describe(videos), "val": describe(videos)}
    run_folder.claim(
        folder,
        experiment,
        "videos",
        videos.classes,
        splits,
        say=print,
        **options,
    )


@pytest.fixture
def run(tmp_path, root):
    """A folder with a checkpoint."""
    folder = tmp_path / "runs" / "model"
    claim(folder, root)
    (folder / "step-10.npz").write_bytes(b"weights")
    return folder


def test_the_same_videos_and_settings_go_on(run, root):
    claim(run, root)


# What a run of the recipe "small" has written since the first version.
REMEMBERED = """{
  "models": ["nl_c2d_tiny"], "dataset": "small", "family": "tiny",
  "frames": 8, "stride": 4, "size": 64, "short_side": [72, 72], "flip": true,
  "mean": [0.45, 0.45, 0.45], "std": [0.225, 0.225, 0.225],
  "resize": null, "fps": null,
  "steps": 600, "batch_size": 16, "optimizer": "adamw",
  "learning_rate": 0.002, "schedule": "cosine", "warmup_steps": 30,
  "weight_decay": 0.01, "dropout": 0.2, "seed": 1, "epochs": 10,
  "test_clips": 2, "test_crops": 1, "cache_bytes": 1000000000,
  "render_sizes": []
}"""


def test_a_run_of_an_earlier_version_goes_on(run, root):
    (run / "experiment.json").write_text(REMEMBERED)
    claim(run, root)
    with pytest.raises(ValueError, match="settings.*frames: 8 there, 16 now"):
        claim(run, root, SMALL.override({"frames": 16}))


def test_the_settings_are_remembered_as_by_an_earlier_version(run):
    written = json.loads((run / "experiment.json").read_text())
    # And the fields that were added since.
    assert {**written, **json.loads(REMEMBERED)} == written


def test_the_classes_are_written_in_their_order(run):
    written = json.loads((run / "videos.json").read_text())
    assert written["classes"] == ["jump", "run", "walk"]


def test_moved_data_are_the_same_data(run, root, tmp_path):
    root.rename(tmp_path / "elsewhere")
    claim(run, tmp_path / "elsewhere")


def test_a_renamed_class_is_refused_with_both_names(run, root):
    (root / "jump").rename(root / "zjump")
    words = "other videos.*gone: .'jump'.*new: .'zjump'.*3 there, 3 now"
    with pytest.raises(ValueError, match=words):
        claim(run, root)


def test_training_asks_the_folder_before_it_builds_a_model(run, root):
    (root / "jump").rename(root / "zjump")
    reader = types.SimpleNamespace(videos=data.list_videos(root))
    with pytest.raises(ValueError, match="other videos.*'zjump'"):
        job.train(SMALL, run.name, None, reader, reader, run.parent)


def test_another_order_of_classes_is_refused(run, root):
    videos = data.list_videos(root, ("walk", "run", "jump"))
    with pytest.raises(ValueError, match="another order of classes"):
        claim_list(run, videos)


def test_another_video_is_refused_with_its_class(run, root):
    videos.touch(root, "run/new.mp4")
    words = "videos of train in 1 classes: 'run' .1 there, 2 now"
    with pytest.raises(ValueError, match=words):
        claim(run, root)


def test_a_renamed_video_is_refused_though_the_numbers_agree(run, root):
    (root / "walk" / "b.mp4").rename(root / "walk" / "c.mp4")
    with pytest.raises(ValueError, match="'walk' .2 there, 2 now"):
        claim(run, root)


def test_another_setting_is_refused_with_both_values(run, root):
    with pytest.raises(ValueError, match="settings.*steps: 600 there, 8 now"):
        claim(run, root, dataclasses.replace(SMALL, steps=8))


@pytest.mark.parametrize("name", ["videos.json", "experiment.json"])
def test_a_folder_that_does_not_say_its_videos_is_refused(run, root, name):
    (run / name).write_text("{")
    with pytest.raises(ValueError, match=f"{name} is missing or damaged"):
        claim(run, root)


def test_without_a_checkpoint_nothing_is_lost_and_the_folder_is_taken(
    run, root
):
    (run / "step-10.npz").unlink()
    (root / "jump").rename(root / "zjump")
    claim(run, root)
    written = json.loads((run / "videos.json").read_text())
    assert written["classes"] == ["run", "walk", "zjump"]


def test_the_advice_noresume_puts_the_run_aside_and_starts_over(
    run, root, capsys
):
    (root / "jump").rename(root / "zjump")
    with pytest.raises(ValueError, match="--noresume.*puts.*aside"):
        claim(run, root)
    claim(run, root, resume=False)
    aside = run.with_name("model.old-1")
    assert (aside / "step-10.npz").read_bytes() == b"weights"
    assert str(aside) in capsys.readouterr().out
    assert not list(run.glob("step-*"))
    claim(run, root)


def test_the_advice_to_put_the_videos_back_works(run, root):
    (root / "jump").rename(root / "zjump")
    with pytest.raises(ValueError, match="Put them back"):
        claim(run, root)
    (root / "zjump").rename(root / "jump")
    claim(run, root)


def test_no_earlier_run_that_was_put_aside_is_overwritten(run, root):
    for _ in range(2):
        claim(run, root, resume=False)
        (run / "step-10.npz").write_bytes(b"others")
    olds = sorted(path.name for path in run.parent.glob("*.old-*"))
    assert olds == ["model.old-1", "model.old-2"]


def test_a_name_that_is_no_text_is_remembered(tmp_path):
    root = tmp_path / "data"
    videos.touch(root, "run/a.mp4", "walk/a.mp4")
    (root / "run" / "a.mp4").rename(root / "run" / "\udce9.mp4")
    for _ in range(2):
        claim(tmp_path / "run", root)
        (tmp_path / "run" / "step-1.npz").touch()

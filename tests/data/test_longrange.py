import json
import os

import numpy as np
import pytest

from nonlocal_keras import data
from nonlocal_keras.data import longrange
from tests.support import videos

SIZES = {"train": 6, "val": 2, "test": 3}
# By then the badges are gone, and the ring has not come back, in any clip.
GAP = slice(8, 11)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    root = tmp_path_factory.mktemp("longrange")
    longrange.render(root, SIZES, workers=1)
    return root


def files(root):
    return sorted(root.glob("*/*/*.mp4"))


def written(root):
    return {path: os.stat(path).st_mtime_ns for path in files(root)}


def relations(number):
    return [longrange.draw_relation(seed) for seed in range(number)]


def test_a_seed_gives_one_clip():
    first, label = longrange.draw_clip(3)
    again, same = longrange.draw_clip(3)
    np.testing.assert_array_equal(first, again)
    assert label == same
    assert (first != longrange.draw_clip(4)[0]).any()


def test_every_class_is_equally_likely():
    number = 3000
    labels = [rings[0] == rings[1] for rings, _ in relations(number)]
    # Five standard deviations of a count.
    assert abs(sum(labels) - number / 2) < 5 * (number / 4) ** 0.5


@pytest.mark.parametrize("badge", [0, 1])
def test_one_badge_alone_says_nothing_about_the_label(badge):
    drawn = relations(8000)
    seen = np.array([(rings[badge], cores[badge]) for rings, cores in drawn])
    labels = np.array([rings[0] == rings[1] for rings, _ in drawn])
    for ring, core in np.unique(seen, axis=0):
        chosen = labels[(seen == (ring, core)).all(axis=1)]
        assert abs(chosen.mean() - 0.5) < 5 * 0.5 / len(chosen) ** 0.5


def test_the_core_is_a_decoy():
    drawn = relations(6000)
    kept = np.array([cores[0] == cores[1] for _, cores in drawn])
    labels = np.array([rings[0] == rings[1] for rings, _ in drawn])
    assert abs(np.corrcoef(kept, labels)[0, 1]) < 5 / 6000**0.5


def test_the_best_sum_of_scores_of_two_badges_guesses():
    """Logistic regression on one-hot colours of each badge."""
    rings = np.array([rings for rings, _ in relations(6000)])
    labels = (rings[:, 0] == rings[:, 1]).astype(float)
    features = np.concatenate([np.eye(4)[rings[:, i]] for i in (0, 1)], 1)
    weights = np.zeros(8)
    for _ in range(300):
        guess = 1 / (1 + np.exp(-features @ weights))
        weights += 0.5 * features.T @ (labels - guess) / len(labels)
    loss = -np.mean(np.log(np.where(labels == 1, guess, 1 - guess)))
    assert loss > 0.99 * np.log(2)


def test_the_same_first_badge_has_another_label_with_another_second():
    (first, _), cores = longrange.draw_relation(5)
    frames, label = longrange.draw_clip(5, ((first, first), cores))
    changed, answer = longrange.draw_clip(5, ((first, (first + 1) % 4), cores))
    np.testing.assert_array_equal(frames[: GAP.stop], changed[: GAP.stop])
    assert (frames[-1] != changed[-1]).any()
    assert longrange.CLASSES[label] == "same"
    assert longrange.CLASSES[answer] == "different"


def test_frames_without_badges_lie_between_them():
    for seed in range(20):
        frames, _ = longrange.draw_clip(seed, ((0, 1), (2, 3)))
        changed, _ = longrange.draw_clip(seed, ((2, 3), (1, 0)))
        np.testing.assert_array_equal(frames[GAP], changed[GAP])


def test_renders_the_asked_number_of_clips_per_split(rendered):
    for split, number in SIZES.items():
        assert len(list((rendered / split).glob("*/*.mp4"))) == number


def test_no_seed_is_in_two_splits(rendered):
    seeds = [path.stem for path in files(rendered)]
    assert len(seeds) == len(set(seeds)) == sum(SIZES.values())


def test_a_file_holds_the_clip_of_its_seed_in_the_folder_of_its_class(
    rendered,
):
    for path in files(rendered):
        frames, label = longrange.draw_clip(int(path.stem))
        assert path.parent.name == longrange.CLASSES[label]
        read = data.read_frames(path, range(len(frames)))
        assert read.shape == frames.shape
        # Colour is stored at half the resolution.
        assert np.abs(read.astype(int) - frames).mean() < 16


def test_leaves_no_partial_file(rendered):
    assert not list(rendered.rglob("*.partial"))


def test_describes_the_set_in_a_file(rendered):
    description = json.loads((rendered / "dataset.json").read_text())
    assert description["sizes"] == SIZES
    assert description["classes"] == list(longrange.CLASSES)
    assert description["version"] == longrange.VERSION


def test_a_second_call_writes_nothing(rendered):
    before = written(rendered)
    longrange.render(rendered, SIZES, workers=1)
    assert written(rendered) == before


def test_goes_on_after_an_interruption(tmp_path, monkeypatch):
    write, done = longrange._write, []

    def stop_at_the_fourth(path, frames):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(path)
        write(path, frames)

    monkeypatch.setattr(longrange, "_write", stop_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        longrange.render(tmp_path, SIZES, workers=1)
    before = written(tmp_path)
    assert len(before) == 3
    monkeypatch.setattr(longrange, "_write", write)
    longrange.render(tmp_path, SIZES, workers=1)
    after = written(tmp_path)
    assert len(after) == sum(SIZES.values())
    assert {path: after[path] for path in before} == before


def test_several_processes_render_the_same_clips(rendered, tmp_path):
    longrange.render(tmp_path, SIZES, workers=2)
    assert len(files(tmp_path)) == sum(SIZES.values())
    for path in files(rendered):
        copy = tmp_path / path.relative_to(rendered)
        one, other = (
            data.read_frames(file, range(longrange.FRAMES)).astype(int)
            for file in (path, copy)
        )
        np.testing.assert_array_equal(one, other)


def test_refuses_a_folder_of_other_sizes(rendered):
    with pytest.raises(ValueError, match="`root` holds.*Remove.*or choose"):
        longrange.render(rendered, {**SIZES, "test": 4}, workers=1)


def test_refuses_a_folder_of_another_version(rendered, monkeypatch):
    monkeypatch.setattr(longrange, "VERSION", longrange.VERSION + 1)
    with pytest.raises(ValueError, match="another version"):
        longrange.render(rendered, SIZES, workers=1)


@pytest.mark.parametrize(
    "name", ["clip.mp4", "train/jump/a.mp4", "dataset.json", "test/notes.txt"]
)
def test_a_folder_of_others_is_refused_and_stays_as_it_is(name, tmp_path):
    videos.touch(tmp_path, name)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match="`root` must be empty.*1 other files"):
        longrange.render(tmp_path, SIZES, workers=1)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["jump", "train/jump"])
def test_what_others_put_beside_the_clips_is_refused(name, tmp_path):
    sizes = {"train": 1, "val": 1, "test": 1}
    longrange.render(tmp_path, sizes, workers=1)
    (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=f"`root` must be empty.*{name}"):
        longrange.render(tmp_path, sizes, workers=1)


def test_hidden_files_of_a_system_hinder_nothing(tmp_path):
    videos.touch(tmp_path, ".DS_Store")
    longrange.render(tmp_path, {"train": 1, "val": 1, "test": 1}, workers=1)


def test_refuses_sizes_without_a_split(tmp_path):
    with pytest.raises(ValueError, match="`sizes` must have the keys"):
        longrange.render(tmp_path, {"train": 1}, workers=1)

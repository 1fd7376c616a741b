"""`nonlocal-keras visualize`, as it is typed."""

import keras
import numpy as np
import pytest
from PIL import Image

from nonlocal_keras import NonLocal1D
from nonlocal_keras import NonLocal2D
from nonlocal_keras.cli.main import main
from tests.support import small
from tests.support import videos

NAME = "nl_c2d_tiny_longrange"


@pytest.fixture
def clip(tmp_path):
    images = videos.moving_images(24, 48, 64)
    return videos.write_images(tmp_path / "clip.mp4", images)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "look.png"


def run(capsys, *arguments):
    status = main(["visualize", *map(str, arguments)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def save_classifier(path, **options):
    clip = {k: v for k, v in small.record()["input"].items() if k != "channels"}
    small.classifier(preprocessing=clip, **options).save(path)
    return path


def test_the_shipped_model_is_drawn_by_name(capsys, clip, out):
    status, said, _ = run(
        capsys, clip, "--model", NAME, "--query", "0,0.5,0.5", "-o", out
    )
    assert status == 0 and f"wrote {out}" in said
    assert (
        "nonlocal_res3_0" in said
        and "in the source: frames 0 to 4, rows" in said
    )
    with Image.open(out) as picture:
        assert picture.width > 600


def test_without_a_query_the_one_is_said(capsys, clip, out):
    status, said, _ = run(capsys, clip, "--model", NAME, "-o", out)
    assert status == 0 and "which receives most" in said


def test_blocks_are_listed(capsys, clip):
    status, said, _ = run(capsys, clip, "--model", NAME, "--list-blocks")
    assert (status, said.split()) == (0, ["nonlocal_res3_0", "nonlocal_res4_0"])


@pytest.mark.parametrize("suffix", ["gif", "mp4"])
def test_a_clip_plays(capsys, clip, tmp_path, suffix):
    path = tmp_path / f"look.{suffix}"
    block = "nonlocal_res3_0"
    status, _, said = run(
        capsys, clip, "--model", NAME, "--block", block, "-o", path
    )
    assert status == 0 and path.exists() and "shows one map" not in said


@pytest.mark.slow
def test_a_model_before_and_after_training(capsys, clip, out, tmp_path):
    before = save_classifier(tmp_path / "before.keras")
    after = save_classifier(tmp_path / "after.keras")
    status, said, _ = run(
        capsys, clip, "--model", after, "--before", before, "-o", out
    )
    assert status == 0 and out.exists()


@pytest.mark.slow
def test_a_name_is_drawn_before_its_training(capsys, clip, out):
    arguments = (clip, "--model", NAME, "--query", "0.5,0.5,0.5", "-o", out)
    _, trained, _ = run(capsys, *arguments)
    status, fresh, _ = run(capsys, *arguments, "--random-weights")
    assert status == 0 and fresh != trained


def test_an_image_model_takes_an_image(capsys, out, tmp_path):
    inputs = keras.Input((None, None, 3))
    keras.Model(inputs, NonLocal2D()(inputs)).save(tmp_path / "m.keras")
    Image.new("RGB", (40, 30)).save(tmp_path / "a.png")
    status, said, _ = run(
        capsys,
        tmp_path / "a.png",
        *("--model", tmp_path / "m.keras", "--pixels", "0-1", "--size", "12"),
        *("--query", "29,39", "-o", out),
    )
    assert status == 0 and "query (11, 15)" in said


def test_a_sequence_model_takes_an_array(capsys, tmp_path):
    inputs = keras.Input((None, 4))
    keras.Model(inputs, NonLocal1D()(inputs)).save(tmp_path / "m.keras")
    np.save(tmp_path / "a.npy", np.ones((9, 4), "float32"))
    path = tmp_path / "look.svg"
    status, said, _ = run(
        capsys,
        tmp_path / "a.npy",
        *("--model", tmp_path / "m.keras", "--query", "8", "-o", path),
    )
    assert status == 0 and "query (8,)" in said and "<svg" in path.read_text()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["-o", "look.txt"], "`--output` must end in"),
        ([], "--list-blocks"),
        (["-o", "look.png", "--block", "res9"], "one of ['nonlocal_res3_0'"),
        (["-o", "look.png", "--query", "24,0,0"], "frames go from 0 to 23"),
        (["-o", "look.png", "--query", "0,0.5"], "frame, row, column"),
        (["-o", "look.png", "--query", "9,9,9", "--index"], "'nonlocal_res3"),
        (["-o", "look.png", "--pixels", "tf"], "are for images"),
        (["-o", "look.gif", "--before", "m.keras"], "shows one map"),
        (["-o", "look.gif", "--style", "heat"], "`--style` is for pictures"),
        (["-o", "look.png", "--list-blocks"], "leave out -o"),
        (["-o", "none/look.png"], "in a folder that exists"),
        (["-o", "."], "`--output` must end in"),
        (["-o", "clip.mp4"], "must be another file than the input"),
    ],
)
def test_what_cannot_be_drawn_is_one_sentence(
    capsys, clip, monkeypatch, tmp_path, arguments, words
):
    monkeypatch.chdir(tmp_path)
    status, _, said = run(capsys, clip, "--model", NAME, *arguments)
    assert status == 1 and words in said and said.count("\n") == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["clip.mp4"]


def test_a_query_that_is_no_number_is_a_wrong_flag(capsys, clip):
    status, _, said = run(capsys, clip, "--model", NAME, "--query", "a,b")
    assert status == 2 and "0,0.5,0.5" in said


def test_flags_of_the_zoo_are_refused_for_a_file(capsys, clip, out, tmp_path):
    path = save_classifier(tmp_path / "m.keras")
    status, _, said = run(
        capsys, clip, "--model", path, "--random-weights", "-o", out
    )
    assert status == 1 and "--random-weights" in said


def test_a_model_without_a_block_is_refused(capsys, out, tmp_path):
    path = tmp_path / "m.keras"
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Dense(1)(inputs)).save(path)
    np.save(tmp_path / "a.npy", np.ones(4, "float32"))
    array = tmp_path / "a.npy"
    status, _, said = run(capsys, array, "--model", path, "-o", out)
    assert status == 1 and "insert_non_local" in said

"""`nonlocal-keras predict` with a detector: tables, pictures, faults."""

import re

import numpy as np
import pytest
from PIL import Image

from nonlocal_keras import model_file
from nonlocal_keras import models
from tests.cli.test_main import run
from tests.support import detectors
from tests.support import small
from tests.support import videos

LABELS = ("background", "cat", "d\x1bog")


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "detector.keras"
    model = detectors.small(labels=LABELS, score_threshold=0.0)
    model.save(path)
    return model, str(path)


@pytest.fixture
def loaded(detector, monkeypatch):
    """The path of a detector that is not read each time."""
    model, path = detector
    monkeypatch.setattr(model_file, "read", lambda *unused: model)
    return path


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(detectors.images((50, 80))[0]).save(path)
    return str(path)


def test_a_table_tells_what_is_found(capsys, detector, photo, monkeypatch):
    model, path = detector
    read = model_file.read
    # TensorFlow need not trace it for one image.
    monkeypatch.setattr(
        model_file, "read", lambda *given: detectors.eager(read(*given))
    )
    found = model.predict(detectors.images((50, 80)))
    flags = ("--model", path, "--threshold", "0")
    status, out, err = run(capsys, "predict", photo, *flags)
    assert status == 0, err
    first, head, *rows = out.splitlines()
    number = found["num_detections"][0]
    assert first == f"{photo}: {number} objects" and len(rows) == number
    assert head.split() == ["label", "score", "left", "top", "right", "bottom"]
    for row, line in enumerate(rows):
        name, score, *box = line.split()
        assert name == ("", "cat", r"d\x1bog")[found["labels"][0, row]]
        assert abs(float(score) - found["confidence"][0, row]) < 0.006
        np.testing.assert_allclose(
            [float(side) for side in box], found["boxes"][0, row], atol=0.51
        )


def test_a_model_that_diverged_is_one_line(capsys, photo, monkeypatch):
    model = detectors.small(labels=LABELS)
    weight = model.get_layer("box_head").weights[0]
    weight.assign(weight * np.nan)
    monkeypatch.setattr(model_file, "read", lambda *unused: model)
    status, out, err = run(capsys, "predict", photo, "--model", "lost.keras")
    assert status == 1 and not out and len(err.splitlines()) == 1
    assert "lost.keras is damaged: the weights" in err


def test_a_picture_is_written(capsys, loaded, photo, tmp_path):
    output = tmp_path / "out.jpg"
    flags = ("--model", loaded, "-o", str(output), "--threshold", "0")
    status, out, err = run(capsys, "predict", photo, *flags)
    assert status == 0, err
    assert out.splitlines()[-1] == f"  wrote {output}"
    # Enlarged, so that labels are legible.
    assert Image.open(output).size == (560, 350)


def test_several_pictures_go_to_a_folder_and_faults_stop_none(
    capsys, loaded, photo, tmp_path
):
    other = tmp_path / "other"
    other.mkdir()
    pixels = detectors.images((40, 40))[0]
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(pixels[:, :20]).save(other / "photo.jpg", exif=turned)
    Image.new("CMYK", (30, 20)).save(other / "cmyk.jpg")
    (other / "cut.png").write_bytes(b"\x89PNG")
    video = videos.write_video(tmp_path / "clip.mp4", frames=4)
    files = [photo, video, *sorted(other.iterdir()), tmp_path / "gone.png"]
    folder = tmp_path / "out"
    status, out, err = run(
        capsys,
        "predict",
        *map(str, files),
        "--model",
        loaded,
        "-o",
        str(folder),
    )
    assert status == 1
    assert len(re.findall(r"^\S+: \d+ objects?$", out, re.MULTILINE)) == 3
    names = {path.name for path in folder.iterdir()}
    assert names == {"photo.png", "cmyk.png", "photo-2.png"}
    # Turned upright.
    width, height = Image.open(folder / "photo-2.png").size
    assert width == 2 * height
    assert "clip.mp4 is a video, and the model finds objects in images" in err
    assert "cut.png: not a readable image" in err
    assert "gone.png: not a readable image" in err
    assert "3 of 6 images could not be predicted" in err


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--views", "all"], "`--views` is for"),
        (["--top", "3"], "`--top` is for videos and would change nothing"),
        (["-o", "out.gif"], "`--output` must end in .png, .jpg"),
        (["-o", "none/out.png"], "`--output` must lie in a folder that"),
        (["-o", "photo.png"], "`--output` must not replace an image"),
        (["photo.png", "-o", "out.png"], "`--output` must be a folder for"),
        (["photo.png", "-o", "none/out"], "`--output` cannot be made"),
        (["--threshold", "2"], "must be a number from 0 to 1. Received: 2"),
    ],
)
def test_flags_that_do_not_fit_are_refused(
    capsys, loaded, photo, tmp_path, monkeypatch, flags, message
):
    monkeypatch.chdir(tmp_path)
    arguments = ("photo.png", *flags, "--model", loaded)
    status, out, err = run(capsys, "predict", *arguments)
    assert status in (1, 2) and not out and message in err


def test_an_image_and_its_flags_are_refused_by_a_classifier(
    capsys, photo, tmp_path
):
    clip = {k: v for k, v in small.record()["input"].items() if k != "channels"}
    path = str(tmp_path / "classifier.keras")
    small.classifier(preprocessing=clip).save(path)
    status, _, err = run(capsys, "predict", photo, "--model", path)
    assert status == 1
    assert f"{photo} is an image, and the model names what videos show" in err
    flags = ("--model", path, "-o", "out.png")
    status, _, err = run(capsys, "predict", photo, *flags)
    assert status == 1
    assert "`--output` is for images and would change nothing" in err


def test_a_backbone_alone_is_refused(capsys, photo, tmp_path):
    path = str(tmp_path / "backbone.keras")
    models.ImageResNet(**detectors.BACKBONE).save(path)
    status, _, err = run(capsys, "predict", photo, "--model", path)
    assert status == 1
    assert "must hold a VideoClassifier or a MaskRCNN" in err

"""The command `nonlocal-keras export`."""

import os
import resource
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from nonlocal_keras import model_file
from nonlocal_keras import models
from nonlocal_keras import partial
from nonlocal_keras.cli.main import main
from nonlocal_keras.export import litert
from nonlocal_keras.export import onnx
from tests.support import detectors
from tests.support import served
from tests.support import small
from tests.support import videos
from tests.support.marks import mostly_slow

TINY = "nl_c2d_tiny_longrange"
PLAIN = ("--signatures", "serving_default", "--no-warmup")


def run(capsys, *argv):
    capsys.readouterr()
    status = main(["export", *map(str, argv)])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "mine.keras"
    small.classifier(preprocessing=served.PREPROCESSING).save(path)
    return path


@pytest.fixture(scope="module")
def any_size(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "any.keras"
    backbone = models.from_name(
        "nl_c2d_tiny", stem_width=4, input_shape=(None, None, None, 3)
    )
    models.VideoClassifier(backbone, 3).save(path)
    return path


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def test_a_model_of_the_zoo_is_exported_with_its_card(capsys, out):
    flags = ("--signatures", "serving_default", "video")
    status, text, _ = run(capsys, TINY, "--to", "serving", out, *flags)
    folder = out / TINY / "1"
    assert status == 0 and f"wrote {folder}" in text
    assert "serving_default: parity: 4 clips" in text
    assert "video: parity: 2 clips" in text
    card = (folder / "card.md").read_text()
    assert "95% interval" in card and "## Signatures" in card
    loaded = tf.saved_model.load(str(folder))
    outputs = loaded.signatures["video"](
        frames=tf.zeros((1, 20, 50, 60, 3), "uint8")
    )
    assert set(outputs["top_labels"].numpy()[0]) == {b"same", b"different"}


def test_a_file_is_exported_under_its_own_name_on_real_videos(
    capsys, out, file, tmp_path
):
    video = videos.write_video(tmp_path / "grey.mp4")
    labels = tmp_path / "labels.txt"
    labels.write_bytes(b"\xef\xbb\xbfa\r\nb\r\nc\r\n\r\n")
    flags = ("--labels", labels, "--clips", video, video, *PLAIN)
    # What an export that was killed has left, and what is no version.
    for name in (f"{partial.PREFIX}x", "²", "1"):
        (out / "mine" / name).mkdir(parents=True)
    status, text, _ = run(capsys, file, "--to", "serving", out, *flags)
    folder = out / "mine" / "2"
    assert status == 0 and f"wrote {folder}" in text
    assert "parity: 2 clips" in text
    assert {p.name for p in (out / "mine").iterdir()} == {"1", "2", "²"}
    assert (folder / "assets/labels.txt").read_text() == "a\nb\nc\n"
    assert "no record" in (folder / "card.md").read_text()


@pytest.mark.slow
def test_optimize_folds_and_says_how_far_it_is(capsys, out, file):
    status, text, _ = run(
        capsys, file, "--to", "serving", out, "--optimize", *PLAIN
    )
    assert status == 0 and "optimize: parity: 4 clips" in text
    graph = (out / "mine" / "1" / "saved_model.pb").read_bytes()
    assert b"FusedBatchNormV3" not in graph


@pytest.mark.slow
def test_a_model_of_the_zoo_goes_to_litert_with_its_labels(capsys, tmp_path):
    path = tmp_path / "m.tflite"
    status, text, _ = run(capsys, TINY, "--to", "litert", path)
    assert status == 0 and f"wrote {path}" in text
    assert "parity: 4 clips" in text
    assert litert.runner(path)
    labels = (tmp_path / "m.labels.txt").read_text().split()
    assert set(labels) == {"same", "different"}


@pytest.mark.slow
def test_int8_is_measured_and_compared_on_the_videos(capsys, tmp_path):
    clips = [videos.write_video(tmp_path / f"{i}.mp4") for i in range(2)]
    path = tmp_path / "m.tflite"
    flags = ("--quantization", "int8", "--tolerance", 0.5, "--clips", *clips)
    status, text, err = run(capsys, TINY, path, "--to", "litert", *flags)
    assert status == 0, err
    assert "parity: 2 clips" in text


@pytest.mark.slow
def test_a_model_of_any_size_gets_one_for_litert(capsys, any_size, tmp_path):
    path = tmp_path / "m.tflite"
    status, _, err = run(capsys, any_size, "--to", "litert", path)
    assert status == 1 and "`shape` must give the frames" in err
    flags = ("--shape", 4, 32, 48)
    status, _, err = run(capsys, any_size, path, "--to", "litert", *flags)
    assert status == 0, err
    predict = litert.runner(path)
    assert predict(np.zeros((1, 4, 32, 48, 3))).shape == (1, 3)
    with pytest.raises(ValueError, match=r"\(1, 4, 32, 48, 3\), which is that"):
        predict(np.zeros((2, 2, 32, 48, 3)))


@pytest.mark.slow
def test_a_file_goes_to_onnx(capsys, file, tmp_path):
    path = tmp_path / "m.onnx"
    status, text, _ = run(capsys, file, "--to", "onnx", path)
    assert status == 0 and f"wrote {path}" in text
    assert "parity: 4 clips" in text
    assert onnx.runner(path)


@mostly_slow(
    pytest.mark.parametrize(
        "target, name", [("litert", "m.tflite"), ("onnx", "m.onnx")]
    ),
    1,
)
def test_beyond_the_tolerance_no_file_is_left(
    capsys, file, tmp_path, target, name
):
    flags = ("--to", target, "--tolerance", 0)
    status, _, err = run(capsys, file, tmp_path / name, *flags)
    assert status == 1 and "must predict what the model predicts" in err
    assert not list(tmp_path.iterdir())


def test_a_library_that_is_missing_is_told_with_its_install_line(
    capsys, file, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    path = tmp_path / "m.onnx"
    status, _, err = run(capsys, file, "--to", "onnx", path)
    assert status == 1 and "pip install 'nonlocal-keras[onnx]'" in err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--to", "onnx", "--name", "x"), "`--name` is for --to serving"),
        (("--to", "onnx"), "`OUT` must end in .onnx"),
        (("--to", "litert"), "`OUT` must end in .tflite"),
        (("--to", "litert", "--no-warmup"), "`--no-warmup` is for --to serv"),
        (("--to", "litert", "--optimize"), "`--optimize` is for --to serv"),
        (
            ("--to", "serving", "--quantization", "int8"),
            "`--quantization` is for --to litert",
        ),
        (("--to", "serving", "--labels", "none.txt"), "`--labels` must be a t"),
        (("--to", "serving", "--labels", __file__), "every line. Received: "),
        (("--to", "serving", "--clips", __file__), "not a readable video"),
        (("--to", "serving", "--version", "0"), "`version` must be"),
        (("--to", "serving", "--version", 2**63), "from 1 to 2**63 - 1"),
        (("--to", "serving", "--name", "a\nb"), "line breaks"),
        (("--to", "serving", "--name", "a/b"), "without slashes"),
        (("--to", "serving", "--name", "é" * 128), "more than 255 bytes"),
        (("--to", "serving", "--name", " "), "`name` must be a name"),
        (("--to", "serving", "--tolerance", "nan"), "`tolerance` must be a n"),
        (("--to", "serving", "--tolerance", -1), "`tolerance` must be a num"),
    ],
)
def test_a_wrong_flag_is_named_and_nothing_is_written(
    capsys, out, file, flags, words
):
    status, _, err = run(capsys, file, out, *flags)
    assert status == 1 and words in err
    assert not out.exists()


def test_one_broken_video_among_others_is_an_error(capsys, out, file, tmp_path):
    video = videos.write_video(tmp_path / "grey.mp4")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    flags = ("--to", "serving", "--clips", video, broken)
    status, _, err = run(capsys, file, out, *flags)
    assert status == 1 and "broken.mp4" in err
    assert not out.exists()


def test_a_name_that_is_not_there_is_told(capsys, out, tmp_path):
    status, _, err = run(capsys, "nl_c2d_tini", "--to", "serving", out)
    assert status == 1 and f"Did you mean '{TINY}'" in err
    missing = tmp_path / "missing.keras"
    status, _, err = run(capsys, missing, "--to", "serving", out)
    assert status == 1 and "a .keras file that exists" in err


def test_a_file_that_is_no_classifier_is_told(capsys, out, tmp_path):
    path = tmp_path / "text.keras"
    path.write_text("no model")
    status, _, err = run(capsys, path, "--to", "serving", out)
    assert status == 1 and "as model.save(path) writes it" in err
    small.classifier().backbone.save(path)
    status, _, err = run(capsys, path, "--to", "serving", out)
    assert status == 1 and "must hold a VideoClassifier" in err
    assert not out.exists()


def test_a_version_that_exists_is_not_written_again(capsys, out, file):
    written = out / "mine" / "7" / "saved_model.pb"
    written.parent.mkdir(parents=True)
    written.write_text("a graph")
    flags = ("--to", "serving", "--version", 7, *PLAIN)
    status, _, err = run(capsys, file, out, *flags)
    assert status == 1 and "`version` must be new" in err
    assert [p for p in out.rglob("*") if p.is_file()] == [written]
    assert written.read_text() == "a graph"


@pytest.mark.parametrize(
    ("target", "name", "words"),
    [
        ("serving", "file", "`OUT` cannot be written: "),
        ("serving", "file/below", "`OUT` cannot be written: "),
        ("serving", "x" * 300, "File name too long"),
        ("litert", "folder.tflite", "`path` must be that of a file"),
        ("onnx", "folder.onnx", "`path` must be that of a file"),
        ("litert", "file/m.tflite", "file is no folder"),
        ("onnx", "file/m.onnx", "file is no folder"),
        ("onnx", "x" * 300 + ".onnx", "File name too long"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_and_kept(
    capsys, file, tmp_path, target, name, words
):
    (tmp_path / "file").write_text("a file")
    for kind in ("tflite", "onnx"):
        (tmp_path / f"folder.{kind}").mkdir()
    before = sorted(tmp_path.rglob("*"))
    flags = PLAIN if target == "serving" else ()
    status, _, err = run(capsys, file, tmp_path / name, "--to", target, *flags)
    assert status == 1 and words in err and err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "a file"


@pytest.mark.parametrize(
    ("target", "name"),
    [("serving", "out"), ("litert", "m.tflite"), ("onnx", "m.onnx")],
)
def test_a_disk_that_is_full_leaves_nothing_and_is_told(
    capsys, file, tmp_path, target, name
):
    flags = PLAIN if target == "serving" else ()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The system refuses to write more, as it does on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        status, _, err = run(
            capsys, file, tmp_path / name, "--to", target, *flags
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert status == 1 and err.count("\n") == 1
    assert "`OUT` cannot be written: " in err and "File too large" in err
    assert "{" not in err and "[" not in err
    assert not list(tmp_path.iterdir())


def test_class_names_of_another_model_are_not_left_beside_a_file(
    capsys, file, tmp_path
):
    old = tmp_path / "m.labels.txt"
    old.write_text("a\nb\n")
    out = tmp_path / "m.tflite"
    status, _, err = run(capsys, file, out, "--to", "litert")
    assert status == 1 and "`model.labels` must be set" in err
    assert not out.exists() and old.read_text() == "a\nb\n"


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((-1, 5, 5), "three positive integers"),
        ((4, 0, 32), "three positive integers"),
        ((100_000, 100_000, 100_000), "at most 178,956,970 pixels"),
        ((1, 4, 4), "`shape` must be one that the layers take"),
    ],
)
def test_a_shape_that_is_none_is_told(capsys, tmp_path, any_size, shape, words):
    path = tmp_path / "m.tflite"
    flags = ("--to", "litert", "--shape", *shape)
    status, _, err = run(capsys, any_size, path, *flags)
    assert status == 1 and words in err
    assert not list(tmp_path.iterdir())


def test_a_model_of_nan_is_not_exported(capsys, out, tmp_path):
    path = tmp_path / "nan.keras"
    model = small.classifier()
    kernel, bias = model.get_layer("pred").get_weights()
    model.get_layer("pred").set_weights([kernel * float("nan"), bias])
    model.save(path)
    status, _, err = run(capsys, path, "--to", "serving", out, *PLAIN)
    assert status == 1 and "must predict what the model predicts" in err
    assert not out.exists()


def test_an_unknown_target_is_an_error_of_the_parser(capsys, file, out):
    assert main(["export", str(file), "--to", "tflite", str(out)]) == 2
    assert "'serving', 'litert', 'onnx'" in capsys.readouterr().err


def test_another_backend_is_told_to_change(out, file):
    done = subprocess.run(
        [sys.executable, "-m", "nonlocal_keras.cli", "export"]
        + [str(file), "--to", "serving", str(out)],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "Set KERAS_BACKEND=tensorflow" in done.stderr
    assert not out.exists()


# === Detectors ===


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "detector.keras"
    detectors.small(masks=False, num_keypoints=None).save(path)
    return path


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(detectors.images((50, 80))[0]).save(path)
    return path


@pytest.mark.slow
def test_a_detector_is_exported_and_compared_on_images(
    capsys, detector, photo, tmp_path
):
    path, labels = tmp_path / "d.tflite", tmp_path / "labels.txt"
    labels.write_text("background\ncat\ndog\n")
    flags = ("--to", "litert", "--images", photo, "--labels", labels)
    status, text, err = run(capsys, detector, path, *flags)
    assert status == 0, err
    assert "parity: 1 images" in text and f"wrote {path}" in text
    assert (tmp_path / "d.labels.txt").read_text() == labels.read_text()


@pytest.mark.parametrize(
    "flags, words",
    [
        (("--to", "litert"), "`shape` must give the height and width"),
        (("--to", "litert", "--quantization", "int8"), "`quantization` is for"),
        (("--to", "serving", "--optimize"), "`optimize` is for classifiers"),
        (("--to", "onnx", "--clips", "clip.mp4"), "`clips` is for classifiers"),
        (("--to", "onnx", "--images", "gone.png"), "`--images` must be images"),
        (
            ("--to", "serving", "--signatures", "serving_default", "jpeg"),
            "`signatures` of a detector must be out of",
        ),
    ],
)
def test_what_is_not_for_a_detector_is_refused(
    capsys, detector, tmp_path, monkeypatch, flags, words
):
    model = detectors.small(masks=False, num_keypoints=None)
    monkeypatch.setattr(model_file, "read", lambda *unused: model)
    endings = {"litert": "m.tflite", "onnx": "m.onnx", "serving": "m"}
    path = tmp_path / endings[flags[1]]
    status, _, err = run(capsys, detector, path, *flags)
    assert status == 1 and words in err
    assert not list(tmp_path.iterdir())

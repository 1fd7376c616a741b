"""The command writes a whole model and its report, or nothing."""

import argparse
import json
import os

import keras
import numpy as np
import pytest

from nonlocal_keras.cli import convert
from nonlocal_keras.convert import ConversionError
from tests.support import checkpoint_names as names
from tests.support import checkpoint_writers as w


@pytest.fixture(scope="module")
def file_bytes():
    network = w.network(**w.DENSE, places={"res4": (0,)})
    return w.caffe2_file(w.tensors(network, names.Caffe2()))


@pytest.fixture
def blobs(tmp_path, file_bytes):
    path = tmp_path / "blobs.pkl"
    path.write_bytes(file_bytes)
    return path


def run(*argv):
    parser = argparse.ArgumentParser()
    convert.add_parser(parser.add_subparsers())
    arguments = parser.parse_args(["convert", *map(str, argv)])
    arguments.run(arguments)


def test_writes_a_model_and_its_report(tmp_path, blobs, capsys):
    out = tmp_path / "model.keras"
    run(
        *(blobs, "--source", "vnl", "-o", out),
        *("--set", "pairwise=dot_product", "--set", "frames=8"),
    )
    model = keras.saving.load_model(out)
    assert model.backbone.get_layer("nonlocal_res4_0").pairwise == "dot_product"
    assert model.input_shape == (None, 8, None, None, 3)
    report = json.loads((tmp_path / "model.keras.report.json").read_text())
    assert report["source"] == "vnl"
    assert report["entries"][0] == {
        "name": "conv1_w",
        "shape": [4, 3, 1, 7, 7],
        "status": "used",
        "note": "conv1.kernel",
    }
    assert "1 non-local block at res4[0]" in capsys.readouterr().out
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"blobs.pkl", "model.keras", "model.keras.report.json"}


def test_failure_writes_nothing(tmp_path, blobs):
    before = set(tmp_path.iterdir())
    for arguments in (
        ("--source", "gluoncv"),
        ("--source", "vnl", "--set", "depth=50"),
    ):
        with pytest.raises(ConversionError):
            run(blobs, *arguments, "-o", tmp_path / "model.keras")
    blobs.write_bytes(blobs.read_bytes()[:999])
    with pytest.raises(ValueError, match="blobs.pkl"):
        run(blobs, "--source", "vnl", "-o", tmp_path / "model.keras")
    assert set(tmp_path.iterdir()) == before


def test_failure_while_writing_leaves_nothing(tmp_path, blobs, monkeypatch):
    def full(*unused):
        raise OSError(28, "No space left on device")

    before = set(tmp_path.iterdir())
    monkeypatch.setattr(keras.Model, "save", full)
    with pytest.raises(ConversionError, match="No space left"):
        run(blobs, "--source", "vnl", "-o", tmp_path / "model.keras")
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["model.keras", "model.keras.report.json"])
def test_a_folder_in_place_of_a_file_is_refused_first(tmp_path, blobs, name):
    (tmp_path / name).mkdir()
    older = tmp_path / "model.keras.report.json"
    if not older.exists():
        older.write_text("older")
    with pytest.raises(ConversionError, match=f"{name} is a folder"):
        run(blobs, "--source", "vnl", "-o", tmp_path / "model.keras")
    assert older.is_dir() or older.read_text() == "older"
    assert len(list(tmp_path.iterdir())) == 2 + (name == "model.keras")


def test_an_older_report_stays_if_the_model_cannot_take_its_place(
    tmp_path, blobs, monkeypatch
):
    def replace(source, target, really=os.replace):
        if str(target).endswith(".keras"):
            raise OSError(28, "No space left on device")
        really(source, target)

    older = tmp_path / "model.keras.report.json"
    older.write_text("older")
    monkeypatch.setattr(convert.os, "replace", replace)
    with pytest.raises(ConversionError, match="cannot be written: No space"):
        run(blobs, "--source", "vnl", "-o", tmp_path / "model.keras")
    assert older.read_text() == "older"
    assert {path.name for path in tmp_path.iterdir()} == {
        "blobs.pkl",
        "model.keras.report.json",
    }


@pytest.mark.parametrize("key", ["path", "source", "pairwize", "self"])
def test_a_key_that_is_no_override_is_refused(tmp_path, blobs, key):
    out = ("-o", tmp_path / "model.keras")
    with pytest.raises(ConversionError, match="override of source 'vnl' must"):
        run(blobs, "--source", "vnl", *out, "--set", f"{key}=x")


def test_a_key_is_given_once(tmp_path, blobs):
    out = ("-o", tmp_path / "model.keras")
    twice = ("--set", "frames=8", "--set", "frames=16")
    with pytest.raises(ConversionError, match="must give each key once"):
        run(blobs, "--source", "vnl", *out, *twice)


def test_output_must_be_a_keras_file_in_a_folder(tmp_path, blobs):
    for out in (tmp_path / "model.h5", tmp_path / "no" / "model.keras"):
        with pytest.raises(ConversionError, match="must end in .keras"):
            run(blobs, "--source", "vnl", "-o", out)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("frames=32", 32),
        ("family=vnl_32x2", "vnl_32x2"),
        ("scale=None", None),
        ("pool_size=(1, 2, 2)", (1, 2, 2)),
        ("frame_groups={'res3': 4}", {"res3": 4}),
        ("pairwise='dot_product'", "dot_product"),
    ],
)
def test_values_are_literals_or_words(text, value):
    assert convert.parse(text) == (text.split("=")[0], value)


@pytest.mark.parametrize(
    "text",
    [
        "frames",
        "=3",
        "x=__import__('os')",
        "a=b c",
        "frames={[]:1}",
        "a=" + 9999 * "[",
    ],
    ids=lambda text: text[:20],
)
def test_other_values_are_refused(text):
    with pytest.raises(ConversionError, match="--set"):
        convert.parse(text)


def test_numbers_of_the_saved_model_are_those_of_the_file(tmp_path, blobs):
    out = tmp_path / "model.keras"
    run(blobs, "--source", "vnl", "-o", out)
    model = keras.saving.load_model(out)
    expected = w.network(**w.DENSE, places={"res4": (0,)})
    for weight, other in zip(model.weights, expected.weights, strict=True):
        np.testing.assert_array_equal(weight, other)

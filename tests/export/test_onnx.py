"""ONNX files predict in ONNX Runtime what the model predicts in Keras."""

import json
import sys

import numpy as np
import onnx
import pytest

import zoo
from nonlocal_keras import models
from nonlocal_keras.export import onnx as onnx_export
from nonlocal_keras.export import parity
from tests.support import checkpoint_writers as w
from tests.support import export_cases
from tests.support import small
from tests.support.marks import mostly_slow

to_onnx = onnx_export.to_onnx
TRAINED = "nl_c2d_tiny_longrange"


@pytest.fixture(scope="module")
def trained():
    return zoo.load(TRAINED)


@pytest.fixture(scope="module")
def trained_file(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "m.onnx"
    return to_onnx(trained, path, clips=parity.sample_clips(trained, 16))


@mostly_slow(export_cases.EVERY_BLOCK, 0, 2)
def test_every_block_predicts_the_same(options, tmp_path):
    model = w.network(options=options, **w.I3D, **w.DENSE)
    # Raises above 1e-4.
    assert to_onnx(model, tmp_path / "m.onnx").parity.relative < 1e-4


@mostly_slow(export_cases.EVERY_BACKBONE, 4)
def test_every_backbone_predicts_the_same(arguments, tmp_path):
    model = w.network(**arguments)
    assert to_onnx(model, tmp_path / "m.onnx").parity.relative < 1e-4


def test_a_trained_model_chooses_the_same_classes(trained_file):
    assert trained_file.parity.clips == 16
    assert trained_file.parity.agreement == 1.0
    assert trained_file.operators["Softmax"] == 3  # two blocks and the head
    assert "parity: 16 clips" in str(trained_file)


def test_batch_frames_and_size_are_free_where_they_are_free(tmp_path):
    backbone = models.from_name(
        "nl_i3d_tiny", stem_width=4, input_shape=(None, None, None, 3)
    )
    model = models.VideoClassifier(backbone, 3)
    path = tmp_path / "m.onnx"
    to_onnx(model, path)
    run = onnx_export.runner(path, threads=2)
    for shape in ((3, 8, 32, 48, 3), (1, 4, 64, 64, 3)):
        clips = np.random.default_rng(0).normal(size=shape).astype("float32")
        expected = w.logits(model, clips)
        np.testing.assert_allclose(
            run(clips), expected, atol=1e-4 * np.abs(expected).max()
        )
    (clip,) = onnx.load(path).graph.input
    names = [axis.dim_param for axis in clip.type.tensor_type.shape.dim]
    assert names == ["batch", "frames", "height", "width", ""]


def test_labels_and_preprocessing_go_along(trained, trained_file):
    told = onnx.load(trained_file.path).metadata_props
    told = {entry.key: json.loads(entry.value) for entry in told}
    assert tuple(told["labels"]) == tuple(trained.labels)
    assert told["preprocessing"]["size"] == trained.preprocessing["size"]


def test_another_prediction_leaves_the_old_file(
    trained_file, tmp_path, monkeypatch
):
    path = tmp_path / "m.onnx"
    path.write_bytes(b"old")
    graph = onnx.load(trained_file.path)
    monkeypatch.setattr(onnx_export, "_convert", lambda *unused: graph)
    fresh = zoo.load(TRAINED, weights=False)
    with pytest.raises(parity.ExportError, match="must predict what the model"):
        to_onnx(fresh, path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]


def test_other_models_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`model` must be a VideoClassifier"):
        to_onnx(export_cases.foreign(), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_a_missing_library_is_named_with_the_line_that_installs_it(
    tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'nonlocal-keras\[onnx"):
        to_onnx(small.classifier(), tmp_path / "m.onnx")

"""LiteRT files predict in the LiteRT runtime what the model predicts."""

import pathlib
import sys

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

import zoo
from nonlocal_keras import models
from nonlocal_keras.export import deployment
from nonlocal_keras.export import litert
from nonlocal_keras.export import parity
from tests.support import checkpoint_writers as w
from tests.support import export_cases
from tests.support import small
from tests.support.marks import mostly_slow

to_litert = litert.to_litert
TRAINED = "nl_c2d_tiny_longrange"


@pytest.fixture(scope="module")
def trained():
    return zoo.load(TRAINED)


@pytest.fixture(scope="module")
def clips(trained):
    return parity.sample_clips(trained, 100)


@pytest.fixture(scope="module")
def trained_file(trained, tmp_path_factory):
    return to_litert(trained, tmp_path_factory.mktemp("litert") / "m.tflite")


@pytest.fixture(scope="module")
def int8_file(trained, clips, tmp_path_factory):
    path = tmp_path_factory.mktemp("litert") / "m"
    return to_litert(trained, path, "int8", clips=clips)


@mostly_slow(export_cases.EVERY_BLOCK, 0, 2)
def test_every_block_predicts_the_same(options, tmp_path):
    model = w.network(options=options, **w.I3D, **w.DENSE)
    # Raises above 1e-4, and for an operator that is not builtin.
    assert to_litert(model, tmp_path / "m.tflite").parity.relative < 1e-4


@mostly_slow(export_cases.EVERY_BACKBONE, 4)
def test_every_backbone_predicts_the_same(arguments, tmp_path):
    model = w.network(**arguments)
    assert to_litert(model, tmp_path / "m.tflite").parity.relative < 1e-4


@mostly_slow(
    pytest.mark.parametrize(
        "quantization, size, agreement",
        [(None, 1.0, 1.0), ("float16", 0.55, 1.0), ("dynamic", 0.3, 0.98)],
    ),
    1,
)
def test_a_quantized_file_is_small_and_chooses_the_same_classes(
    trained, clips, quantization, size, agreement, tmp_path
):
    exported = to_litert(trained, tmp_path / "m", quantization, clips=clips)
    weights = 4 * trained.count_params()
    assert exported.size < size * weights + 50_000  # graph and names
    assert exported.parity.agreement >= agreement


def test_8_bits_are_a_third_and_choose_the_same_classes(trained, int8_file):
    weights = 4 * trained.count_params()
    assert int8_file.size < 0.35 * weights + 50_000
    assert int8_file.parity.agreement >= 0.98


def test_attention_stays_in_float_where_all_else_has_8_bits(int8_file):
    interpreter = Interpreter(int8_file.path)
    tensors = {t["index"]: t for t in interpreter.get_tensor_details()}
    dtypes = {
        name: {
            np.dtype(tensors[op["outputs"][0]]["dtype"]).name
            for op in interpreter._get_ops_details()
            if op["op_name"] == name
        }
        for name in ("BATCH_MATMUL", "SOFTMAX", "CONV_2D")
    }
    assert dtypes == {
        "BATCH_MATMUL": {"float32"},
        "SOFTMAX": {"float32"},
        "CONV_2D": {"int8"},
    }


def test_large_logits_are_not_cut_off_where_calm_clips_were_measured(
    trained, clips, tmp_path
):
    clips = clips[:64]
    largest = abs(trained.logits.predict(clips, verbose=0)).max(axis=-1)
    calm, bold = np.split(clips[np.argsort(largest)], [32])
    path = to_litert(
        trained, tmp_path / "m", "int8", calm, bold[-8:], tolerance=1.0
    ).path
    found = np.concatenate([litert.runner(path)(c[None]) for c in bold[-8:]])
    assert abs(found).max() > 0.9 * largest.max()


def test_labels_lie_beside(trained, trained_file):
    path = pathlib.Path(trained_file.path)
    assert path.name == "m.tflite" and path.is_file()
    names = path.with_name("m.labels.txt").read_text().split()
    assert names == list(trained.labels)


def test_both_outputs_are_named(trained, clips, trained_file):
    run = Interpreter(trained_file.path).get_signature_runner()
    outputs = run(clip=clips[:1])
    np.testing.assert_allclose(
        outputs["probabilities"],
        trained.predict(clips[:1], verbose=0),
        atol=1e-5,
    )


@pytest.mark.slow
def test_free_sizes_are_those_of_shape_or_preprocessing(tmp_path):
    backbone = models.from_name(
        "nl_i3d_tiny", stem_width=4, input_shape=(None, None, None, 3)
    )
    model = models.VideoClassifier(backbone, 3)
    path = tmp_path / "m.tflite"
    with pytest.raises(
        ValueError, match="`shape` must give the frames, height"
    ):
        to_litert(model, path)
    assert not list(tmp_path.iterdir())
    to_litert(model, path, shape=(8, 32, 48))
    assert litert.runner(path)(np.zeros((1, 8, 32, 48, 3))).shape == (1, 3)
    model.preprocessing = {"frames": 4, "size": 64, "short_side": 64}
    to_litert(model, path)
    assert litert.runner(path)(np.zeros((1, 4, 64, 64, 3))).shape == (1, 3)


def test_a_shape_that_the_model_does_not_take_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a model of \(4, 32, 32\)"):
        to_litert(small.classifier(), tmp_path / "m", shape=(8, 32, 32))


def test_another_prediction_leaves_the_old_file(
    trained_file, tmp_path, monkeypatch
):
    path = tmp_path / "m.tflite"
    path.write_bytes(b"old")
    content = pathlib.Path(trained_file.path).read_bytes()
    monkeypatch.setattr(litert, "_convert", lambda *unused: content)
    fresh = zoo.load(TRAINED, weights=False)
    with pytest.raises(parity.ExportError, match="must predict what the model"):
        to_litert(fresh, path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["m.tflite"]


def test_a_layer_without_a_builtin_form_is_named(tmp_path, monkeypatch):
    model = w.network(options={"pairwise": "concatenation"}, **w.DENSE)

    def streamed(model, _, prepare=deployment.prepare):
        fast = prepare(model, "2d")
        fast.get_layer(fast.backbone.name).get_layer(
            "nonlocal_res4_0"
        ).implementation = "streamed"
        return fast

    monkeypatch.setattr(deployment, "prepare", streamed)
    with pytest.raises(parity.ExportError, match="nonlocal_res4_0"):
        to_litert(model, tmp_path / "m.tflite")
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_no_export(trained_file, tmp_path):
    content = pathlib.Path(trained_file.path).read_bytes()
    (tmp_path / "cut").write_bytes(content[: len(content) // 2])
    with pytest.raises((parity.ExportError, ValueError)):
        litert.runner(tmp_path / "cut")


def test_other_models_are_refused(tmp_path):
    with pytest.raises(ValueError, match="`model` must be a VideoClassifier"):
        to_litert(export_cases.foreign(), tmp_path / "m")
    assert not list(tmp_path.iterdir())


def test_unknown_quantization_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`quantization` must be one.*'int4'"):
        to_litert(small.classifier(), tmp_path / "m", "int4")
    with pytest.raises(ValueError, match="`representative` clips are for"):
        to_litert(small.classifier(), tmp_path / "m", representative=[])


def test_a_missing_library_is_named_with_the_line_that_installs_it(
    tmp_path, monkeypatch
):
    # Another test may have loaded it.
    loaded = [m for m in sys.modules if m.startswith("ai_edge_litert.")]
    for module in ["ai_edge_litert", *loaded]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=r"pip install 'nonlocal-keras\[lite"):
        to_litert(small.classifier(), tmp_path / "m")

"""A model for TensorFlow Serving, seen from the side that serves it."""

import pathlib
import shutil
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from nonlocal_keras import export
from nonlocal_keras import models
from nonlocal_keras.export import SIGNATURES
from tests import served
from tests import small


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    root = tmp_path_factory.mktemp("serving")
    model = served.classifier()
    return model, pathlib.Path(export.to_serving(model, root, name=served.NAME))


@pytest.fixture(scope="module")
def signatures(exported):
    return tf.saved_model.load(str(exported[1])).signatures


# === Folders ===


def test_the_folder_is_what_serving_takes(exported):
    path = exported[1]
    assert path.parts[-2:] == (served.NAME, "1")
    files = {str(p.relative_to(path)) for p in path.rglob("*") if p.is_file()}
    assert files >= {
        "saved_model.pb",
        "assets/labels.txt",
        "assets.extra/tf_serving_warmup_requests",
        "card.md",
    }
    text = (path / "assets/labels.txt").read_text()
    assert text.split() == list(small.LABELS)
    assert not list(path.parent.glob(".partial*"))


def test_the_card_tells_signatures_and_parity(exported):
    card = (exported[1] / "card.md").read_text()
    for words in (*SIGNATURES, "3: left, right, still", "parity: 4 clips"):
        assert words in card
    assert "NL-C2D ResNet-14" in card


def test_weights_are_stored_once(exported):
    model, path = exported
    stored = sum(f.stat().st_size for f in path.glob("variables/*data*"))
    assert stored < 1.2 * 4 * model.count_params()


def test_a_version_never_changes_and_none_takes_the_next(exported, tmp_path):
    model, path = exported
    shutil.copytree(path.parent, tmp_path / served.NAME)
    plain = {"signatures": ("serving_default",), "warmup": False}
    with pytest.raises(ValueError, match="`version` must be new.*version=1"):
        export.to_serving(model, tmp_path, name=served.NAME, **plain)
    second = export.to_serving(
        model, tmp_path, name=served.NAME, version=None, **plain
    )
    assert second == str(tmp_path / served.NAME / "2")


def test_what_predicts_otherwise_is_not_left(exported, tmp_path, capsys):
    with pytest.raises(export.ExportError, match="of the largest logit"):
        # No difference is that small.
        export.to_serving(exported[0], tmp_path / "new", tolerance=-1.0)
    assert not list(tmp_path.iterdir())


# === Signatures ===


def test_clips_give_logits_and_probabilities(exported, signatures):
    model, _ = exported
    clips = export.sample_clips(model, 3)
    outputs = signatures["serving_default"](clip=tf.constant(clips))
    logits = model.logits.predict(clips, verbose=0)
    np.testing.assert_allclose(outputs["logits"], logits, atol=1e-5)
    np.testing.assert_allclose(
        outputs["probabilities"], tf.nn.softmax(logits), atol=1e-5
    )


def test_frames_of_any_number_and_size_give_probabilities(exported, signatures):
    model, _ = exported
    for frames in (
        served.video(0),
        served.video(1, 90, 40)[:9],
        served.video(2, 20, 25)[:4],
    ):
        outputs = signatures["video"](frames=tf.constant(frames[None]))
        np.testing.assert_allclose(
            outputs["probabilities"], served.expected(model, frames), atol=1e-5
        )


def test_the_best_labels_come_with_their_probabilities(exported, signatures):
    videos = np.stack([served.video(0), served.video(1)])
    outputs = signatures["video"](frames=tf.constant(videos))
    probabilities = outputs["probabilities"].numpy()
    order = np.argsort(-probabilities, axis=1)
    np.testing.assert_array_equal(
        outputs["top_labels"].numpy().astype(str),
        np.array(small.LABELS)[order],
    )
    np.testing.assert_array_equal(
        outputs["top_probabilities"],
        np.take_along_axis(probabilities, order, axis=1),
    )


def test_jpeg_frames_give_what_the_decoded_frames_give(exported, signatures):
    model, _ = exported
    images, decoded = served.jpegs(served.video(0))
    outputs = signatures["jpeg"](frames=tf.constant([images]))
    np.testing.assert_allclose(
        outputs["probabilities"], served.expected(model, decoded), atol=1e-4
    )


def test_features_are_res5_and_its_mean(exported, signatures):
    model, _ = exported
    clip = model.preprocess(served.video(0))
    outputs = signatures["features"](clip=tf.constant(clip))
    res5 = model.backbone.predict(clip, verbose=0)
    np.testing.assert_allclose(outputs["res5"], res5, atol=1e-5)
    mean = res5.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(outputs["features"], mean, atol=1e-5)
    outputs = signatures["video_features"](
        frames=tf.constant(served.video(0)[None])
    )
    np.testing.assert_allclose(outputs["features"], mean, atol=1e-5)


# === Models ===


PLAIN = {"signatures": ("serving_default",), "warmup": False}
KINDS = {
    **{
        pairwise: {"non_local_options": {"pairwise": pairwise}}
        for pairwise in (
            "gaussian",
            "embedded_gaussian",
            "dot_product",
            "concatenation",
        )
    },
    "shift": {"shift_div": 4},
    "3x3x3": {"architecture": "i3d_3x3x3"},
    "affine": {"normalization": "affine"},
    "bfloat16": {"dtype": "mixed_bfloat16"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_predicts_the_same(kind, tmp_path, capsys):
    options = {"stem_width": 4, "input_shape": (4, 32, 32, 3), **KINDS[kind]}
    name = f"nl_{options.pop('architecture', 'c2d')}_tiny"
    model = models.VideoClassifier(models.from_name(name, **options), 3)
    export.to_serving(model, tmp_path, **PLAIN)
    most = "0.05" if kind == "bfloat16" else "0.0001"
    assert f"(at most {most})" in capsys.readouterr().out


def test_clips_of_any_size_are_served_where_the_model_takes_them(tmp_path):
    backbone = models.from_name(
        "nl_i3d_tiny", stem_width=4, input_shape=(None, None, None, 3)
    )
    model = models.VideoClassifier(
        backbone, 3, preprocessing=served.PREPROCESSING, labels=small.LABELS
    )
    path = export.to_serving(model, tmp_path, name=served.NAME)
    signature = tf.saved_model.load(path).signatures["serving_default"]
    for shape in ((2, 4, 32, 40, 3), (1, 9, 48, 32, 3)):
        clip = np.random.default_rng(0).normal(size=shape).astype("float32")
        np.testing.assert_allclose(
            signature(clip=tf.constant(clip))["logits"],
            model.logits.predict(clip, verbose=0),
            atol=1e-5,
        )


def test_a_model_without_preprocessing_says_what_to_leave_out(tmp_path):
    model = small.classifier()
    with pytest.raises(export.ExportError, match='=."serving_default", "feat'):
        export.to_serving(model, tmp_path)
    path = export.to_serving(
        model,
        tmp_path,
        signatures=("serving_default", "features"),
        warmup=False,
    )
    card = (pathlib.Path(path) / "card.md").read_text()
    assert "preprocessing | unknown" in card and "`video`" not in card
    labels = (pathlib.Path(path) / "assets/labels.txt").read_text()
    assert labels.splitlines() == ["class 0", "class 1", "class 2"]


def test_a_preprocessing_of_another_shape_is_refused(tmp_path):
    model = small.classifier(
        preprocessing={**served.PREPROCESSING, "frames": 8}
    )
    with pytest.raises(
        export.ExportError, match="'clip'.*= .4, 32, 32.*gives .8, 32, 32"
    ):
        export.to_serving(model, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_layer_for_which_the_clips_are_too_small_is_named(tmp_path):
    backbone = models.video_resnet(
        "c2d",
        14,
        family="vnl_8x8",
        stem_width=4,
        input_shape=(None,) * 3 + (3,),
    )
    small_clips = {**served.PREPROCESSING, "frames": 1}
    model = models.VideoClassifier(backbone, 3, preprocessing=small_clips)
    with pytest.raises(export.ExportError, match="1, 32, 32.*'pool2'"):
        export.to_serving(model, tmp_path)
    assert not list(tmp_path.iterdir())


class InNumpy(keras.layers.Layer):
    def call(self, x):
        return np.asarray(x)

    def compute_output_shape(self, input_shape):
        return input_shape


def test_a_layer_that_is_no_graph_is_named(tmp_path):
    inputs = keras.Input((4, 32, 32, 3))
    backbone = keras.Model(inputs, InNumpy(name="odd")(inputs))
    model = models.VideoClassifier(backbone, 3)
    with pytest.raises(export.ExportError, match="'odd' .InNumpy. must be"):
        export.to_serving(model, tmp_path, **PLAIN)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"signatures": ("video",)}, "with serving_default among them"),
        ({"signatures": ("serving_default", "x")}, "`signatures` must be out"),
        ({"name": "a/b"}, "`name` must be a name without slashes"),
        ({"name": ".."}, "`name` must be a name without slashes"),
        ({"version": 0}, "`version` must be"),
        ({"labels": ["a"]}, "`labels` must hold 3 names.*: 1"),
    ],
)
def test_a_wrong_argument_is_named(exported, tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        export.to_serving(exported[0], tmp_path, **options)


def test_a_backbone_is_refused(exported, tmp_path):
    with pytest.raises(export.ExportError, match="must be a VideoClassifier"):
        export.to_serving(exported[0].backbone, tmp_path)


def test_without_the_messages_of_serving_the_error_tells_both_ways_out(
    exported, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)
    minor = ".".join(tf.__version__.split(".")[:2])
    with pytest.raises(
        export.ExportError, match=rf"api=={minor}\.\*.*warmup=False"
    ):
        export.to_serving(exported[0], tmp_path)
    assert not list(tmp_path.iterdir())

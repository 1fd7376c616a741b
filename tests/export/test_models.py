"""Which models go to TensorFlow Serving, and which are told why not."""

import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from nonlocal_keras import export
from nonlocal_keras import models
from tests.support import checkpoint_writers as w
from tests.support import served
from tests.support import small
from tests.support.marks import mostly_slow

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


@mostly_slow(pytest.mark.parametrize("kind", list(KINDS)), 4, 7)
def test_every_kind_of_model_predicts_the_same(kind, tmp_path, capsys):
    options = {"stem_width": 4, "input_shape": (4, 32, 32, 3), **KINDS[kind]}
    name = f"nl_{options.pop('architecture', 'c2d')}_tiny"
    model = models.VideoClassifier(models.from_name(name, **options), 3)
    export.to_serving(model, tmp_path, say=print, **served.PLAIN)
    most = "0.05" if kind == "bfloat16" else "0.0001"
    assert f"(at most {most})" in capsys.readouterr().out


def test_clips_of_any_size_are_served_where_the_model_takes_them(tmp_path):
    backbone = models.from_name(
        "nl_i3d_tiny", stem_width=4, input_shape=(None, None, None, 3)
    )
    model = models.VideoClassifier(
        backbone, 3, preprocessing=served.PREPROCESSING, labels=small.LABELS
    )
    path = export.to_serving(
        model,
        tmp_path,
        signatures=("serving_default", "video"),
        warmup=False,
    )
    signature = tf.saved_model.load(path).signatures["serving_default"]
    for shape in ((2, 4, 32, 40, 3), (1, 9, 48, 32, 3)):
        clip = np.random.default_rng(0).normal(size=shape).astype("float32")
        np.testing.assert_allclose(
            signature(clip=tf.constant(clip))["logits"],
            w.logits(model, clip),
            atol=1e-5,
        )
    for shape in ((1, 4, 32, 0, 3), (1, 1, 4, 4, 3), (1, 4, 32, 32, 1)):
        with pytest.raises(
            tf.errors.InvalidArgumentError,
            match=r"\(batch, frames, height, width, 3\), with at least one "
            r"clip, frames of at least 2, height of at least \d",
        ):
            signature(clip=tf.zeros(shape))


def test_the_model_that_ships_refuses_clips_of_another_shape():
    loaded = tf.saved_model.load(str(zoo.path("nl_c2d_tiny_longrange")))
    signature = loaded.signatures["serving_default"]
    assert signature(clip=tf.zeros((2, 4, 32, 32, 3)))["logits"].shape == (2, 2)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"shape \(batch, 4, 32, 32, 3\)"
    ):
        signature(clip=tf.zeros((1, 8, 32, 32, 3)))


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
        export.to_serving(model, tmp_path, **served.PLAIN)
    assert not list(tmp_path.iterdir())

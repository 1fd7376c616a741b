"""A model for TensorFlow Serving, seen from the side that serves it."""

import re
import shutil
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from nonlocal_keras import export
from nonlocal_keras import models
from nonlocal_keras.export import SIGNATURES
from tests.support import served
from tests.support import small


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
    with pytest.raises(ValueError, match="`version` must be new.*version=1"):
        export.to_serving(model, tmp_path, name=served.NAME, **served.PLAIN)
    second = export.to_serving(
        model, tmp_path, name=served.NAME, version=None, **served.PLAIN
    )
    assert second == str(tmp_path / served.NAME / "2")


class Noise(keras.layers.Layer):
    """Predicts otherwise each time."""

    def call(self, x):
        now = tf.cast(1e6 * tf.timestamp(), "int64")
        return x + tf.random.stateless_normal(tf.shape(x), [now, 0])


def test_what_predicts_otherwise_is_not_left(tmp_path):
    inputs = keras.Input((4, 8, 8, 3))
    model = models.VideoClassifier(keras.Model(inputs, Noise()(inputs)), 3)
    with pytest.raises(export.ExportError, match="of the largest logit"):
        export.to_serving(model, tmp_path / "new", **served.PLAIN)
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


# === Requests that are none ===

# The model takes 4 x 32 x 32 x 3.
WRONG = [
    (1, 8, 32, 32, 3),
    (2, 2, 32, 32, 3),
    (1, 4, 64, 64, 3),
    (1, 4, 32, 16, 6),
    (1, 4, 32, 32, 6),
    (1, 0, 32, 32, 3),
    (0, 4, 32, 32, 3),
    (4, 32, 32, 3),
    (1, 1, 4, 32, 32, 3),
    (1, 4, 32, 32, 3, 1),
    (1, 4, 32, 32, 3, 0),
    (),
]


@pytest.mark.parametrize("name", ["serving_default", "features"])
def test_clips_of_another_shape_are_refused_with_the_rule(signatures, name):
    for shape in WRONG:
        given = re.escape(f"Received:] [{' '.join(map(str, shape))}]")
        with pytest.raises(
            tf.errors.InvalidArgumentError,
            match=r"`clip` must be of the shape \(batch, 4, 32, 32, 3\), with "
            rf"at least one clip.*{given}",
        ):
            signatures[name](clip=tf.zeros(shape))


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_a_clip_of_no_numbers_is_refused_and_named(signatures, number):
    clips = np.zeros((3, 4, 32, 32, 3), "float32")
    clips[1, 2, 3, 4, 0] = number
    for name in ("serving_default", "features"):
        with pytest.raises(
            tf.errors.InvalidArgumentError,
            match=r"`clip` must hold finite.*in clip\] \[1\]",
        ):
            signatures[name](clip=tf.constant(clips))


@pytest.mark.parametrize("name", ["video", "video_features"])
def test_videos_of_another_shape_are_refused_with_the_rule(signatures, name):
    for shape in (
        (1, 0, 32, 32, 3),
        (0, 4, 32, 32, 3),
        (1, 4, 0, 32, 3),
        (1, 4, 32, 32, 4),
        (4, 32, 32, 3),
        (1, 4, 32, 32, 3, 1),
        (65, 1, 1, 1, 3),
    ):
        with pytest.raises(
            tf.errors.InvalidArgumentError,
            match=r"`frames` must be of the shape \(batch, frames, height, "
            r"width, 3\), with 1 to 64 videos of at least one frame",
        ):
            signatures[name](frames=tf.zeros(shape, "uint8"))


def test_encoded_videos_of_another_shape_are_refused_with_the_rule(signatures):
    for shape in ((0, 4), (1, 0), (4,), (1, 1, 4), (65, 1)):
        with pytest.raises(
            tf.errors.InvalidArgumentError,
            match=r"`frames` must be of the shape \(batch, frames\), with 1 to",
        ):
            signatures["jpeg"](frames=tf.zeros(shape, "string"))


# === Arguments ===


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

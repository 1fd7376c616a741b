"""`evaluate` tests as `predict_video` predicts, with every field of views."""

import keras
import numpy as np
import pytest

import nonlocal_keras
from nonlocal_keras import data
from nonlocal_keras import models
from nonlocal_keras.evaluation.accuracy import predict_videos
from nonlocal_keras.evaluation.protocol import AVERAGES
from nonlocal_keras.evaluation.protocol import Protocol
from tests.support import small
from tests.support import videos

SPEC = data.ClipSpec(frames=4, stride=1, size=32, short_side=(32, 40))
# As a record states it.
PUBLISHED = {
    "clips": 2,
    "crops": 3,
    "size": 64,
    "window": [2, 1, 1],
    "average": "logits",
    "rule": "mmaction2_v0",
}
# The field that is meant, and what makes it count.
FIELDS = {
    "clips": {"clips": 3},
    "crops": {"crops": 10},
    "size": {"size": 48},
    "window": {"window": (2, 1, 1), "size": 64},
    "probabilities": {"average": "probabilities", "clips": 3},
    "logits": {"average": "logits", "clips": 3, "crops": 3},
    "maximum": {"average": "maximum", "clips": 3, "crops": 3},
    "rule": {"rule": "mmaction2_v0", "clips": 3},
    "all": PUBLISHED,
}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    images = videos.moving_images(24, height=48, width=64)
    return [
        str(videos.write_images(root / f"{i}.mp4", images[8 * i :][:12]))
        for i in range(3)
    ]


@pytest.fixture
def model():
    clip = keras.Input((4, None, None, 3))
    features = keras.layers.Conv3D(8, (3, 8, 8), (1, 8, 8), activation="relu")
    model = models.VideoClassifier(
        keras.Model(clip, features(clip)), 3, preprocessing=SPEC.to_config()
    )
    # Predictions that differ between views.
    pred = model.get_layer("pred")
    kernel, bias = pred.get_weights()
    pred.set_weights([5 * kernel, bias])
    return model


def reader(paths, labels=(0, 0, 0)):
    listed = data.VideoList(paths, list(labels), small.LABELS)
    return data.ClipReader(listed, SPEC)


@pytest.mark.parametrize("views", FIELDS.values(), ids=FIELDS)
def test_every_video_is_predicted_as_predict_video_does(views, model, paths):
    expected = [
        nonlocal_keras.predict_video(model, path, **views) for path in paths
    ]
    batches = predict_videos(model, reader(paths), Protocol(**views), 12)
    found = np.concatenate([scores for scores, _ in batches])
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("field", ["size", "window", "logits", "maximum"])
def test_no_field_is_left_out(field, model, paths):
    views = FIELDS[field]
    others = {key: views[key] for key in ("clips", "crops") if key in views}
    if field == "window":
        others["size"] = views["size"]
    found, plain = (
        nonlocal_keras.predict_video(model, paths[0], **fields)
        for fields in (views, others)
    )
    assert not np.allclose(found, plain, atol=1e-4)


def test_the_published_test_of_a_model_can_be_measured(model, paths):
    best = [
        int(nonlocal_keras.predict_video(model, path, **PUBLISHED).argmax())
        for path in paths
    ]
    result = nonlocal_keras.evaluate(
        model, reader(paths, best), progress=False, **PUBLISHED
    )
    assert (result.top1, result.videos) == (1.0, 3)
    assert result.protocol == (
        "2 x 3 views of 4 frames, stride 1, placed as by mmaction2_v0, 64 "
        "pixels, under a sliding window of 2 x 1 x 1; mean of logits"
    )


def test_a_protocol_says_how_views_become_one_prediction():
    said = [Protocol(average=name).describe(SPEC) for name in AVERAGES]
    usual = "1 x 1 views of 4 frames, stride 1, 32 pixels; "
    assert said == [
        f"{usual}mean of probabilities",
        f"{usual}mean of logits",
        f"{usual}maximum of probabilities",
    ]


def test_a_broken_video_is_skipped_at_any_size(model, paths, tmp_path):
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    opened = reader([*paths[:2], str(broken)])
    result = nonlocal_keras.evaluate(model, opened, size=48, progress=False)
    assert (result.videos, result.skipped) == (2, 1)
    assert list(opened.skipped) == [str(broken)]


def test_larger_crops_come_from_larger_frames(paths):
    views = reader(paths).test_views(0, size=48)
    expected = data.ClipReader(
        data.VideoList(paths, [0, 0, 0], small.LABELS),
        data.ClipSpec(frames=4, stride=1, size=48, short_side=(48, 48)),
    ).test_views(0)
    np.testing.assert_array_equal(views, expected)


@pytest.mark.parametrize(
    "views", [{"window": (2, 1, 1)}, {"average": "logits"}]
)
def test_a_function_has_no_window_and_no_logits(views, paths):
    with pytest.raises(ValueError, match="`model` must be a .*VideoClassif"):
        nonlocal_keras.evaluate(
            lambda clips: clips, reader(paths), progress=False, **views
        )


def test_an_unknown_average_is_refused_before_a_video_is_read(model):
    with pytest.raises(ValueError, match="`average` must be one of.*'median'"):
        nonlocal_keras.evaluate(model, None, average="median")

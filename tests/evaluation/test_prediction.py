import keras
import numpy as np
import pytest

from nonlocal_keras import data
from nonlocal_keras import models
from nonlocal_keras import predict_video
from nonlocal_keras.evaluation.prediction import top_labels
from tests.support import small
from tests.support import videos

PREPROCESSING = {
    "frames": 4,
    "stride": 1,
    "size": 32,
    "short_side": 32,
    "mean": [0.45, 0.45, 0.45],
    "std": [0.225, 0.225, 0.225],
}


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("videos") / "grey.mp4"
    return videos.write_video(path, frames=12)


@pytest.fixture
def model():
    backbone = models.from_name(
        "nl_c2d_tiny", stem_width=4, input_shape=(4, None, None, 3)
    )
    return models.VideoClassifier(
        backbone, 3, labels=small.LABELS, preprocessing=PREPROCESSING
    )


def spread(model):
    """Makes a difference between views."""
    pred = model.get_layer("pred")
    pred.set_weights([5 * pred.kernel.numpy(), pred.bias.numpy()])


def test_one_view_is_the_middle_clip(model, video):
    frames = data.read_frames(video, range(12), 32)
    expected = model.predict(model.preprocess(frames), verbose=0)[0]
    np.testing.assert_allclose(predict_video(model, video), expected, atol=1e-5)


@pytest.mark.parametrize("average", ["probabilities", "logits", "maximum"])
def test_views_are_averaged_as_asked(model, video, average):
    spread(model)
    found = predict_video(model, video, clips=3, crops=3, average=average)
    listed = data.VideoList([str(video)], [0], ("?",))
    spec = data.ClipSpec.from_config(PREPROCESSING)
    views = data.ClipReader(listed, spec).test_views(0, clips=3, crops=3)
    x = spec.normalize(views)
    logits = np.asarray(model.logits(x, training=False))
    softmax = np.asarray(keras.ops.softmax(logits))
    expected = {
        "probabilities": softmax.mean(axis=0),
        "logits": np.asarray(keras.ops.softmax(logits.mean(axis=0)[None]))[0],
        "maximum": softmax.max(axis=0),
    }
    np.testing.assert_allclose(found, expected[average], atol=1e-5)
    assert not np.allclose(expected["probabilities"], expected["logits"])


def test_views_lie_where_the_rule_puts_them(model, video):
    spread(model)
    listed = data.VideoList([str(video)], [0], ("?",))
    spec = data.ClipSpec.from_config(PREPROCESSING)
    found = {}
    for rule in ("vnl", "mmaction2_v0"):
        found[rule] = predict_video(model, video, clips=3, rule=rule)
        views = data.ClipReader(listed, spec).test_views(0, 3, rule=rule)
        expected = np.asarray(model(spec.normalize(views), training=False))
        np.testing.assert_allclose(
            found[rule], expected.mean(axis=0), atol=1e-5
        )
    assert not np.allclose(found["vnl"], found["mmaction2_v0"])


def test_a_model_that_counts_time_is_predicted_so(model, video):
    spread(model)
    frames = predict_video(model, video)
    # The video has 10 frames per second, so that the clip is longer.
    model.preprocessing = {**PREPROCESSING, "fps": 4}
    timed = predict_video(model, video)
    whole = data.read_frames(video, range(12), 32)
    expected = model.predict(model.preprocess(whole, fps=10), verbose=0)[0]
    np.testing.assert_allclose(timed, expected, atol=1e-5)
    assert not np.allclose(timed, frames)


def test_a_window_slides_over_larger_crops(model, video):
    spread(model)
    found = predict_video(model, video, size=64, window=(2, 1, 1))
    whole = predict_video(model, video, size=64)
    # The places of the window predict apart, and are averaged.
    assert found.shape == whole.shape and not np.allclose(found, whole)
    # One window over everything is the pooling of the model.
    one = predict_video(model, video, size=64, window=(2, 2, 2))
    np.testing.assert_allclose(one, whole, atol=1e-5)


def test_a_broken_video_is_named(model, tmp_path):
    path = tmp_path / "broken.mp4"
    path.write_bytes(b"no video")
    with pytest.raises(ValueError, match="broken.mp4: not a readable video"):
        predict_video(model, path)


def test_a_model_without_preprocessing_is_refused(model, video):
    model.preprocessing = None
    with pytest.raises(ValueError, match="`model` must know its preprocessing"):
        predict_video(model, video)
    with pytest.raises(ValueError, match="`preprocessing` of this model is No"):
        model.preprocess(np.zeros((4, 32, 32, 3), "uint8"))


def test_an_unknown_average_is_refused(model, video):
    with pytest.raises(ValueError, match="`average` must be one of.*'median'"):
        predict_video(model, video, average="median")


def test_top_labels_are_sorted_and_no_more_than_there_are():
    scores = np.array([0.1, 0.7, 0.2])
    assert top_labels(scores, ("a", "b", "c"), 2) == [("b", 0.7), ("c", 0.2)]
    assert [n for n, _ in top_labels(scores, None)] == [
        "class 1",
        "class 2",
        "class 0",
    ]


def test_labels_must_be_one_per_class():
    backbone = models.from_name("nl_c2d_tiny", stem_width=4)
    with pytest.raises(ValueError, match="`labels` must hold 3 names.*2 names"):
        models.VideoClassifier(backbone, 3, labels=["a", "b"])

"""The classifier on a backbone: its head, its test protocol, its files."""

import keras
import numpy as np
import pytest

from nonlocal_keras.models import VideoClassifier
from nonlocal_keras.models import VideoResNet
from tests.support import layer_contract
from tests.support.backends import BACKEND
from tests.support.backends import numpy
from tests.support.backends import run
from tests.support.backends import tensorflow_only
from tests.support.marks import mostly_slow
from tests.support.random_weights import randomize

pytestmark = pytest.mark.any_backend

UNKNOWN = (None, None, None, 3)


def backbone(**options):
    small = {
        "input_shape": UNKNOWN,
        "stage_blocks": (1, 1, 1, 1),
        "stem_width": 2,
        "stem_strides": (1, 2, 2),
        "pool1": None,
        "non_local": {"res4": (0,)},
        "kernel_initializer": "zeros",
    }
    return VideoResNet(**{**small, **options})


def classifier(num_classes=5, **options):
    """A classifier with random weights, so that no two clips are equal."""
    model = VideoClassifier(
        options.pop("on", None) or backbone(), num_classes, **options
    )
    return randomize(model)


def clip(frames=4, height=32, width=32):
    shape = (2, frames, height, width, 3)
    return np.random.default_rng(1).normal(size=shape).astype("float32")


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def dense(model, features):
    pred = model.get_layer("pred")
    return features @ numpy(pred.kernel) + numpy(pred.bias)


def test_predictions_are_the_dense_layer_on_the_mean_feature():
    model = classifier()
    features = run(model.backbone, clip()).mean(axis=(1, 2, 3))
    want = softmax(dense(model, features))
    np.testing.assert_allclose(run(model, clip()), want, atol=1e-5)
    assert abs(want[0] - want[1]).max() > 1e-4


def test_logits_are_what_softmax_makes_predictions_of():
    model = classifier()
    logits = run(model.logits, clip())
    want = dense(model, run(model.backbone, clip()).mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(logits, want, atol=1e-5)
    np.testing.assert_allclose(softmax(logits), run(model, clip()), atol=1e-6)


def test_logits_share_the_weights():
    model = classifier()
    assert model.logits is model.logits
    model.get_layer("pred").kernel.assign(np.zeros((64, 5)))
    bias = numpy(model.get_layer("pred").bias)
    got = run(model.logits, clip())
    np.testing.assert_allclose(got, np.stack([bias, bias]), atol=1e-6)


@pytest.mark.parametrize("pool_size", [(1, 2, 2), (2, 1, 3)])
def test_fully_convolutional_test_averages_the_predictions_of_windows(
    pool_size,
):
    """Softmax of every window, then the mean, as in the release."""
    model = classifier(pool_size=pool_size)
    features = run(model.backbone, clip(8, 48, 64))
    assert features.shape == (2, 4, 3, 4, 64)
    places = [n - k + 1 for n, k in zip(features.shape[1:4], pool_size)]
    windows = []
    for t, h, w in np.ndindex(*places):
        kt, kh, kw = pool_size
        window = features[:, t : t + kt, h : h + kh, w : w + kw]
        windows.append(dense(model, window.mean(axis=(1, 2, 3))))
    assert len(windows) > 1
    want = np.mean([softmax(y) for y in windows], axis=0)
    got = run(model, clip(8, 48, 64))
    np.testing.assert_allclose(got, want, atol=1e-5)
    logits = run(model.logits, clip(8, 48, 64))
    np.testing.assert_allclose(logits, np.mean(windows, axis=0), atol=1e-5)
    assert abs(got - softmax(logits)).max() > 1e-6


def test_any_frames_size_and_number_of_classes():
    model = classifier(num_classes=7)
    assert model.output_shape == (None, 7)
    for shape in ((3, 33, 47), (8, 64, 32)):
        y = run(model, clip(*shape))
        assert y.shape == (2, 7)
        np.testing.assert_allclose(y.sum(axis=-1), 1.0, atol=1e-5)


def test_several_labels_per_clip():
    model = classifier(activation="sigmoid")
    want = 1 / (1 + np.exp(-run(model.logits, clip())))
    np.testing.assert_allclose(run(model, clip()), want, atol=1e-5)


def test_no_activation_predicts_logits():
    model = classifier(activation=None)
    logits = run(model.logits, clip())
    np.testing.assert_allclose(run(model, clip()), logits, atol=1e-6)


def test_dropout_stands_before_the_dense_layer():
    model = classifier(dropout=0.25)
    assert model.get_layer("dropout").rate == 0.25
    pred = model.get_layer("pred")
    assert pred.input is model.get_layer("dropout").output


def test_dropout_of_zero_is_no_layer():
    names = [layer.name for layer in classifier(dropout=0.0).layers]
    assert "dropout" not in names


@pytest.mark.parametrize("policy", ["bfloat16", "mixed_float16"])
def test_predictions_are_declared_float32_under_any_policy(policy):
    model = VideoClassifier(backbone(dtype=policy), 5)
    assert model.backbone.output.dtype == policy.removeprefix("mixed_")
    assert model.output.dtype == model.logits.output.dtype == "float32"


def test_predictions_are_float32_under_a_mixed_policy():
    model = classifier(on=backbone(dtype="mixed_bfloat16"))
    y = run(model, clip())
    assert y.dtype == "float32"
    np.testing.assert_allclose(y.sum(axis=-1), 1.0, atol=1e-5)


def test_layers_of_the_head_have_fixed_names():
    names = [layer.name for layer in classifier().layers]
    assert names[0] == "clip" and names[2:4] == ["pool5", "dropout"]
    assert "pred" in names and names[-1] == "predictions"


def test_other_backbones_will_do():
    inputs = keras.Input((4, 8, 8, 3))
    features = keras.layers.Conv3D(6, 3, name="features")(inputs)
    model = classifier(on=keras.Model(inputs, features))
    assert model(clip(4, 8, 8)).shape == (2, 5)


# === Configuration ===


def test_every_parameter_is_in_the_config():
    options = {
        "backbone": backbone(),
        "num_classes": 3,
        "pool_size": (1, 2, 2),
        "dropout": 0.25,
        "activation": keras.activations.sigmoid,
        "labels": ("left", "right", "still"),
        "preprocessing": {"frames": 4, "size": 32},
        "name": "classifier",
        "trainable": False,
    }
    layer_contract.check_table([options], VideoClassifier)
    layer_contract.check_config(VideoClassifier, options)


@pytest.mark.parametrize(
    "policy, pool_size", [("float32", (1, 2, 2)), ("mixed_bfloat16", None)]
)
def test_keras_file_gives_the_same_classifier(policy, pool_size, tmp_path):
    keras.config.set_dtype_policy(policy)
    model = classifier(pool_size=pool_size)
    want = run(model, clip())
    model.save(tmp_path / "model.keras")
    keras.config.set_dtype_policy("float32")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is VideoClassifier
    assert type(loaded.backbone) is VideoResNet
    assert loaded.backbone.describe() == model.backbone.describe()
    np.testing.assert_array_equal(run(loaded, clip()), want)
    assert loaded.logits.output_shape == (None, 5)


@tensorflow_only
@pytest.mark.slow
def test_saved_model_serves_any_clip(tmp_path):
    import tensorflow as tf

    model = classifier()
    model.export(str(tmp_path / "model"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "model"))
    for x in (clip(), clip(3, 33, 47)[:1]):
        np.testing.assert_allclose(
            numpy(served.serve(x)), numpy(model(x)), atol=1e-5
        )


@mostly_slow(pytest.mark.parametrize("xla", [False, True]), 0)
def test_fits_a_small_batch(xla):
    model = classifier(num_classes=2, dropout=0.0)
    model.compile(
        keras.optimizers.SGD(0.05),
        "sparse_categorical_crossentropy",
        # JAX compiles by XLA, or not at all.
        jit_compile=xla or BACKEND == "jax",
    )
    labels = np.array([0, 1])
    losses = [model.train_on_batch(clip(), labels) for _ in range(5)]
    assert losses[-1] < 0.8 * losses[0]

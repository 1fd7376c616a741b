"""Optimized models predict what the model predicts."""

import keras
import numpy as np
import pytest

import zoo
from nonlocal_keras import models
from nonlocal_keras import optimize_for_inference
from tests.support import checkpoint_writers as w
from tests.support.backends import all_slow_on_jax
from tests.support.backends import run
from tests.support.marks import mostly_slow

pytestmark = [pytest.mark.any_backend, *all_slow_on_jax]
# 16 bits compile for long there.

OPTIONS = {
    "embedded_gaussian": {"pool_size": (1, 2, 2), "pool_first": True},
    "gaussian": {"pairwise": "gaussian", "output_bias": False},
    "dot_product": {"pairwise": "dot_product", "normalization": None},
    "concatenation": {"pairwise": "concatenation"},
    "affine": {"normalization": "affine"},
    "one stage": {"res3": {"normalization": None}, "res4": {"scale": 0.5}},
}


def compare(model, fast, tolerance=1e-4):
    x = w.clip(model)
    expected, found = run(model, x), run(fast, x)
    size = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, atol=tolerance * size)


@mostly_slow(pytest.mark.parametrize("name", list(OPTIONS)), 1, 4, 5)
def test_every_block_predicts_the_same(name):
    model = w.network(options=OPTIONS[name], **w.I3D, **w.DENSE)
    compare(model.logits, optimize_for_inference(model).logits)


@mostly_slow(
    pytest.mark.parametrize(
        "arguments",
        [
            {"places": None},
            {"normalization": "affine"},
            {"shift_div": 4},
            {"inflate": "3x3x3", **w.I3D},
            {"stage_strides": (1, 2, 2, 1), "stage_dilations": (1, 1, 1, 2)},
            {"zero_init_residual": False, "synchronized": False},
        ],
        ids=str,
    ),
    1,
    2,
    3,
)
def test_every_backbone_predicts_the_same(arguments):
    model = w.network(**{**w.PADDED, **arguments})
    compare(model.logits, optimize_for_inference(model).logits)


def test_a_backbone_alone_gives_the_same_features():
    model = w.network(**w.DENSE)
    fast = optimize_for_inference(model.backbone)
    x = w.clip(model)
    expected = run(model.backbone, x)
    size = np.abs(expected).max()
    np.testing.assert_allclose(run(fast, x), expected, atol=1e-4 * size)


def test_nothing_is_left_of_normalization_and_dropout():
    fast = optimize_for_inference(w.network(**w.DENSE))
    kinds = {type(layer).__name__ for layer in fast.backbone.layers}
    kinds |= {type(layer).__name__ for layer in fast.layers}
    assert not kinds & {"BatchNormalization", "FrozenAffine", "Dropout"}
    assert fast.count_params() < w.network(**w.DENSE).count_params()


def test_the_model_itself_is_left_alone():
    model = w.network(**w.DENSE)
    before = [np.array(keras.ops.convert_to_numpy(v)) for v in model.weights]
    optimize_for_inference(model)
    for weight, value in zip(model.weights, before):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), value)


def test_optimizing_again_changes_nothing():
    once = optimize_for_inference(w.network(**w.DENSE))
    compare(once.logits, optimize_for_inference(once).logits, 1e-6)


def test_bfloat16_is_close_and_half_the_size():
    # Random blocks amplify rounding; trained weights do not.
    model = zoo.load("nl_c2d_tiny_longrange")
    fast = optimize_for_inference(model, dtype="bfloat16")
    compare(model.logits, fast.logits, 0.05)
    dtypes = {v.dtype for v in fast.backbone.weights}
    assert dtypes == {"bfloat16"}


def test_labels_and_preprocessing_stay():
    model = w.network(**w.DENSE)
    model.labels = ("a", "b", "c")
    model.preprocessing = {"frames": 8, "size": 32, "short_side": 32}
    fast = optimize_for_inference(model)
    assert fast.labels == model.labels
    assert dict(fast.preprocessing) == dict(model.preprocessing)


def test_an_optimized_model_saves_and_loads(tmp_path):
    fast = optimize_for_inference(w.network(**w.DENSE))
    fast.save(tmp_path / "fast.keras")
    again = keras.saving.load_model(tmp_path / "fast.keras")
    compare(fast.logits, again.logits, 1e-6)


def test_other_models_are_refused():
    inputs = keras.Input((4, 8, 8, 3))
    other = keras.Model(inputs, keras.layers.Conv3D(4, 3)(inputs), name="mine")
    with pytest.raises(ValueError, match="`model` must be a VideoCl.*'mine'"):
        optimize_for_inference(other)
    on_it = models.VideoClassifier(other, 3)
    with pytest.raises(ValueError, match="`model` must be a VideoClassifier"):
        optimize_for_inference(on_it)


def test_an_unknown_dtype_is_refused():
    with pytest.raises(ValueError, match="`dtype` must be one of.*'float16'"):
        optimize_for_inference(w.network(**w.DENSE), dtype="float16")

"""Training with recomputed activations equals training without."""

import keras
import numpy as np
import pytest

from nonlocal_keras import models
from tests.support import backends
from tests.support.backends import BACKEND
from tests.support.backends import all_slow_on_jax
from tests.support.backends import numpy
from tests.support.backends import tensorflow_only

pytestmark = [pytest.mark.any_backend, *all_slow_on_jax]

OPTIONS = {
    "stage_blocks": (1, 2, 1, 1),
    "stem_width": 4,
    "non_local": {"res3": (0, 1)},
    "non_local_options": {"pool_size": (1, 2, 2)},
    "zero_init_residual": False,
    "input_shape": (2, 32, 32, 3),
}


def classifier(remat, **options):
    keras.utils.set_random_seed(1)
    backbone = models.VideoResNet(remat=remat, **{**OPTIONS, **options})
    return models.VideoClassifier(backbone, 3, dropout=0.0)


def clips(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(4, 2, 32, 32, 3)).astype("float32")
    return x, np.array([0, 1, 2, 0])


def trained(model, steps=2):
    model.compile(keras.optimizers.SGD(0.01), "sparse_categorical_crossentropy")
    x, y = clips()
    for _ in range(steps):
        model.train_on_batch(x, y)
    return {w.path: numpy(w) for w in model.weights}


def test_weights_and_statistics_are_updated_the_same():
    start = {w.path: numpy(w) for w in classifier(True).weights}
    plain = trained(classifier(False))
    remat = trained(classifier(True))
    assert list(remat) == list(plain) == list(start)
    for path, value in plain.items():
        np.testing.assert_allclose(remat[path], value, atol=1e-4, err_msg=path)
        if "moving" in path:  # updated, and once
            assert abs(value - start[path]).max() > 1e-3, path


def test_inference_is_the_same():
    x, _ = clips()
    np.testing.assert_array_equal(
        numpy(classifier(True)(x)), numpy(classifier(False)(x))
    )


def test_it_is_in_the_file_of_the_model(tmp_path):
    model = classifier(True)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.backbone.get_config()["remat"] is True
    x, _ = clips()
    np.testing.assert_array_equal(numpy(again(x)), numpy(model(x)))


def test_a_loss_of_activations_is_refused():
    options = {"activity_regularizer": keras.regularizers.L2(1e-3)}
    with pytest.raises(ValueError) as error:
        classifier(True, non_local_options=options)
    assert "`remat=True`" in str(error.value)
    assert "`activity_regularizer`" in str(error.value)
    assert "Received: 'nonlocal_res3_0' has one" in str(error.value)


@pytest.mark.skipif(BACKEND == "jax", reason="bfloat16 compiles for minutes")
def test_mixed_precision_keeps_float32_statistics():
    keras.config.set_dtype_policy("mixed_bfloat16")
    plain = trained(classifier(False), steps=1)
    remat = trained(classifier(True), steps=1)
    for path, value in plain.items():
        assert remat[path].dtype == value.dtype == "float32"
        np.testing.assert_allclose(remat[path], value, atol=2e-2, err_msg=path)


def product_with_hessian(remat):
    """Of the function from clips to a number that `classifier` gives."""
    model = classifier(remat)
    x, _ = clips()
    (direction,) = np.random.default_rng(1).normal(size=(1, *x.shape))

    def function(x):
        return keras.ops.sum(keras.ops.sin(model(x, training=True)))

    return backends.hessian_products(
        function, [x], [direction.astype("float32")]
    )[0]


@pytest.mark.skipif(BACKEND == "tensorflow", reason="refused there")
@pytest.mark.slow
def test_the_gradient_has_the_right_gradient():
    found, wanted = product_with_hessian(True), product_with_hessian(False)
    assert abs(wanted).max() > 1
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3)


@tensorflow_only
def test_tensorflow_refuses_a_gradient_of_the_gradient():
    with pytest.raises(NotImplementedError, match="recompute_grad"):
        product_with_hessian(True)


@tensorflow_only
def test_it_computes_the_convolutions_again():
    """Twice the convolutions of the forward pass, in the training graph."""
    import tensorflow as tf

    def convolutions(model):
        x, _ = clips()

        @tf.function
        def step(x):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(model(x, training=True))
            return tape.gradient(loss, model.trainable_variables)

        graph = step.get_concrete_function(x).graph
        return sum(op.type == "Conv2D" for op in graph.get_operations())

    plain, again = (convolutions(classifier(r)) for r in (False, True))
    assert again == 2 * plain

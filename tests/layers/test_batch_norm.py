"""The fused batch normalization is that of Keras."""

import keras
import numpy as np
import pytest

from nonlocal_keras.layers import BatchNormalization
from nonlocal_keras.layers import FrozenBatchNormalization
from tests.support import backends
from tests.support.backends import gradient
from tests.support.backends import numpy

pytestmark = pytest.mark.any_backend

OPTIONS = {"momentum": 0.8, "epsilon": 1e-5}


def data(shape, seed=0):
    x = np.random.default_rng(seed).normal(0.3, 2.0, shape)
    return x.astype("float32")


def pair(shape, **options):
    """Our layer and that of Keras, with the same random weights."""
    made = []
    for cls in (BatchNormalization, keras.layers.BatchNormalization):
        layer = cls(**{**OPTIONS, **options})
        layer.build(shape)
        for seed, weight in enumerate(layer.weights):
            weight.assign(0.5 + np.abs(data(weight.shape, seed)))
        made.append(layer)
    return made


SHAPES = [(2, 3, 4, 5, 6), (3, 7, 4), (4, 3), (2, 1, 1, 1, 3), (1, 1, 2)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_training_gives_the_outputs_and_statistics_of_keras(shape):
    ours, theirs = pair(shape)
    for seed in (1, 2):
        x = data(shape, seed)
        found, expected = ours(x, training=True), theirs(x, training=True)
        np.testing.assert_allclose(
            numpy(found), numpy(expected), rtol=1e-4, atol=1e-5
        )
    for a, b in zip(ours.weights, theirs.weights):
        np.testing.assert_allclose(numpy(a), numpy(b), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_inference_gives_the_outputs_of_keras(shape):
    ours, theirs = pair(shape)
    x = data(shape)
    np.testing.assert_allclose(
        numpy(ours(x)), numpy(theirs(x)), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("training", [False, True])
def test_gradients_are_those_of_keras(training):
    shape = (2, 3, 4, 5, 6)
    ours, theirs = pair(shape)
    weights = keras.ops.convert_to_tensor(data(shape, 5))
    found, expected = (
        gradient(
            lambda x, layer=layer: keras.ops.sum(
                weights * layer(x, training=training)
            ),
            data(shape),
        )
        for layer in (ours, theirs)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_gradients_have_the_right_gradients():
    """Those of Keras have not on TensorFlow, whose moments cut the mean off."""
    layer, _ = pair((2, 3, 4, 5, 6))
    x, direction = data((2, 3, 4, 5, 6)), data((2, 3, 4, 5, 6), 5)

    def function(x):
        with keras.StatelessScope():  # JAX assigns no traced statistics.
            y = layer(x, training=True)
        return keras.ops.sum(keras.ops.sin(y))

    step = 1e-2 * direction
    above, below = (gradient(function, y) for y in (x + step, x - step))
    wanted = (above - below) / 2e-2
    (found,) = backends.hessian_products(function, [x], [direction])
    assert abs(wanted).max() > 1
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-2)


def test_a_small_variance_keeps_the_small_epsilon():
    shape = (2, 4, 4, 3)
    ours, theirs = pair(shape, epsilon=1e-7)
    x = 1e-3 * data(shape)
    found = numpy(ours(x, training=True))
    expected = numpy(theirs(x, training=True))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


def test_a_frozen_layer_neither_trains_nor_counts():
    ours, theirs = pair((2, 4, 4, 3))
    before = numpy(ours.moving_mean)
    ours.trainable = theirs.trainable = False
    x = data((2, 4, 4, 3))
    np.testing.assert_allclose(
        numpy(ours(x, training=True)), numpy(theirs(x)), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_array_equal(numpy(ours.moving_mean), before)


@pytest.mark.parametrize(
    "options",
    [{"axis": 1}, {"scale": False}, {"center": False}, {"dtype": "bfloat16"}],
    ids=str,
)
def test_what_the_kernel_cannot_do_is_left_to_keras(options):
    shape = (2, 6, 4, 6)
    ours, theirs = pair(shape, **options)
    x = data(shape)
    assert not ours._is_fused(keras.ops.cast(x, ours.compute_dtype))
    np.testing.assert_allclose(
        numpy(ours(x, training=True)),
        numpy(theirs(x, training=True)),
        rtol=1e-5,
        atol=1e-5,
    )


def test_a_mask_is_left_to_keras():
    ours, theirs = pair((2, 6, 3))
    x, mask = data((2, 6, 3)), np.arange(12).reshape(2, 6) % 3 > 0
    np.testing.assert_allclose(
        numpy(ours(x, training=True, mask=mask)),
        numpy(theirs(x, training=True, mask=mask)),
        rtol=1e-5,
        atol=1e-5,
    )
    np.testing.assert_allclose(
        numpy(ours.moving_mean), numpy(theirs.moving_mean), rtol=1e-5
    )


def test_weights_of_keras_files_are_found(tmp_path):
    """Files keep weights by the name of the class."""
    inputs = keras.Input((4, 4, 3))
    ours, theirs = (
        keras.Model(inputs, cls(name="bn")(inputs))
        for cls in (BatchNormalization, keras.layers.BatchNormalization)
    )
    theirs.layers[1].gamma.assign([1.0, 2.0, 3.0])
    theirs.save_weights(tmp_path / "x.weights.h5")
    ours.load_weights(tmp_path / "x.weights.h5")
    np.testing.assert_array_equal(numpy(ours.layers[1].gamma), [1, 2, 3])


def test_a_frozen_one_normalizes_by_its_statistics_and_keeps_them():
    x = data((4, 6, 3))
    _, reference = pair(x.shape)
    layer = FrozenBatchNormalization(**OPTIONS)
    layer.build(x.shape)
    layer.set_weights(reference.get_weights())
    layer.trainable = True
    y = layer(x, training=True)
    np.testing.assert_allclose(
        numpy(y), numpy(reference(x, training=False)), rtol=1e-5, atol=1e-5
    )
    assert not layer.trainable_variables
    for one, other in zip(layer.get_weights(), reference.get_weights()):
        np.testing.assert_array_equal(one, other)


@backends.tensorflow_only
@pytest.mark.parametrize("strides, padding", [(1, "same"), (2, "valid")])
def test_in_a_graph_a_frozen_one_is_a_part_of_the_kernel(strides, padding):
    import tensorflow as tf

    convolution = keras.layers.Conv2D(4, 3, strides, padding, use_bias=False)
    norm = FrozenBatchNormalization(**OPTIONS)
    convolution.build((None, None, None, 3))
    norm.build((None, None, None, 4))
    for seed, weight in enumerate(norm.weights):
        weight.assign(0.5 + np.abs(data(weight.shape, seed)))
    x = data((2, 9, 8, 3))

    def value_and_gradient():
        with tf.GradientTape() as tape:
            y = norm(convolution(x))
            loss = tf.reduce_sum(tf.sin(y))
        return y, tape.gradient(loss, convolution.kernel.value)

    graph = tf.function(value_and_gradient, autograph=False)
    for found, expected in zip(graph(), value_and_gradient()):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    # The map is added to, and multiplied by nothing.
    (add,) = (
        op
        for op in graph.get_concrete_function().graph.get_operations()
        if op.type == "AddV2" and op.outputs[0].shape.rank == 4
    )
    assert {x.op.type for x in add.inputs} == {"Conv2D", "Sub"}

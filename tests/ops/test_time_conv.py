"""The gradient of a convolution over frames, by matrix products."""

import keras
import numpy as np
import pytest

from nonlocal_keras.ops.time_conv import time_conv

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="other backends differentiate the convolution themselves",
)


def draw(frames, taps, dtype="float32"):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, frames, 6, 4))
    kernel = rng.normal(size=(taps, 1, 4, 5))
    dy = rng.normal(size=(2, frames, 6, 5))
    return [tf.constant(a, dtype) for a in (x, kernel, dy)]


def gradients(convolve, x, kernel, dy):
    with tf.GradientTape() as tape:
        tape.watch((x, kernel))
        y = convolve(x, kernel)
    return y, *tape.gradient(y, (x, kernel), dy)


def ours(x, kernel):
    return time_conv(x, kernel, 1, kernel.shape[0] // 2)


def theirs(x, kernel):
    return tf.nn.conv2d(x, kernel, 1, "SAME")


# With fewer frames than half the taps, outer taps see padding only.
@pytest.mark.parametrize("frames", [1, 2, 3, 5])
@pytest.mark.parametrize("taps", [3, 5, 7])
def test_values_and_gradients_are_those_of_tensorflow(frames, taps):
    tensors = draw(frames, taps)
    for a, b in zip(gradients(ours, *tensors), gradients(theirs, *tensors)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_the_number_of_frames_may_be_unknown():
    tensors = draw(4, 3)
    signature = [
        tf.TensorSpec((None, None, 6, 4)),
        tf.TensorSpec((3, 1, 4, 5)),
        tf.TensorSpec((None, None, 6, 5)),
    ]
    graph = tf.function(
        lambda *a: gradients(ours, *a), input_signature=signature
    )
    for a, b in zip(graph(*tensors), gradients(theirs, *tensors)):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_bfloat16_gives_gradients_of_its_dtype():
    tensors = draw(4, 3, "bfloat16")
    for a, b in zip(gradients(ours, *tensors), gradients(theirs, *tensors)):
        assert a.dtype == b.dtype
        a, b = (np.asarray(x, "float32") for x in (a, b))
        np.testing.assert_allclose(a, b, rtol=0.05, atol=0.2)


def test_a_gradient_of_the_gradient_exists():
    x, kernel, _ = draw(4, 3)
    with tf.GradientTape() as outer:
        outer.watch(kernel)
        with tf.GradientTape() as tape:
            tape.watch(kernel)
            loss = tf.reduce_sum(ours(x, kernel) ** 2)
        first = tape.gradient(loss, kernel)
    assert np.abs(outer.gradient(first, kernel)).max() > 0

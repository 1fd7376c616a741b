"""Layers say what is wrong with numbers that they cannot take."""

import keras
import numpy as np
import pytest

from nonlocal_keras import NonLocal1D
from nonlocal_keras import NonLocal3D
from nonlocal_keras.layers.frozen_affine import FrozenAffine
from nonlocal_keras.layers.video_conv import VideoConv3D
from nonlocal_keras.layers.video_conv import VideoMaxPool3D

pytestmark = pytest.mark.any_backend

SOFTMAX = ("gaussian", "embedded_gaussian")
FORMS = (*SOFTMAX, "dot_product", "concatenation")

tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tests a tf.function"
)


@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool", "complex64"])
@pytest.mark.parametrize(
    "layer",
    [
        NonLocal3D(),
        VideoConv3D(4, (1, 1, 1)),
        VideoMaxPool3D((1, 2, 2)),
        FrozenAffine(),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_numbers_that_are_no_floats_are_refused(layer, dtype):
    clip = keras.ops.convert_to_tensor(np.zeros((1, 2, 4, 4, 3), dtype))
    with pytest.raises(ValueError) as error:
        layer(clip)
    for words in (
        f"`inputs` of {type(layer).__name__} must be floats",
        "keras.ops.cast(inputs, 'float32')",
        f"Received: dtype={dtype}",
    ):
        assert words in str(error.value)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("implementation", ["matrix", "streamed"])
@pytest.mark.parametrize("pairwise", FORMS)
def test_an_empty_batch_gives_an_empty_batch(pairwise, implementation, masked):
    layer = NonLocal1D(pairwise=pairwise, implementation=implementation)
    mask = np.ones((0, 6), bool) if masked else None
    x = np.zeros((0, 6, 4), "float32")
    assert tuple(layer(x, mask=mask).shape) == (0, 6, 4)


@tensorflow_only
@pytest.mark.parametrize("pairwise", SOFTMAX)
@pytest.mark.parametrize("shape", [(0, 6, 4), (2, 0, 4)])
def test_nothing_to_stream_is_said_in_a_graph_of_any_size(pairwise, shape):
    import tensorflow as tf

    layer = NonLocal1D(pairwise=pairwise, implementation="streamed")
    layer.build((None, None, 4))
    spec = tf.TensorSpec((None, None, 4), tf.float32)
    function = tf.function(layer, input_signature=[spec])
    assert function(tf.zeros((2, 6, 4))).shape == (2, 6, 4)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="must hold a sample and a pos"
    ):
        function(tf.zeros(shape))

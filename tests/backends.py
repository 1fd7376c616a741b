"""What a test must ask of the backend itself: compilation and gradients."""

import keras
import numpy as np
import pytest

BACKEND = keras.backend.backend()

tensorflow_only = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="needs TensorFlow itself"
)
float64_only = pytest.mark.skipif(
    BACKEND == "jax", reason="JAX computes in 32 bits unless told otherwise"
)


def numpy(x):
    """Tensors as NumPy arrays, half precision as float32."""
    x = keras.ops.convert_to_numpy(x)
    return x.astype("float32") if x.dtype.itemsize == 2 else x


def run(model, x):
    """The outputs of a large model; eagerly where that is fast."""
    if BACKEND == "tensorflow":
        return keras.tree.map_structure(numpy, model(x, training=False))
    return model.predict(x, verbose=0)


def compile_call(function, xla=True):
    """`function` of tensors, compiled by the backend."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.function(function, jit_compile=xla)
    if BACKEND == "jax":
        import jax

        return jax.jit(function)
    pytest.skip(f"nothing to compile with on {BACKEND}")


def gradient(function, x):
    """The gradient of a scalar function at `x`, as a NumPy array."""
    x = keras.ops.convert_to_tensor(x)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return np.asarray(tape.gradient(y, x))
    if BACKEND == "jax":
        import jax

        return np.asarray(jax.jit(jax.grad(function))(x))
    pytest.skip(f"no gradients written for {BACKEND}")

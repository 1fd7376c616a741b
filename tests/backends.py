"""What a test must ask of the backend itself: compilation and gradients."""

import keras
import numpy as np
import pytest

BACKEND = keras.backend.backend()

tensorflow_only = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="needs TensorFlow itself"
)
float64_only = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="elsewhere Keras computes in 32 bits"
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
    import torch

    # Traced, not translated: that needs a C++ compiler.
    return torch.compile(function, backend="eager")


def gradient(function, x):
    """The gradient of a scalar function at `x`, as a NumPy array."""
    return gradients(function, [x])[0]


def gradients(function, arrays, compiled=BACKEND == "jax"):
    """The gradients of a scalar function with respect to all arguments."""
    arrays = [keras.ops.convert_to_tensor(x) for x in arrays]
    if BACKEND == "jax":
        import jax

        grad = jax.grad(function, argnums=tuple(range(len(arrays))))
        return list(
            map(np.asarray, (jax.jit(grad) if compiled else grad)(*arrays))
        )
    if BACKEND == "torch":
        arrays = [x.detach().clone().requires_grad_() for x in arrays]
        function(*arrays).backward()
        return [numpy(x.grad) for x in arrays]
    import tensorflow as tf

    def grad(*arrays):
        with tf.GradientTape() as tape:
            tape.watch(arrays)
            y = function(*arrays)
        return tape.gradient(y, arrays)

    return list(
        map(np.asarray, (tf.function(grad) if compiled else grad)(*arrays))
    )

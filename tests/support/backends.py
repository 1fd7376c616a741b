"""What a test must ask of the backend itself: compilation and gradients."""

import contextlib
import unittest.mock

import keras
import pytest
from keras import ops

BACKEND = keras.backend.backend()

tensorflow_only = pytest.mark.skipif(
    BACKEND != "tensorflow", reason="needs TensorFlow itself"
)
# Compiling takes long, and the claim is held by the other backends. For a
# test, and for all of a module.
slow_on_jax = pytest.mark.slow if BACKEND == "jax" else lambda test: test
all_slow_on_jax = (pytest.mark.slow,) if BACKEND == "jax" else ()
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
    return gradient_function(function, compiled)(arrays)


def gradient_function(function, compiled=BACKEND == "jax"):
    """Gives a function of a list of arrays that returns their gradients."""

    def grad(*tensors):
        return gradients_of_tensors(function, tensors)

    if compiled:
        grad = compile_call(grad, xla=False)

    def of_arrays(arrays):
        tensors = [ops.convert_to_tensor(x) for x in arrays]
        if BACKEND == "torch":
            tensors = [x.detach().clone().requires_grad_() for x in tensors]
        return [numpy(x) for x in grad(*tensors)]

    return of_arrays


def gradients_of_tensors(function, tensors, differentiable=False):
    """The gradients as tensors, which on PyTorch must be told their use."""
    if BACKEND == "jax":
        import jax

        return jax.grad(function, argnums=tuple(range(len(tensors))))(*tensors)
    if BACKEND == "torch":
        import torch

        y = function(*tensors)
        return torch.autograd.grad(y, tensors, create_graph=differentiable)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(tensors)
        y = function(*tensors)
    return tape.gradient(y, tensors)


def product_with_gradients(function, tensors, directions):
    """The sum of the products of gradients and arrays, to differentiate."""
    grads = gradients_of_tensors(function, tensors, differentiable=True)
    return sum(
        ops.sum(g * ops.convert_to_tensor(d)) for g, d in zip(grads, directions)
    )


def hessian_products(function, arrays, directions, compiled=BACKEND == "jax"):
    """The gradients of the product of the gradients with the directions."""

    def product(*tensors):
        return product_with_gradients(function, tensors, directions)

    return gradients(product, arrays, compiled)


@contextlib.contextmanager
def float64():
    """Inside, arrays of float64 stay what they are, on all backends."""
    if BACKEND == "tensorflow":
        yield
        return
    # Keras rounds to 32 bits elsewhere, in no more than this table.
    from keras.src.backend.common import dtypes

    table = dtypes.BIT64_TO_BIT32_DTYPE
    with unittest.mock.patch.dict(table, float64="float64"):
        if BACKEND == "torch":
            yield
            return
        import jax

        with jax.enable_x64(True):
            yield


def gradients_of_weights(model, inputs, weights):
    """The losses of a model by name, and the gradients of their sum."""
    if BACKEND == "jax":
        import jax

        index = {id(w): i for i, w in enumerate(model.trainable_variables)}
        others = [v.value for v in model.non_trainable_variables]

        def total(trainable):
            losses, _ = model.stateless_call(
                trainable, others, inputs, training=True
            )
            return sum(losses.values()), losses

        trainable = [v.value for v in model.trainable_variables]
        gradient = jax.jit(jax.value_and_grad(total, has_aux=True))
        (_, losses), found = gradient(trainable)
        found = [found[index[id(w)]] for w in weights]
    elif BACKEND == "torch":
        import torch

        losses = model(inputs, training=True)
        total = sum(losses.values())
        found = torch.autograd.grad(total, [w.value for w in weights])
    else:
        import tensorflow as tf

        with tf.GradientTape() as tape:
            losses = model(inputs, training=True)
            total = sum(losses.values())
        found = tape.gradient(total, [w.value for w in weights])
    losses = {name: float(numpy(loss)) for name, loss in losses.items()}
    return losses, [numpy(ops.convert_to_tensor(g)) for g in found]

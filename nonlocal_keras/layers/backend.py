"""What `keras.ops` lacks: loops over tiles, products, searches, gradients."""

import keras
from keras import ops


def with_gradient(forward, backward):
    """Gives a function its gradient in closed form, on every backend.

    Args:
        forward: Function of tensors that returns `(y, saved)`, one tensor and
            a tuple of tensors.
        backward: Function `(*saved, dy)` that returns a tuple with the
            gradient for each argument of `forward`.

    Returns:
        A function of the same arguments that returns `y`.
    """

    @ops.custom_gradient
    def function(*inputs):
        y, saved = forward(*inputs)
        # PyTorch would hold `y` by its own gradient for ever.
        saved = [ops.stop_gradient(x) for x in saved]

        def gradient(*upstream, **named):
            # PyTorch passes the inputs first and names the gradient of y.
            return backward(*saved, named.get("upstream", upstream[0]))

        return y, gradient

    return lambda *inputs: function(*map(ops.convert_to_tensor, inputs))


def matmul_transposed(a, b):
    """`a b^T` of two matrices, without a copy of `b`."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.matmul(a, b, transpose_b=True)
    # The other backends transpose by strides or when they compile.
    return ops.matmul(a, ops.transpose(b))


def has_fused_attention(theta, g):
    """Whether the backend has a streamed kernel for these queries and values.

    PyTorch has, for queries and values of one width. That of JAX builds the
    matrix on a CPU, and its kernel for GPUs takes no float32.
    """
    torch = keras.backend.backend() == "torch"
    return torch and theta.shape[-1] == g.shape[-1]


def fused_attention(theta, phi, g):
    """`softmax(theta phi^T) g`, with its gradient, by a kernel of PyTorch."""
    import torch

    # The kernel wants an axis of heads: (B, 1, N, C).
    theta, phi, g = (x[:, None] for x in (theta, phi, g))
    y = torch.nn.functional.scaled_dot_product_attention(
        theta, phi, g, scale=1.0
    )
    return y[:, 0]


def over_tiles(body, carry, tiles, outputs=1):
    """One tile after the other, so that only one is in memory.

    Args:
        body: Function `(carry, tiles) -> (carry, outs)`.
        carry: Tuple of tensors, passed from one tile to the next.
        tiles: Tuple of tensors of one length; `body` gets an entry of each.
        outputs: Integer, how many tensors are in the tuple `outs`.

    Returns:
        The last `carry`, and the tuple of the tensors `outs`, stacked.
    """
    count = ops.shape(tiles[0])[0]
    if isinstance(count, int) and count == 1:
        carry, outs = body(carry, tuple(x[0] for x in tiles))
        return carry, tuple(out[None] for out in outs)
    if keras.backend.backend() != "tensorflow":
        return ops.scan(body, carry, tiles)
    # There `ops.scan` wants outputs of the shape of the carry, and `ops.map`
    # runs ten tiles at a time.
    import tensorflow as tf

    def step(i, carry, arrays):
        carry, outs = body(carry, tuple(x[i] for x in tiles))
        arrays = [a.write(i, out) for a, out in zip(arrays, outs)]
        return i + 1, carry, arrays

    arrays = [tf.TensorArray(tiles[0].dtype, count) for _ in range(outputs)]
    _, carry, arrays = tf.while_loop(
        lambda i, *_: i < count, step, (0, carry, arrays), parallel_iterations=1
    )
    return carry, tuple(array.stack() for array in arrays)


def count_below(ascending, values):
    """How many entries of a sorted row lie below each value.

    Args:
        ascending: Tensor `(batch, keys)`, each row sorted.
        values: Tensor `(batch, queries)`.

    Returns:
        Integer tensor `(batch, queries)`.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf  # `vectorized_map` compiles at every call.

        return tf.searchsorted(ascending, values, side="left")
    return ops.vectorized_map(
        lambda row: ops.searchsorted(*row, side="left"), (ascending, values)
    )

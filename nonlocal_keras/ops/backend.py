"""What `keras.ops` lacks: loops over tiles, searches, gradients, checks."""

import functools

import keras
from keras import ops

NO_FORWARD_MODE = (
    "TensorFlow has no forward-mode derivative of a custom gradient in a "
    "tf.function, which the streamed forms of a non-local block and RoIAlign "
    "have. Run the ForwardAccumulator eagerly, nest GradientTapes instead, or "
    'give the block implementation="matrix".'
)

NOTHING = (
    "`inputs` of a non-local block that streams must hold a sample and a "
    "position. Received: an empty batch or axis in a tf.function; drop such "
    "inputs before the layer."
)


def with_gradient(forward, backward, second):
    """Makes a function with gradients in closed form.

    What `backward` gets of the forward pass is cut off from all derivatives,
    which `second` makes up for. That one computes with nothing but its
    arguments, in operations with gradients, so that every order is right.

    JAX differentiates `forward` itself: its `over_tiles` forgets tiles, too,
    and gives forward-mode derivatives, which closed forms exclude there.

    Args:
        forward: Function of tensors that returns a tuple of `y` and of what
            else `backward` is to have.
        backward: Function `(*inputs, *results of forward, dy)` that returns a
            tuple with the gradient of each input.
        second: Function `(*inputs, dy, *weights)`, a weight for each result
            of `backward`, that returns a tuple with the gradient of their
            weighted sum with respect to each input and to `dy`.

    Returns:
        A function of the same arguments as `forward` that returns `y`.
    """
    if keras.backend.backend() == "jax":
        return lambda *inputs: forward(*inputs)[0]
    gradient = functools.partial(_gradient, backward, second)

    def function(*inputs):
        inputs = map(ops.convert_to_tensor, inputs)
        return _custom(forward, gradient, outputs=1)(*inputs)[0]

    return function


def _gradient(backward, second, inputs, results, dy):
    """Returns what `backward` does, as a function with a gradient itself."""

    def first(*tensors):
        return backward(*tensors[:-1], *results, tensors[-1])

    def gradient(tensors, _, *weights):
        return second(*tensors, *weights)

    return _custom(first, gradient)(*inputs, dy)


def _custom(forward, gradient, outputs=None):
    """Makes a function that is differentiated by `gradient` alone.

    Args:
        forward: Function of tensors that returns a tuple of them.
        gradient: Function `(inputs, results of forward, *upstream)`.
        outputs: Integer, how many results of `forward` the function returns.
            Defaults to `None`, all of them.

    Returns:
        A function of the same arguments as `forward`.
    """
    if keras.backend.backend() == "torch":
        apply = _torch_function().apply
        return lambda *inputs: apply(forward, gradient, outputs, *inputs)

    import tensorflow as tf

    @tf.custom_gradient
    def function(*inputs):
        # Tapes would record and keep what is computed of the inputs.
        results = forward(*map(_cut_off, inputs))
        kept = list(map(tf.stop_gradient, results))
        return results[:outputs], lambda *dy: gradient(inputs, kept, *dy)

    return function


def _cut_off(x):
    import tensorflow as tf

    if not tf.executing_eagerly():
        # In graphs, forward accumulators do not see custom gradients, but
        # look at each operation, used or not.
        tf.raw_ops.PreventGradient(input=x, message=NO_FORWARD_MODE)
    return tf.stop_gradient(x)


@functools.cache
def _torch_function():
    """Returns a `torch.autograd.Function` of several outputs.

    That of Keras takes one output, and no transform of `torch.func`.
    """
    import torch

    class Function(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(forward, gradient, outputs, *inputs):
            return forward(*inputs)

        @staticmethod
        def setup_context(ctx, inputs, output):
            _, ctx.gradient, ctx.outputs, *inputs = inputs
            ctx.inputs = len(inputs)
            ctx.save_for_backward(*inputs, *output)
            if ctx.outputs is not None:
                ctx.mark_non_differentiable(*output[ctx.outputs :])

        @staticmethod
        def backward(ctx, *upstream):
            tensors = ctx.saved_tensors
            inputs, results = tensors[: ctx.inputs], tensors[ctx.inputs :]
            dy = upstream[: ctx.outputs]
            return None, None, None, *ctx.gradient(inputs, results, *dy)

    return Function


def matmul_transposed(a, b):
    """Returns `a b^T` of two matrices, without a copy of `b`."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.matmul(a, b, transpose_b=True)
    # The other backends transpose by strides or when they compile.
    return ops.matmul(a, ops.transpose(b))


def has_fused_attention(theta, g):
    """Returns whether the backend streams these queries and values itself.

    PyTorch has, for queries and values of one width. That of JAX builds the
    matrix on a CPU, and its kernel for GPUs takes no float32.
    """
    torch = keras.backend.backend() == "torch"
    return torch and theta.shape[-1] == g.shape[-1]


def fused_attention(theta, phi, g, backward, second):
    """Returns `softmax(theta phi^T) g` by a kernel of PyTorch.

    The gradients of that kernel have none themselves. `backward` and `second`
    take its place where such are asked for, see `with_gradient`.
    """
    import torch

    # The kernel wants an axis of heads: (B, 1, N, C).
    y = torch.nn.functional.scaled_dot_product_attention(
        theta[:, None], phi[:, None], g[:, None], scale=1.0
    )[:, 0]

    def gradient(inputs, results, dy):
        if not torch.is_grad_enabled():  # without `create_graph`
            return None, None, None, dy
        return *_gradient(backward, second, inputs[:3], results, dy), None

    # PyTorch saves no tensor that is an input and an output, but a view.
    return _custom(lambda *inputs: (inputs[3][:],), gradient)(theta, phi, g, y)[
        0
    ]


def over_tiles(body, carry, tiles, outputs=1):
    """Runs one tile after the other, so that only one is in memory.

    Args:
        body: Function `(carry, tiles) -> (carry, outs)`.
        carry: Tuple of tensors, passed from one tile to the next.
        tiles: Tuple of tensors of one length; `body` gets an entry of each.
        outputs: Integer, how many tensors are in the tuple `outs`. Defaults
            to `1`.

    Returns:
        The last `carry`, and the tuple of the tensors `outs`, stacked.
    """
    count = ops.shape(tiles[0])[0]
    if keras.backend.backend() == "jax":
        import jax

        # Its gradient computes a tile again. CSE would not cross the loop.
        body = jax.checkpoint(body, prevent_cse=False)
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

    some = []
    if not isinstance(count, int):
        some = [tf.debugging.Assert(count > 0, [NOTHING])]
    arrays = [tf.TensorArray(tiles[0].dtype, count) for _ in range(outputs)]
    with tf.control_dependencies(some):
        start = tf.constant(0)
    _, carry, arrays = tf.while_loop(
        lambda i, *_: i < count,
        step,
        (start, carry, arrays),
        parallel_iterations=1,
    )
    return carry, tuple(array.stack() for array in arrays)


def count_below(ascending, values):
    """Counts the entries of a sorted row that lie below each value.

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


def checked(x, condition, message, received):
    """Returns a tensor, or raises an error if a condition does not hold.

    Graphs of TensorFlow raise it when they run. What XLA compiles, as JAX
    does with all steps of `fit`, cannot stop: there the tensor is returned.

    Args:
        x: Tensor.
        condition: Boolean tensor without axes.
        message: String, the rule.
        received: Tensor without axes, the value that breaks it.

    Raises:
        ValueError: If it does not hold, and the program runs eagerly.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        if not tf.executing_eagerly():
            says = tf.debugging.Assert(condition, [message, received])
            with tf.control_dependencies([says]):
                return tf.identity(x)
    if backend == "jax":
        import jax

        if isinstance(condition, jax.core.Tracer):
            return x
    if backend == "torch" and condition.is_meta:
        return x  # It has a shape and no value.
    if not bool(condition):
        value = ops.convert_to_numpy(received)
        raise ValueError(f"{message} Received: {value}")
    return x


def rows_that_count(counts, most):
    """Returns how many of the first rows have to be looked at.

    TensorFlow has tensors whose size is found while it runs; XLA and the other
    compilers have not, and look at all.

    Args:
        counts: int32 tensor `(batch,)`, the first rows that count.
        most: Integer, their number at most.

    Returns:
        The largest of `counts`, at least 1, as a scalar tensor; or `most`.
    """
    if keras.backend.backend() != "tensorflow" or _is_xla():
        return most
    return ops.clip(ops.max(counts), 1, most)


def _is_xla():
    """Returns whether XLA will compile what is traced now."""
    import tensorflow as tf
    from tensorflow.python.ops import control_flow_util

    graph = tf.compat.v1.get_default_graph()
    return control_flow_util.GraphOrParentsInXlaContext(graph)


def scale_channels(x, scale):
    """Returns `x * scale`, by the kernel of the convolution that gave `x`.

    A TensorFlow graph knows where `x` comes from. Scaling its kernel in its
    place saves two passes over the map, and bias and activation become a part
    of the convolution, in training as well. Elsewhere `x` is multiplied.

    Args:
        x: Tensor `(..., channels)`.
        scale: Tensor `(channels,)`.

    Returns:
        Tensor like `x`.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if tf.is_symbolic_tensor(x) and x.op.type == "Conv2D":
            image, kernel = x.op.inputs
            names = ("strides", "padding", "explicit_paddings", "dilations")
            how = {name: x.op.get_attr(name) for name in names}
            if x.op.get_attr("data_format") == b"NHWC":
                return tf.raw_ops.Conv2D(
                    input=image, filter=kernel * scale, **how
                )
    return x * scale


def add_rows(x, index, rows):
    """Returns `x` with rows added to it; a row may be added to many times.

    Args:
        x: Tensor `(n, channels)`.
        index: Integer tensor `(m, 1)`.
        rows: Tensor `(m, channels)`.

    Returns:
        Tensor like `x`.
    """
    if keras.backend.backend() == "torch":
        # `ops.scatter_update` of Keras sets rows there, in place.
        return x.index_add(0, index[:, 0], rows)
    if keras.backend.backend() == "jax":
        return x.at[index[:, 0]].add(rows)
    import tensorflow as tf

    # Copies `x`: few calls of many rows are faster than many of few.
    return tf.tensor_scatter_nd_add(x, index, rows)


def replicas():
    """Returns by how many replicas a loss is divided: their gradients add up.

    They do so under `tf.distribute` alone.
    """
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync

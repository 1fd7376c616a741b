"""The global context block of GCNet, a descendant of the non-local block."""

import keras
from keras import constraints
from keras import initializers
from keras import ops
from keras import regularizers

from nonlocal_keras.layers import arguments
from nonlocal_keras.layers import initialization

POOLINGS = ("attention", "average")
FUSIONS = ("add", "multiply")
_ZEROS = {"kernel_initializer": "zeros", "bias_initializer": "zeros"}


@keras.saving.register_keras_serializable("nonlocal_keras")
class GlobalContext2D(keras.layers.Layer):
    """Global context block: one sum over all positions, for all of them.

    In trained non-local blocks the weights hardly depend on the query. This
    block leaves the query out: it takes one weighted mean of all positions,
    transforms it in a bottleneck, and adds it to every position. A new block
    that only adds is the identity; one that multiplies starts with factors of
    one half.

    Example:

    >>> x = np.random.normal(size=(2, 14, 14, 32)).astype("float32")
    >>> nonlocal_keras.GlobalContext2D(ratio=4)(x).shape
    TensorShape([2, 14, 14, 32])

    Args:
        ratio: Integer, input channels per channel of the bottleneck, which
            has at least one. Defaults to `16`.
        pooling: String, `"attention"` for a mean with the weights of a
            softmax over all positions, or `"average"` for equal weights.
            Defaults to `"attention"`.
        fusions: Tuple of Strings, what is done with the transformed context:
            `"add"` adds it, `"multiply"` multiplies by its sigmoid, and
            before, if there are both, each with a bottleneck of its own.
            Defaults to `("add",)`.
        epsilon: Float, epsilon of the layer normalization in the bottleneck.
            Defaults to `1e-5`.
        data_format: String, `"channels_last"` or `"channels_first"`. Defaults
            to `None`, which is `keras.config.image_data_format()`.
        kernel_initializer: Initializer of the kernels but the last one, which
            starts as zeros. Defaults to `"he_normal"`.
        bias_initializer: Initializer of the biases but the last one, which
            starts as zeros. Defaults to `"zeros"`.
        kernel_regularizer: Regularizer of the kernels. Defaults to `None`.
        bias_regularizer: Regularizer of the biases. Defaults to `None`.
        activity_regularizer: Regularizer of the output. Defaults to `None`.
        kernel_constraint: Constraint on the kernels. Defaults to `None`.
        bias_constraint: Constraint on the biases. Defaults to `None`.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Input shape:
        `(batch, height, width, channels)`, or with
        `data_format="channels_first"` `(batch, channels, height, width)`.

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an argument is outside its rule, an axis is empty or
            the input has another rank.

    Reference:

    - [Cao et al., 2019](https://arxiv.org/abs/1904.11492)
    """

    def __init__(
        self,
        ratio=16,
        pooling="attention",
        fusions=("add",),
        epsilon=1e-5,
        data_format=None,
        kernel_initializer="he_normal",
        bias_initializer="zeros",
        kernel_regularizer=None,
        bias_regularizer=None,
        activity_regularizer=None,
        kernel_constraint=None,
        bias_constraint=None,
        **kwargs,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.ratio = arguments.check_positive_int("ratio", ratio)
        self.pooling = arguments.check_choice("pooling", pooling, POOLINGS)
        self.fusions = _check_fusions(fusions)
        self.epsilon = epsilon
        self.data_format = arguments.check_choice(
            "data_format",
            data_format or keras.config.image_data_format(),
            ("channels_last", "channels_first"),
        )
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def build(self, input_shape):
        self._check_shape(input_shape)
        channels = input_shape[self._channel_axis]
        width = max(channels // self.ratio, 1)
        if self.pooling == "attention":
            self.attention = self._dense("attention", 1)
            self.attention.build((None, None, channels))
        for fusion in self.fusions:
            parts = {
                "reduce": self._dense(f"{fusion}_reduce", width),
                "norm": keras.layers.LayerNormalization(
                    epsilon=self.epsilon,
                    dtype=self.dtype_policy,
                    name=f"{fusion}_norm",
                ),
                "expand": self._dense(f"{fusion}_expand", channels, **_ZEROS),
            }
            for part, layer in parts.items():
                layer.build((None, channels if part == "reduce" else width))
                setattr(self, f"{fusion}_{part}", layer)
        self.input_spec = keras.layers.InputSpec(
            ndim=4, axes={self._channel_axis: channels}
        )

    def call(self, inputs):
        arguments.check_floats(self, inputs)
        self._check_shape(inputs.shape)
        context = ops.cast(self._pool(inputs), self.compute_dtype)
        y = inputs
        if "multiply" in self.fusions:
            factor = ops.sigmoid(self._transform("multiply", context))
            y = y * self._everywhere(factor)
        if "add" in self.fusions:
            y = y + self._everywhere(self._transform("add", context))
        return y

    def _pool(self, inputs):
        """Returns the mean of all positions, `(batch, channels)`."""
        x = inputs
        if self.data_format == "channels_first":
            x = ops.moveaxis(x, 1, -1)
        x = ops.reshape(x, (ops.shape(x)[0], -1, x.shape[-1]))
        # Sixteen bits do not hold the weights and sums of many positions.
        dtype = keras.backend.result_type(self.compute_dtype, "float32")
        values = ops.cast(x, dtype)
        if self.pooling == "average":
            return ops.mean(values, axis=1)
        logits = ops.cast(self.attention(x), dtype)  # (B, H*W, 1)
        weights = ops.softmax(logits, axis=1)
        return ops.matmul(ops.transpose(weights, (0, 2, 1)), values)[:, 0]

    def _transform(self, fusion, context):
        x = getattr(self, f"{fusion}_reduce")(context)
        x = ops.relu(getattr(self, f"{fusion}_norm")(x))
        return getattr(self, f"{fusion}_expand")(x)

    def _everywhere(self, context):
        """Adds axes of rows and columns to `(batch, channels)`."""
        if self.data_format == "channels_first":
            return context[:, :, None, None]
        return context[:, None, None]

    @property
    def _channel_axis(self):
        return -1 if self.data_format == "channels_last" else 1

    def _check_shape(self, shape):
        shape = tuple(shape)
        if self.data_format == "channels_first" and len(shape) == 4:
            shape = (shape[0], *shape[2:], shape[1])
        arguments.check_input_shape(shape, 2, type(self).__name__)

    def _dense(self, name, units, **changes):
        # A 1x1 convolution is a matrix product over the channels.
        options = {
            # Initializers hold a seed: a shared one would draw equal kernels.
            "kernel_initializer": initialization.resolve(
                initialization.clone(self.kernel_initializer)
            ),
            "bias_initializer": initialization.clone(self.bias_initializer),
            "kernel_regularizer": self.kernel_regularizer,
            "bias_regularizer": self.bias_regularizer,
            "kernel_constraint": self.kernel_constraint,
            "bias_constraint": self.bias_constraint,
            "dtype": self.dtype_policy,
            "name": name,
        }
        return keras.layers.Dense(units, **{**options, **changes})

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = {
            "ratio": self.ratio,
            "pooling": self.pooling,
            "fusions": self.fusions,
            "epsilon": self.epsilon,
            "data_format": self.data_format,
            **initialization.serialize(self),
        }
        return {**super().get_config(), **config}


def _check_fusions(fusions):
    """Returns the fusions as a tuple of words in one order."""
    given = (fusions,) if isinstance(fusions, str) else tuple(fusions)
    if not given or len(set(given)) < len(given) or set(given) - set(FUSIONS):
        raise ValueError(
            "`fusions` must hold 'add', 'multiply' or both. "
            f"Received: fusions={fusions!r}"
        )
    return tuple(fusion for fusion in FUSIONS if fusion in given)

"""Convolution and max-pooling of clips with symmetric padding."""

import keras
from keras import ops

from nonlocal_keras.layers import arguments
from nonlocal_keras.layers import initialization
from nonlocal_keras.ops import folding

POOLINGS = ("auto", "2d", "3d")
CONVOLUTIONS = (*POOLINGS, "taps")


def _resolve(implementation, kernel_size=(1, 1, 1)):
    """Returns what `"auto"` means; measured on CPUs."""
    if implementation != "auto":
        return implementation
    backend = keras.backend.backend()
    # TensorFlow computes the folded form faster, but for kernels that extend
    # in time and space, whose taps would have to be copied side by side.
    if backend == "tensorflow" and kernel_size[0] > 1 < kernel_size[1]:
        return "3d"
    # So does XLA, for all kernels; PyTorch is faster with the 3D form.
    return "3d" if backend == "torch" else "2d"


def _output_length(length, size, stride, padding):
    if length is None:
        return None
    return (length + 2 * padding - size) // stride + 1


def _check_output(layer, input_shape, lengths):
    if any(n is not None and n < 1 for n in lengths):
        raise ValueError(
            f"`inputs` of layer {layer.name!r} are smaller than its window. "
            "Use more frames or larger frames, or smaller strides before it. "
            f"Received: inputs.shape={tuple(input_shape)}"
        )


@keras.saving.register_keras_serializable("nonlocal_keras")
class VideoConv3D(keras.layers.Conv3D):
    """3D convolution padded by half its extent on both sides.

    Caffe2, PyTorch and MXNet models pad so; `padding="same"` of Keras pads
    one side more where the stride is above 1 and the size even, which shifts
    the sampling grid. The kernel is always stored as a Conv3D kernel,
    whatever computes the result.

    Example:

    >>> layer = nonlocal_keras.layers.VideoConv3D(8, (1, 7, 7), (1, 2, 2))
    >>> layer(np.ones((1, 4, 32, 32, 3))).shape
    TensorShape([1, 4, 16, 16, 8])

    Args:
        filters: Integer, the number of output channels.
        kernel_size: Integer or Tuple of 3 odd Integers.
        strides: Integer or Tuple of 3 Integers. Defaults to `1`.
        implementation: String, `"3d"`, `"2d"` (the same result through 2D
            convolutions on folded axes), `"taps"` (as `"2d"`, with a product
            of matrices per tap of a kernel over frames alone) or `"auto"`,
            the fastest one for the backend. Defaults to `"auto"`.
        **kwargs: `use_bias`, `dilation_rate` (1 in time), initializers,
            regularizers, constraints, `name` and `dtype` as in
            `keras.layers.Conv3D`.

    Input shape:
        `(batch, frames, height, width, channels)`

    Output shape:
        `(batch, ceil(frames / strides[0]), ceil(height / strides[1]),
        ceil(width / strides[2]), filters)`
    """

    def __init__(
        self, filters, kernel_size, strides=1, implementation="auto", **kwargs
    ):
        super().__init__(
            filters,
            kernel_size,
            strides=strides,
            padding="valid",
            data_format="channels_last",
            **kwargs,
        )
        self.implementation = arguments.check_choice(
            "implementation", implementation, CONVOLUTIONS
        )
        if any(k % 2 == 0 for k in self.kernel_size):
            raise ValueError(
                "`kernel_size` must be odd, so that the padding is symmetric. "
                f"Received: kernel_size={kernel_size}"
            )
        if self.groups != 1 or self.dilation_rate[0] != 1:
            raise ValueError(
                "`groups` and the `dilation_rate` in time must be 1; use "
                "keras.layers.Conv3D for others. Received: "
                f"groups={self.groups}, dilation_rate={self.dilation_rate}"
            )
        # A dilated kernel extends over 1 + d * (k - 1) positions.
        self._half = tuple(
            d * (k // 2) for k, d in zip(self.kernel_size, self.dilation_rate)
        )

    def add_weight(self, shape=None, initializer=None, **kwargs):
        initializer = initialization.resolve(initializer)
        return super().add_weight(shape, initializer, **kwargs)

    def call(self, inputs):
        arguments.check_floats(self, inputs)
        kernel = ops.convert_to_tensor(self.kernel)
        implementation = self._resolved()
        if implementation in ("2d", "taps"):
            return folding.conv3d(
                inputs,
                kernel,
                self.strides,
                self._half,
                self.dilation_rate,
                self._finish,
                taps=implementation == "taps",
            )
        return self._finish(self._conv3d(inputs, kernel))

    def _resolved(self):
        dilated = any(d > 1 for d in self.dilation_rate)
        if self.implementation == "auto" and dilated:
            return "2d"  # TensorFlow has no dilated 3D kernel on CPUs.
        return _resolve(self.implementation, self.kernel_size)

    def _finish(self, y):
        if self.use_bias:
            y = ops.add(y, ops.convert_to_tensor(self.bias))
        return y if self.activation is None else self.activation(y)

    def _conv3d(self, x, kernel):
        padding = "same"
        if any(s > 1 for s in self.strides):
            x, padding = folding.pad(x, self._half), "valid"
        return ops.conv(
            x,
            kernel,
            strides=self.strides,
            padding=padding,
            data_format="channels_last",
            dilation_rate=self.dilation_rate,
        )

    def compute_output_shape(self, input_shape):
        lengths = tuple(
            map(
                _output_length,
                input_shape[1:4],
                (2 * half + 1 for half in self._half),
                self.strides,
                self._half,
            )
        )
        _check_output(self, input_shape, lengths)
        return (input_shape[0], *lengths, self.filters)

    def get_config(self):
        config = super().get_config()
        for fixed in ("padding", "data_format"):
            config.pop(fixed)
        return {**config, "implementation": self.implementation}


@keras.saving.register_keras_serializable("nonlocal_keras")
class VideoMaxPool3D(keras.layers.Layer):
    """Max-pooling of clips with symmetric padding, rounding sizes down.

    Padding never wins: it counts as minus infinity.

    Example:

    >>> layer = nonlocal_keras.layers.VideoMaxPool3D((1, 3, 3), (1, 2, 2))
    >>> layer(np.ones((1, 4, 112, 112, 8))).shape
    TensorShape([1, 4, 55, 55, 8])

    Args:
        pool_size: Tuple of 3 Integers.
        strides: Tuple of 3 Integers. Defaults to `None`, which is
            `pool_size`.
        padding: Tuple of 3 Integers, added on both sides of each axis.
            Defaults to `(0, 0, 0)`.
        implementation: String, `"3d"`, `"2d"` (the same result through 2D
            pooling on folded axes) or `"auto"`, the faster one for the
            backend. Defaults to `"auto"`.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Input shape:
        `(batch, frames, height, width, channels)`

    Output shape:
        `(batch, frames', height', width', channels)` with
        `n' = floor((n + 2 * padding - pool_size) / strides) + 1`
    """

    def __init__(
        self,
        pool_size,
        strides=None,
        padding=(0, 0, 0),
        implementation="auto",
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.pool_size = tuple(pool_size)
        self.strides = tuple(strides or pool_size)
        self.padding = tuple(padding)
        if any(2 * p > k for p, k in zip(self.padding, self.pool_size)):
            raise ValueError(
                "`padding` must be at most half of `pool_size`. Received: "
                f"padding={padding}, pool_size={pool_size}"
            )
        self.implementation = arguments.check_choice(
            "implementation", implementation, POOLINGS
        )

    def call(self, inputs):
        arguments.check_floats(self, inputs)
        # A window that is too large is told by some kernels in their words.
        self.compute_output_shape(inputs.shape)
        x = folding.pad(inputs, self.padding, value=-float("inf"))
        if _resolve(self.implementation) == "2d":
            return folding.max_pool(x, self.pool_size, self.strides)
        return ops.max_pool(
            x,
            self.pool_size,
            strides=self.strides,
            padding="valid",
            data_format="channels_last",
        )

    def compute_output_shape(self, input_shape):
        lengths = tuple(
            map(
                _output_length,
                input_shape[1:4],
                self.pool_size,
                self.strides,
                self.padding,
            )
        )
        _check_output(self, input_shape, lengths)
        return (input_shape[0], *lengths, input_shape[4])

    def get_config(self):
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.padding,
            "implementation": self.implementation,
        }

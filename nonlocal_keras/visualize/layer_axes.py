"""What the layers of Keras and of this package do to the axes of a map.

Each function takes a layer and the `Axis` of every axis of positions of its
input, and returns those of its output, or `None` if they cannot be told.
"""

import dataclasses

from keras import layers

from nonlocal_keras.layers import FrozenAffine
from nonlocal_keras.layers import TemporalShift
from nonlocal_keras.layers import VideoConv3D
from nonlocal_keras.layers import VideoMaxPool3D


def _window_size(n, kernel, stride, padding):
    """The number of windows, and the positions padded before the first."""
    if padding == "same":
        size = -(-n // stride)
        return size, max((size - 1) * stride + kernel - n, 0) // 2
    before = kernel - 1 if padding == "causal" else 0
    return (n + before - kernel) // stride + 1, before


def _windows(axes, kernels, strides, padding):
    found = []
    for axis, kernel, stride in zip(axes, kernels, strides):
        size, before = _window_size(axis.size, kernel, stride, padding)
        found.append(axis.windows(kernel, stride, before, size))
    return found


def _convolution(layer, axes):
    dilations = _per_axis(layer.dilation_rate, axes)
    kernels = [
        1 + d * (k - 1)
        for k, d in zip(_per_axis(layer.kernel_size, axes), dilations)
    ]
    strides = _per_axis(layer.strides, axes)
    return _windows(axes, kernels, strides, layer.padding)


def _pooling(layer, axes):
    sizes = _per_axis(layer.pool_size, axes)
    return _windows(axes, sizes, _per_axis(layer.strides, axes), layer.padding)


def _per_axis(value, axes):
    return (value,) * len(axes) if isinstance(value, int) else tuple(value)


def _symmetric(axes, kernels, strides, halves):
    return [
        axis.windows(k, s, p, (axis.size + 2 * p - k) // s + 1)
        for axis, k, s, p in zip(axes, kernels, strides, halves)
    ]


def _video_conv(layer, axes):
    extents = [
        1 + d * (k - 1) for k, d in zip(layer.kernel_size, layer.dilation_rate)
    ]
    halves = [extent // 2 for extent in extents]
    return _symmetric(axes, extents, layer.strides, halves)


def _video_pool(layer, axes):
    return _symmetric(axes, layer.pool_size, layer.strides, layer.padding)


def _transposed(layer, axes):
    if _per_axis(layer.dilation_rate, axes) != (1,) * len(axes):
        return None
    if _per_axis(layer.output_padding or 0, axes) != (0,) * len(axes):
        return None
    found = []
    for axis, kernel, stride in zip(axes, layer.kernel_size, layer.strides):
        axis = axis.scaled(axis.size * stride)
        field = axis.field + (kernel - 1) * axis.step
        # "same" cuts off as much in front as windows stand out there.
        if layer.padding == "valid":
            more = max(kernel - stride, 0)
            axis = axis.moved(-(kernel - stride) / 2, axis.size + more)
        found.append(dataclasses.replace(axis, field=field))
    return found


def _edges(value, axes):
    """`[(before, after)]` of the argument of a padding or cropping layer."""
    if isinstance(value, int):
        return [(value, value)] * len(axes)
    if len(axes) == 1 and isinstance(value[0], int):
        return [tuple(value)]
    return [(v, v) if isinstance(v, int) else tuple(v) for v in value]


def _padded(layer, axes):
    return [
        axis.moved(-before, axis.size + before + after)
        for axis, (before, after) in zip(axes, _edges(layer.padding, axes))
    ]


def _cropped(layer, axes):
    return [
        axis.moved(before, axis.size - before - after)
        for axis, (before, after) in zip(axes, _edges(layer.cropping, axes))
    ]


def _center_cropped(layer, axes):
    sizes = layer.height, layer.width
    if any(axis.size < size for axis, size in zip(axes, sizes)):
        return None
    return [
        axis.moved((axis.size - size) // 2, size)
        for axis, size in zip(axes, sizes)
    ]


def _upsampled(layer, axes):
    factors = _per_axis(layer.size, axes)
    return [axis.scaled(axis.size * f) for axis, f in zip(axes, factors)]


def _resized(layer, axes):
    if layer.crop_to_aspect_ratio or layer.pad_to_aspect_ratio:
        return None
    sizes = layer.height, layer.width
    return [
        # Between two positions both of them count.
        dataclasses.replace(a.scaled(n), field=a.field + a.step)
        for a, n in zip(axes, sizes)
    ]


def _recurrent(layer, axes):
    if layer.go_backwards or not layer.return_sequences:
        return None
    return axes


def _lost(layer, axes):
    return None


# The first row that fits a layer counts: classes before those they extend.
RULES = (
    (VideoConv3D, _video_conv),
    (VideoMaxPool3D, _video_pool),
    (
        (
            layers.Conv1DTranspose,
            layers.Conv2DTranspose,
            layers.Conv3DTranspose,
        ),
        _transposed,
    ),
    (
        (
            layers.Conv1D,
            layers.Conv2D,
            layers.Conv3D,
            layers.SeparableConv1D,
            layers.SeparableConv2D,
            layers.DepthwiseConv1D,
            layers.DepthwiseConv2D,
        ),
        _convolution,
    ),
    (
        (
            layers.MaxPooling1D,
            layers.MaxPooling2D,
            layers.MaxPooling3D,
            layers.AveragePooling1D,
            layers.AveragePooling2D,
            layers.AveragePooling3D,
        ),
        _pooling,
    ),
    (
        (layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D),
        _padded,
    ),
    ((layers.Cropping1D, layers.Cropping2D, layers.Cropping3D), _cropped),
    (
        (layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D),
        _upsampled,
    ),
    (layers.CenterCrop, _center_cropped),
    (layers.Resizing, _resized),
    (
        (layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D),
        _lost,
    ),
    (layers.RNN, _recurrent),
    (
        (
            layers.Flatten,
            layers.Permute,
            layers.Reshape,
            layers.RepeatVector,
            layers.TimeDistributed,
            layers.Bidirectional,
        ),
        _lost,
    ),
)

# Layers whose output has each position where their input has it.
KEEPING = (
    layers.Activation,
    layers.ActivityRegularization,
    layers.Add,
    layers.AlphaDropout,
    layers.Average,
    layers.BatchNormalization,
    layers.Dense,
    layers.Dropout,
    layers.ELU,
    layers.EinsumDense,
    layers.Embedding,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.GroupNormalization,
    layers.Identity,
    layers.LayerNormalization,
    layers.LeakyReLU,
    layers.Masking,
    layers.Maximum,
    layers.Minimum,
    layers.MultiHeadAttention,
    layers.Multiply,
    layers.Normalization,
    layers.PReLU,
    layers.RMSNormalization,
    layers.ReLU,
    layers.Rescaling,
    layers.Softmax,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
    layers.Subtract,
    layers.UnitNormalization,
    FrozenAffine,
    TemporalShift,
)

# Functions of `keras.ops` that do so, by the classes behind them.
KEEPING_FUNCTIONS = frozenset(
    "Absolute Add Cast Clip Divide Elu Exp Gelu HardSigmoid HardSilu LeakyRelu "
    "Log LogSoftmax Maximum Minimum Multiply Negative Power Relu Relu6 Rsqrt "
    "Selu Sigmoid Silu Softmax Softplus Softsign Sqrt Square Subtract Tanh "
    "TrueDivide Where".split()
)


def keeps(operation, channel_axis, rank):
    """Tells whether an operation is known to keep positions in their places.

    Args:
        operation: A layer, or an operation of Keras.
        channel_axis: Integer, that of the channels, -1 or 1.
        rank: Integer, the number of axes of its output.

    Returns:
        Boolean; `None` for a layer that is not known.
    """
    name = type(operation).__name__
    if name == "Concatenate":
        return operation.axis in (channel_axis, channel_axis % rank)
    if isinstance(operation, KEEPING):
        return True
    if not isinstance(operation, layers.Layer):
        return name in KEEPING_FUNCTIONS
    # Those of its networks are not public.
    ours = "keras.src.applications", "nonlocal_keras."
    return True if type(operation).__module__.startswith(ours) else None


def find_rule(layer):
    """Returns the function for a layer that moves positions, or `None`."""
    for kinds, rule in RULES:
        if isinstance(layer, kinds):
            return rule
    return None

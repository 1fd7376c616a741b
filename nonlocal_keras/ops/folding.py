"""3D max-pooling and convolution through 2D operations on folded axes.

A `1 x k x k` window never looks across frames, so frames can join the batch;
a `k x 1 x 1` window never looks across pixels, so height and width can join
into one axis. The results equal the 3D operations, and the 2D forms exist
where the 3D ones do not (LiteRT has no 3D pooling) or are slow (XLA).

All functions take `channels_last` tensors and work with unknown dimensions:
a size is a Python integer where it is known and a scalar tensor elsewhere.
"""

from keras import ops

from nonlocal_keras.ops.time_conv import time_conv


def pad(x, padding, value=0.0):
    """Pads axis `i` of the positions of `x` by `padding[i]` on both sides."""
    if not any(padding):
        return x
    widths = [(0, 0)] + [(p, p) for p in padding] + [(0, 0)]
    return ops.pad(x, widths, constant_values=value)


def max_pool(x, size, strides=None):
    """Max-pools 1, 2 or 3 spatial axes, without padding.

    Args:
        x: Tensor of shape `(batch, *spatial, channels)`.
        size: Tuple of Integers, the window along each spatial axis.
        strides: Tuple of Integers. Defaults to `None`, windows that do not
            overlap.

    Returns:
        Tensor of shape `(batch, *pooled, channels)`, sizes rounded down.
    """
    strides = strides or size
    if all(k == 1 and s == 1 for k, s in zip(size, strides)):
        return x
    if len(size) < 3:
        return _max_pool_2d_or_less(x, size, strides)
    if size[1:] != (1, 1) or strides[1:] != (1, 1):
        batch, frames, height, width, channels = ops.shape(x)
        x = ops.reshape(x, (-1, height, width, channels))  # (B*T, H, W, C)
        x = _max_pool_2d_or_less(x, size[1:], strides[1:])
        _, height, width, _ = ops.shape(x)
        x = ops.reshape(x, (-1, frames, height, width, channels))
    if size[0] != 1 or strides[0] != 1:
        batch, frames, height, width, channels = ops.shape(x)
        # (B, T, H*W, C)
        x = ops.reshape(x, (batch, frames, height * width, channels))
        x = _max_pool_2d_or_less(x, (size[0], 1), (strides[0], 1))
        frames = ops.shape(x)[1]
        x = ops.reshape(x, (batch, frames, height, width, channels))
    return x


def _max_pool_2d_or_less(x, size, strides):
    if all(k == 1 for k in size):
        return x[(slice(None), *(slice(None, None, s) for s in strides))]
    return ops.max_pool(
        x, size, strides=strides, padding="valid", data_format="channels_last"
    )


def conv3d(
    x,
    kernel,
    strides,
    padding,
    dilation=(1, 1, 1),
    finish=lambda y: y,
    taps=False,
):
    """Computes a 3D convolution by one 2D convolution.

    Args:
        x: Tensor of shape `(batch, frames, height, width, channels)`.
        kernel: Tensor of shape `(kt, kh, kw, channels, filters)`.
        strides: Tuple of 3 Integers.
        padding: Tuple of 3 Integers, zeros added on both sides of each axis.
        dilation: Tuple of 3 Integers, distances between taps; 1 in time.
            Defaults to `(1, 1, 1)`.
        finish: Function of the channels, such as bias and activation. It is
            called before axes unfold, where backends fuse it with the
            convolution. Defaults to the identity.
        taps: Boolean, whether a kernel over frames becomes one product of
            matrices per tap, where its stride is 1 and the number of frames
            is known. Defaults to `False`.

    Returns:
        Tensor of shape `(batch, frames', height', width', filters)`.
    """
    _, kh, kw, _, _ = kernel.shape
    if (kh, kw) == (1, 1) and strides[1:] == (1, 1) and not any(padding[1:]):
        return _conv_over_time(x, kernel, strides[0], padding[0], finish, taps)
    return _conv_over_space(x, kernel, strides, padding, dilation, finish)


def _conv_over_time(x, kernel, stride, padding, finish, taps):
    batch, frames, height, width, channels = ops.shape(x)
    # (B, T, H*W, C)
    x = ops.reshape(x, (batch, frames, height * width, channels))
    # Not a slice, whose gradient would be a kernel of zeros to write into.
    kt, _, _, _, filters = kernel.shape
    kernel = ops.reshape(kernel, (kt, 1, channels, filters))
    x = finish(time_conv(x, kernel, stride, padding, taps))
    frames = ops.shape(x)[1]
    return ops.reshape(x, (batch, frames, height, width, filters))


def _conv_over_space(x, kernel, strides, padding, dilation, finish):
    kt, kh, kw, channels, filters = kernel.shape
    x = pad(x, (padding[0], 0, 0))
    if kt == 1:
        x = x if strides[0] == 1 else x[:, :: strides[0]]
        kernel = ops.reshape(kernel, (kh, kw, channels, filters))
    else:
        # The taps in time become channels: (B, T', H, W, kt*C).
        last = ops.shape(x)[1] - kt + 1
        taps = [x[:, t : t + last : strides[0]] for t in range(kt)]
        x = ops.concatenate(taps, axis=-1)
        kernel = ops.transpose(kernel, (1, 2, 0, 3, 4))
        kernel = ops.reshape(kernel, (kh, kw, kt * channels, filters))
    _, frames, height, width, _ = ops.shape(x)
    # (B*T', H, W, kt*C)
    x = ops.reshape(x, (-1, height, width, kt * channels))
    x = finish(_conv2d(x, kernel, strides[1:], padding[1:], dilation[1:]))
    _, height, width, _ = ops.shape(x)
    return ops.reshape(x, (-1, frames, height, width, filters))


def _conv2d(x, kernel, strides, padding, dilation=(1, 1)):
    mode = "valid"
    halves = tuple(d * (k // 2) for k, d in zip(kernel.shape[:2], dilation))
    odd = all(k % 2 for k in kernel.shape[:2])
    if any(padding) and strides == (1, 1) and odd and padding == halves:
        # At stride 1 `same` is the same symmetric padding without a copy.
        mode = "same"
    else:
        x = pad(x, padding)
    return ops.conv(
        x,
        kernel,
        strides=strides,
        padding=mode,
        data_format="channels_last",
        dilation_rate=dilation,
    )

"""Convolution over frames, with a fast gradient of its kernel."""

import keras
from keras import ops


def time_conv(x, kernel, stride, padding, by_taps=False):
    """Convolves along the first of two spatial axes.

    TensorFlow's gradient of a `3 x 1` kernel takes twice to three times as
    long as the convolution. It is one matrix product per tap, of the frames
    that the tap saw with the gradients of the frames that it served.

    Args:
        x: Tensor of shape `(batch, frames, positions, channels)`.
        kernel: Tensor of shape `(taps, 1, channels, filters)`.
        stride: Integer.
        padding: Integer, zeros added before and after the frames.
        by_taps: Boolean, whether to compute one product of matrices per tap,
            where the stride is 1 and the number of frames is known. Defaults
            to `False`.

    Returns:
        Tensor of shape `(batch, frames', positions, filters)`.
    """
    taps = kernel.shape[0]
    same = stride == 1 and taps % 2 and padding == taps // 2
    if by_taps and taps > 1 and same and isinstance(x.shape[1], int):
        return _same_by_taps(x, kernel)
    if taps > 1 and same and keras.backend.backend() == "tensorflow":
        return _same_by_tensorflow(x, kernel)
    if same:
        # At stride 1 `same` is the same symmetric padding without a copy.
        mode = "same"
    else:
        mode = "valid"
        x = ops.pad(x, ((0, 0), (padding, padding), (0, 0), (0, 0)))
    return ops.conv(
        x,
        kernel,
        strides=(stride, 1),
        padding=mode,
        data_format="channels_last",
    )


def _same_by_taps(x, kernel):
    """Sums one product of matrices per tap.

    A runtime with a fast kernel for `1 x 1` convolutions alone takes less
    time for the products and the sum of their shifted results.
    """
    taps, frames = kernel.shape[0], x.shape[1]
    total = None
    for tap in range(taps):
        # The tap takes frame t + shift to frame t; none, if out of reach.
        shift = tap - taps // 2
        if abs(shift) >= frames:
            continue
        served = ops.conv(x, kernel[tap : tap + 1], data_format="channels_last")
        # Slices of results are smaller than those of what is convolved.
        served = served[:, max(shift, 0) : frames + min(shift, 0)]
        missing = (max(-shift, 0), max(shift, 0))
        served = ops.pad(served, ((0, 0), missing, (0, 0), (0, 0)))
        total = served if total is None else total + served
    return total


def _same_by_tensorflow(x, kernel):
    import tensorflow as tf

    @tf.custom_gradient
    def function(x, kernel):
        def gradient(dy):
            dx = tf.raw_ops.Conv2DBackpropInput(
                input_sizes=tf.shape(x),
                filter=kernel,
                out_backprop=dy,
                strides=[1] * 4,
                padding="SAME",
            )
            # Else the slices of x are taken in the forward pass, and kept.
            with tf.control_dependencies([dy]):
                return dx, _kernel_gradient(x, dy, kernel.shape)

        return tf.nn.conv2d(x, kernel, strides=1, padding="SAME"), gradient

    return function(x, kernel)


def _kernel_gradient(x, dy, shape):
    import tensorflow as tf

    taps, _, channels, filters = shape
    frames = tf.shape(x)[1]
    gradients = []
    for shift in range(-(taps // 2), taps // 2 + 1):
        # Tap `shift` takes frame t + shift to frame t; none, if out of reach.
        near = tf.minimum(abs(shift), frames)
        seen, served = x[:, near:], dy[:, : frames - near]
        if shift < 0:
            seen, served = x[:, : frames - near], dy[:, near:]
        gradients.append(
            tf.matmul(
                tf.reshape(seen, (-1, channels)),
                tf.reshape(served, (-1, filters)),
                transpose_a=True,
            )
        )
    return tf.reshape(tf.stack(gradients), shape)

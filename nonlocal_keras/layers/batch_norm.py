import keras
from keras import ops

from nonlocal_keras.ops.backend import scale_channels


# The name under which Keras files keep the weights is that of the class.
@keras.saving.register_keras_serializable("nonlocal_keras")
class BatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` by one fused kernel of TensorFlow.

    Keras writes the statistics and the normalization as single operations,
    each of which reads or writes the whole map, forward and backward. The
    fused kernel reads it once and keeps less for the backward pass. Results
    are equal up to rounding, moving statistics included. Where the kernel
    would not do the same (another backend or axis, a mask, statistics over
    replicas, dtypes other than float32), this is Keras' layer.

    Example:

    >>> layer = nonlocal_keras.layers.BatchNormalization(momentum=0.9)
    >>> layer(np.ones((2, 4, 8, 8, 16)), training=True).shape
    TensorShape([2, 4, 8, 8, 16])

    Args:
        **kwargs: As for `keras.layers.BatchNormalization`.
    """

    def call(self, inputs, training=None, mask=None):
        if mask is not None or not self._is_fused(inputs):
            return super().call(inputs, training=training, mask=mask)
        return self._fused(inputs, bool(training) and self.trainable)

    def _is_fused(self, inputs):
        return (
            keras.backend.backend() == "tensorflow"
            and keras.backend.standardize_dtype(inputs.dtype) == "float32"
            and self.compute_dtype == self.variable_dtype == "float32"
            and self.axis in (-1, len(inputs.shape) - 1)
            and self.scale
            and self.center
            and not self.synchronized
        )

    def _fused(self, inputs, training):
        import tensorflow as tf

        shape = ops.shape(inputs)
        x = ops.reshape(inputs, (-1, 1, 1, shape[-1]))
        empty = ops.zeros((0,), "float32")
        # The function around this operation raises a small epsilon.
        y, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=x,
            scale=ops.convert_to_tensor(self.gamma),
            offset=ops.convert_to_tensor(self.beta),
            mean=empty if training else ops.convert_to_tensor(self.moving_mean),
            variance=empty
            if training
            else ops.convert_to_tensor(self.moving_variance),
            epsilon=self.epsilon,
            is_training=training,
        )
        if training:
            # The kernel divides by n - 1, Keras by n.
            number = ops.cast(ops.shape(x)[0], "float32")
            biased = variance * ((number - 1.0) / number)
            self._update(self.moving_mean, mean)
            self._update(self.moving_variance, biased)
        return ops.reshape(y, shape)

    def _update(self, moving, value):
        moving.assign(moving * self.momentum + value * (1.0 - self.momentum))


@keras.saving.register_keras_serializable("nonlocal_keras")
class FrozenBatchNormalization(BatchNormalization):
    """Batch normalization by the statistics it was given, never trained.

    A `BatchNormalization` with `trainable=False` computes the same, until
    somebody sets `trainable` of the model around it. Detectors are trained
    with one or two images per device, whose statistics mean little.

    Example:

    >>> layer = nonlocal_keras.layers.FrozenBatchNormalization()
    >>> layer(np.ones((2, 8, 8, 16)), training=True).shape
    TensorShape([2, 8, 8, 16])
    >>> layer.trainable_weights
    []

    Args:
        **kwargs: As for `keras.layers.BatchNormalization`.
    """

    def add_weight(self, *args, **kwargs):
        return super().add_weight(*args, **{**kwargs, "trainable": False})

    def call(self, inputs, training=None, mask=None):
        if mask is not None or not self._is_fused(inputs):
            return super().call(inputs, training=False, mask=mask)
        scale = self.gamma * ops.rsqrt(self.moving_variance + self.epsilon)
        offset = self.beta - self.moving_mean * scale
        return scale_channels(inputs, scale) + offset

import keras
from keras import ops

from nonlocal_keras.layers import arguments


@keras.saving.register_keras_serializable("nonlocal_keras")
class FrozenAffine(keras.layers.Layer):
    """Scale and offset per channel that no training step changes.

    It computes `y = scale * x + offset`. The published long-clip models have
    it in the place of batch normalization, whose statistics mean little when
    a device holds one or two clips.

    Example:

    >>> layer = nonlocal_keras.layers.FrozenAffine()
    >>> layer(np.ones((2, 4, 8, 8, 16))).shape
    TensorShape([2, 4, 8, 8, 16])

    Args:
        axis: Integer, the axis of the channels. Defaults to `-1`.
        **kwargs: `name`, `dtype` and `trainable`, as in every Keras layer.

    Input shape:
        Any shape whose `axis` has a known size.

    Output shape:
        Same as the input.

    Reference:

    - [Wang et al., 2018, section 5.1](https://arxiv.org/abs/1711.07971),
      models of 128 frames
    """

    def __init__(self, axis=-1, **kwargs):
        super().__init__(**kwargs)
        self.axis = axis
        self.supports_masking = True

    def build(self, input_shape):
        shape = (input_shape[self.axis],)
        self.scale = self.add_weight(
            shape=shape, initializer="ones", trainable=False, name="scale"
        )
        self.offset = self.add_weight(
            shape=shape, initializer="zeros", trainable=False, name="offset"
        )

    def call(self, inputs):
        arguments.check_floats(self, inputs)
        shape = [1] * len(inputs.shape)
        shape[self.axis] = inputs.shape[self.axis]
        y = ops.multiply(inputs, ops.reshape(self.scale, shape))
        return ops.add(y, ops.reshape(self.offset, shape))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "axis": self.axis}

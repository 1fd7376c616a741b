"""The feature pyramid: maps of one width at strides of 4 to 64 pixels."""

import keras
from keras import layers
from keras import ops

from nonlocal_keras.models.backbones.placement import STAGES
from nonlocal_keras.models.detection.convolutions import conv

STRIDES = (4, 8, 16, 32, 64)


def feature_pyramid(channels, filters, dtype, normalization=None, name="fpn"):
    """Makes the feature pyramid on the stages of a backbone.

    The layers are `fpn_inner_{2..5}`, which bring the stages to one width,
    and `fpn_output_{2..5}`.

    Args:
        channels: Tuple of 4 Integers, the channels of res2 to res5.
        filters: Integer, the channels of all levels.
        dtype: String or `keras.DTypePolicy`.
        normalization: String, what follows each convolution. Defaults to
            `None`, nothing.
        name: String. Defaults to `"fpn"`.

    Returns:
        A functional model from the dictionary of res2 to res5 to a list of
        five maps, of the strides of `STRIDES`.

    Reference:

    - [Lin et al., 2017](https://arxiv.org/abs/1612.03144)
    """
    computed = keras.dtype_policies.get(dtype).compute_dtype
    inputs = {
        stage: keras.Input((None, None, width), dtype=computed, name=stage)
        for stage, width in zip(STAGES, channels)
    }
    common = {"activation": None, "normalization": normalization}
    levels, coarser = [], None
    for stage in reversed(STAGES):
        number = stage[-1]
        x = conv(filters, 1, f"fpn_inner_{number}", dtype, **common)(
            inputs[stage]
        )
        if coarser is not None:
            up = UpsampleLike(name=f"fpn_up_{number}", dtype=dtype)
            up = up([coarser, x])
            x = layers.Add(name=f"fpn_sum_{number}", dtype=dtype)([x, up])
        coarser = x
        output = conv(filters, 3, f"fpn_output_{number}", dtype, **common)
        levels.insert(0, output(x))
    # Every second position of the last level, for proposals alone.
    pool = layers.MaxPooling2D(
        1, 2, "valid", "channels_last", name="fpn_output_6", dtype=dtype
    )
    return keras.Model(inputs, [*levels, pool(levels[-1])], name=name)


@keras.saving.register_keras_serializable("nonlocal_keras")
class UpsampleLike(layers.Layer):
    """Doubles a map by repetition and cuts it to the size of a finer one."""

    def call(self, inputs):
        x, finer = inputs
        x = ops.repeat(ops.repeat(x, 2, axis=1), 2, axis=2)
        shape = ops.shape(finer)
        return x[:, : shape[1], : shape[2]]

    def compute_output_shape(self, input_shape):
        return (*input_shape[1][:3], input_shape[0][3])

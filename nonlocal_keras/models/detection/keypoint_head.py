"""The head of keypoints, with non-local blocks."""

import keras
from keras import layers

from nonlocal_keras.layers import NonLocal2D
from nonlocal_keras.models.detection.convolutions import conv
from nonlocal_keras.models.detection.convolutions import deconv
from nonlocal_keras.models.detection.convolutions import features

# A block stands after as many convolutions.
_CONVOLUTIONS_PER_BLOCK = 2


def keypoint_head(
    channels,
    size,
    filters,
    keypoints,
    dtype,
    non_local=None,
    name="keypoint_head",
):
    """Makes the head that draws a heat map of each keypoint in a box.

    The layers are `keypoint_conv{1..}`, `keypoint_nonlocal_{2, 4..}` after
    every second of these, and `keypoint_deconv`.

    Args:
        channels: Integer, channels of the features.
        size: Integer, rows and columns of the features of a box.
        filters: Tuple of Integers, channels of the convolutions.
        keypoints: Integer, keypoints of an object.
        dtype: String or `keras.DTypePolicy`.
        non_local: Dictionary of arguments of `nonlocal_keras.NonLocal2D`.
            Defaults to `None`, no such block.
        name: String. Defaults to `"keypoint_head"`.

    Returns:
        A functional model from features `(boxes, size, size, channels)` to
        logits `(boxes, 4 * size, 4 * size, keypoints)` in float32.

    Reference:

    - [He et al., 2017, section 5](https://arxiv.org/abs/1703.06870)
    - [Wang et al., 2018, section 6](https://arxiv.org/abs/1711.07971)
    """
    inputs = x = features((size, size, channels), dtype)
    for number, width in enumerate(filters, 1):
        x = conv(width, 3, f"keypoint_conv{number}", dtype)(x)
        if non_local is not None and number % _CONVOLUTIONS_PER_BLOCK == 0:
            options = {"dtype": dtype, **non_local}
            x = NonLocal2D(
                name=f"keypoint_nonlocal_{number}",
                data_format="channels_last",
                **options,
            )(x)
    x = deconv(keypoints, 4, "keypoint_deconv", "float32")(x)
    x = layers.UpSampling2D(
        2,
        "channels_last",
        "bilinear",
        name="keypoint_upsampling",
        dtype="float32",
    )(x)
    return keras.Model(inputs, x, name=name)

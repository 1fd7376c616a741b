"""The head of region proposals: rates and moves every anchor."""

import keras

from nonlocal_keras.models.detection.convolutions import conv
from nonlocal_keras.models.detection.convolutions import features
from nonlocal_keras.models.detection.convolutions import small


def region_proposal_head(channels, anchors, dtype, convolutions=1, name="rpn"):
    """Makes the head that rates and moves the anchors of every position.

    The layers are `rpn_conv`, `rpn_conv{2..}`, `rpn_objectness` and
    `rpn_deltas`.

    Args:
        channels: Integer, channels of the features.
        anchors: Integer, anchors of a position.
        dtype: String or `keras.DTypePolicy`.
        convolutions: Integer, how many come first. Defaults to `1`.
        name: String. Defaults to `"rpn"`.

    Returns:
        A functional model from a map `(batch, height, width, channels)` to
        the logits of its anchors `(batch, height, width, anchors)` and the
        deltas `(batch, height, width, 4 * anchors)`, in float32.

    Reference:

    - [Ren et al., 2015, section 3.1](https://arxiv.org/abs/1506.01497)
    """
    inputs = features((None, None, channels), dtype)
    x = conv(channels, 3, "rpn_conv", dtype, initializer=small(0.01))(inputs)
    for number in range(2, convolutions + 1):
        x = conv(
            channels, 3, f"rpn_conv{number}", dtype, initializer=small(0.01)
        )(x)
    output = {"activation": None, "initializer": small(0.01)}
    outputs = [
        conv(anchors, 1, "rpn_objectness", "float32", **output)(x),
        conv(4 * anchors, 1, "rpn_deltas", "float32", **output)(x),
    ]
    return keras.Model(inputs, outputs, name=name)

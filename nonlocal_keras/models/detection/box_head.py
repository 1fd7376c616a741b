"""The head of boxes: which class, and where exactly."""

import keras
from keras import layers

from nonlocal_keras.models.detection.convolutions import conv
from nonlocal_keras.models.detection.convolutions import features
from nonlocal_keras.models.detection.convolutions import small


def box_head(
    channels,
    size,
    units,
    classes,
    dtype,
    filters=(),
    normalization=None,
    name="box_head",
):
    """Makes the head that classifies boxes and moves them for each class.

    The layers are `box_conv{1..}`, `box_fc{6..}`, `box_class` and
    `box_deltas`.

    Args:
        channels: Integer, channels of the features.
        size: Integer, rows and columns of the features of a box.
        units: Tuple of Integers, units of the dense layers.
        classes: Integer, classes with the background.
        dtype: String or `keras.DTypePolicy`.
        filters: Tuple of Integers, channels of the convolutions. Defaults to
            `()`, none.
        normalization: String, what follows them. Defaults to `None`, nothing.
        name: String. Defaults to `"box_head"`.

    Returns:
        A functional model from features `(boxes, size, size, channels)` to
        logits `(boxes, classes)` and deltas `(boxes, 4 * classes)`, in
        float32.

    Reference:

    - [Lin et al., 2017, section 4.2](https://arxiv.org/abs/1612.03144)
    """
    inputs = x = features((size, size, channels), dtype)
    for number, width in enumerate(filters, 1):
        x = conv(
            width, 3, f"box_conv{number}", dtype, normalization=normalization
        )(x)
    first, *others = units
    # A dense layer whose kernel keeps rows, columns and channels apart.
    x = layers.EinsumDense(
        "bhwc,hwcu->bu",
        first,
        activation="relu",
        bias_axes="u",
        name="box_fc6",
        dtype=dtype,
    )(x)
    for number, following in enumerate(others, 7):
        x = layers.Dense(
            following, "relu", name=f"box_fc{number}", dtype=dtype
        )(x)
    outputs = [
        _output(classes, 0.01, "box_class")(x),
        _output(4 * classes, 0.001, "box_deltas")(x),
    ]
    return keras.Model(inputs, outputs, name=name)


def _output(units, deviation, name):
    return layers.Dense(
        units, name=name, kernel_initializer=small(deviation), dtype="float32"
    )

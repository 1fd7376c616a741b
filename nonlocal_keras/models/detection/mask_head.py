"""The head of masks, and the mask of the class that a box has."""

import keras
from keras import layers
from keras import ops

from nonlocal_keras.models.detection.convolutions import conv
from nonlocal_keras.models.detection.convolutions import deconv
from nonlocal_keras.models.detection.convolutions import features


def mask_head(
    channels,
    size,
    filters,
    hidden,
    classes,
    dtype,
    normalization=None,
    name="mask_head",
):
    """Makes the head that draws a mask of each class in a box.

    The layers are `mask_conv{1..}`, `mask_deconv` and `mask_logits`.

    Args:
        channels: Integer, channels of the features.
        size: Integer, rows and columns of the features of a box.
        filters: Tuple of Integers, channels of the convolutions.
        hidden: Integer, channels of the transposed convolution.
        classes: Integer, classes with the background.
        dtype: String or `keras.DTypePolicy`.
        normalization: String, what follows the convolutions. Defaults to
            `None`, nothing.
        name: String. Defaults to `"mask_head"`.

    Returns:
        A functional model from features `(boxes, size, size, channels)` to
        logits `(boxes, 2 * size, 2 * size, classes)` in float32.

    Reference:

    - [He et al., 2017, figure 4](https://arxiv.org/abs/1703.06870)
    """
    inputs = x = features((size, size, channels), dtype)
    for number, width in enumerate(filters, 1):
        x = conv(
            width, 3, f"mask_conv{number}", dtype, normalization=normalization
        )(x)
    x = deconv(hidden, 2, "mask_deconv", dtype, activation="relu")(x)
    x = conv(classes, 1, "mask_logits", "float32", activation=None)(x)
    return keras.Model(inputs, x, name=name)


@keras.saving.register_keras_serializable("nonlocal_keras")
class ClassMasks(layers.Layer):
    """The probabilities of the masks of the classes that boxes have.

    It gets logits `(batch * n, size, size, classes)` and labels `(batch, n)`
    and returns masks `(batch, n, size, size)`, zero where there is no box.
    """

    def call(self, logits, labels):
        size = logits.shape[1:3]
        index = ops.reshape(ops.maximum(labels, 0), (-1, 1, 1, 1))
        masks = ops.take_along_axis(logits, index, axis=-1)[..., 0]
        masks = ops.reshape(ops.sigmoid(masks), (-1, labels.shape[1], *size))
        return ops.where(labels[..., None, None] < 0, 0.0, masks)

    def compute_output_shape(self, logits_shape, labels_shape):
        return (*labels_shape, *logits_shape[1:3])

"""The convolutions that heads are made of."""

import keras
from keras import initializers
from keras import layers


def features(shape, dtype):
    """Returns the input of a head, in the dtype that its layers compute in."""
    dtype = keras.dtype_policies.get(dtype).compute_dtype
    return keras.Input(shape, dtype=dtype, name="features")


def small(deviation):
    """Returns the initializer of an output, which must start next to zero.

    Boxes would begin beyond their image, and be exponentials of their size.
    """
    return initializers.RandomNormal(stddev=deviation)


def conv(
    filters, size, name, dtype, activation="relu", initializer="he_normal"
):
    """Returns a convolution that keeps the size."""
    return layers.Conv2D(
        filters,
        size,
        padding="same",
        data_format="channels_last",
        activation=activation,
        kernel_initializer=initializer,
        name=name,
        dtype=dtype,
    )


def deconv(filters, size, name, dtype, activation=None):
    """Returns a transposed convolution that doubles rows and columns."""
    return layers.Conv2DTranspose(
        filters,
        size,
        strides=2,
        padding="same",
        data_format="channels_last",
        activation=activation,
        name=name,
        dtype=dtype,
    )

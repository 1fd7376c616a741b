"""The convolutions that heads are made of."""

import keras
from keras import initializers
from keras import layers

from nonlocal_keras.layers import BatchNormalization
from nonlocal_keras.layers import FrozenBatchNormalization

NORMALIZATIONS = {
    "batch": BatchNormalization,
    "frozen": FrozenBatchNormalization,
}


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
    filters,
    size,
    name,
    dtype,
    activation="relu",
    initializer="he_normal",
    normalization=None,
):
    """Returns a convolution that keeps the size, as a function of a tensor.

    With a normalization, a key of `NORMALIZATIONS`, it has no bias, and
    `{name}_bn` follows before the activation.
    """
    layer = layers.Conv2D(
        filters,
        size,
        padding="same",
        data_format="channels_last",
        use_bias=normalization is None,
        activation=activation if normalization is None else None,
        kernel_initializer=initializer,
        name=name,
        dtype=dtype,
    )
    if normalization is None:
        return layer

    def normalized(x):
        norm = NORMALIZATIONS[normalization]
        # As in the published detectors: Keras has others.
        options = {"momentum": 0.9, "epsilon": 1e-5, "dtype": dtype}
        x = norm(name=f"{name}_bn", **options)(layer(x))
        if activation is None:
            return x
        return layers.Activation(activation, name=f"{name}_relu", dtype=dtype)(
            x
        )

    return normalized


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

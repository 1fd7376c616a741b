"""Small networks as those of `keras.applications`, with drawn weights."""

import h5py
import keras
import numpy as np
from keras import layers


def keras_resnet(size=32):
    """A ResNet with the names and biases of those of keras.applications."""
    sides = size if isinstance(size, tuple) else (size, size)
    image = keras.Input((*sides, 3))
    x = layers.ZeroPadding2D(3)(image)
    x = _conv(x, 4, 7, 2, "conv1")
    x = layers.Activation("relu", name="conv1_relu")(x)
    x = layers.ZeroPadding2D(1)(x)
    x = layers.MaxPooling2D(3, 2)(x)
    for stage, (width, blocks) in enumerate([(4, 1), (8, 2), (16, 1), (32, 1)]):
        for block in range(blocks):
            name = f"conv{stage + 2}_block{block + 1}"
            stride = 2 if stage and not block else 1
            shortcut = x
            if not block:
                shortcut = _conv(x, 4 * width, 1, stride, f"{name}_0")
            x = layers.ReLU()(_conv(x, width, 1, stride, f"{name}_1"))
            x = layers.ReLU()(_conv(x, width, 3, 1, f"{name}_2", "same"))
            x = _conv(x, 4 * width, 1, 1, f"{name}_3")
            x = layers.Add()([shortcut, x])
            x = layers.ReLU(name=f"{name}_out")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(3, name="predictions")(x)
    model = keras.Model(image, x)
    draw = np.random.default_rng(4)
    for weight in model.weights:
        low = 0.5 if weight.name in ("gamma", "moving_variance") else -0.5
        weight.assign(draw.uniform(low, 1.0, weight.shape))
    return model


def _conv(x, filters, size, stride, name, padding="valid"):
    x = layers.Conv2D(
        filters, size, stride, padding=padding, name=f"{name}_conv"
    )(x)
    return layers.BatchNormalization(epsilon=1.001e-5, name=f"{name}_bn")(x)


def save_as_published(model, path):
    """Writes the HDF5 layout of the published weight files."""
    with h5py.File(path, "w") as file:
        for layer in model.layers:
            group = file.create_group(layer.name)
            for weight in layer.weights:
                group[f"{layer.name}/{weight.name}:0"] = np.asarray(weight)

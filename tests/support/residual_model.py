"""A model that someone else has built: a small ResNet of plain Keras."""

import keras
import numpy as np
from keras import layers


def residual_model(name="small_resnet"):
    """The shape of a ResNet: named blocks with shortcuts, and a head."""
    inputs = keras.Input((12, 16, 3), name="image")
    x = layers.Conv2D(4, 3, padding="same", name="conv1_conv")(inputs)
    for index in (1, 2):
        block = f"conv2_block{index}"
        y = layers.Conv2D(4, 3, padding="same", name=f"{block}_conv")(x)
        y = layers.BatchNormalization(name=f"{block}_bn")(y)
        x = layers.Add(name=f"{block}_add")([x, y])
        x = layers.ReLU(name=f"{block}_out")(x)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    outputs = layers.Dense(5, name="predictions")(x)
    return randomized(keras.Model(inputs, outputs, name=name))


def randomized(model):
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.1, 1.0, size=weight.shape))
    return model

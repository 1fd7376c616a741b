"""Turns what a detector of a source holds into what the model's weights hold.

All of it is exact: channels and classes change their places, and what a
source leaves out, because it would never be used, is zero.
"""

import numpy as np


def put_background_first(tensors):
    """Moves the background from the last class to the first.

    Such sources have neither boxes nor masks of the background.

    Args:
        tensors: `nonlocal_keras.convert.assign.Tensors`, which is changed.
    """

    def add_zeros(number):
        return lambda x: np.concatenate([np.zeros_like(x[:number]), x])

    changes = {
        "box_class": lambda x: np.concatenate([x[-1:], x[:-1]]),
        "box_deltas": add_zeros(4),
        "mask_logits": add_zeros(1),
    }
    for layer, change in changes.items():
        for value in ("kernel", "bias"):
            _change(tensors, f"{layer}.{value}", change)


def take_rgb(tensors):
    """Lets the first convolution of images in BGR take RGB."""
    _change(tensors, "conv1.kernel", lambda x: x[:, ::-1])


def add_statistics(tensors):
    """Gives normalizations that are a scale and an offset neutral statistics.

    With an epsilon of zero they compute the same.
    """
    for target in list(tensors.used):
        layer, _, vector = target.rpartition(".")
        if layer.endswith("_bn") and vector == "gamma":
            size = tensors.array_of(target).shape
            tensors.fill(f"{layer}.moving_mean", np.zeros(size, "float32"))
            tensors.fill(f"{layer}.moving_variance", np.ones(size, "float32"))


def _change(tensors, target, change):
    if target in tensors.used:
        array = tensors.array_of(target)
        # What has no place for this is refused for its shape later.
        if array.ndim:
            tensors.changed[target] = change(array)

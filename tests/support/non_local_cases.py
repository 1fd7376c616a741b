"""Inputs, options and random weights shared by the tests of the layer."""

import keras
import numpy as np
import pytest

import nonlocal_keras
from nonlocal_keras.ops import relu_sum
from nonlocal_keras.ops import softmax_mean
from tests.support import reference

LAYERS = {
    1: nonlocal_keras.NonLocal1D,
    2: nonlocal_keras.NonLocal2D,
    3: nonlocal_keras.NonLocal3D,
}
SHAPES = {1: (2, 12, 4), 2: (2, 6, 8, 4), 3: (2, 2, 6, 8, 4)}
LONGER = (2, 4, 4, 6, 4)  # 4 frames, for groups of them
POOLS = {1: (2,), 2: (2, 2), 3: (1, 2, 2)}
PAIRWISE = ("gaussian", "embedded_gaussian", "dot_product", "concatenation")
EVERY_PAIRWISE = pytest.mark.parametrize("pairwise", PAIRWISE)
AXES = {"time": (0,), "space": (1, 2), "spacetime": (0, 1, 2)}


def stream_in_small_tiles(monkeypatch, rows=8, block=16):
    """Tiles that are small enough for small tests to have several."""
    monkeypatch.setattr(softmax_mean, "FEWEST", rows)
    monkeypatch.setattr(softmax_mean, "MOST", rows)
    monkeypatch.setattr(relu_sum, "BLOCK", block)


def random_input(shape, seed=0):
    shape = SHAPES.get(shape, shape)
    x = np.random.default_rng(seed).normal(size=shape)
    return x.astype("float32")


def random_mask(x, seed=0):
    """A mask of positions; the second half of sample 1 is hidden."""
    mask = np.random.default_rng(seed).random(x.shape[:-1]) < 0.7
    mask[1, mask.shape[1] // 2 :] = False
    mask[1, 0] = True
    return mask


def make(rank, x, weights_seed=0, **options):
    """A built layer with random weights, all of them different from zero."""
    # Drawing them twice takes JAX longer than the test.
    layer = LAYERS[rank](**{"kernel_initializer": "zeros", **options})
    channels_first = layer.data_format == "channels_first"
    layer.build(np.moveaxis(x, -1, 1).shape if channels_first else x.shape)
    randomize(layer, weights_seed)
    return layer


def randomize(layer, seed=0):
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        value = rng.normal(size=weight.shape)
        if "variance" in weight.name or "scale" in weight.name:
            value = 0.5 + np.abs(value)
        weight.assign(value)


def weights_of(layer):
    """`{"theta/kernel": ...}` in float64."""
    weights = {}
    for weight in layer.weights:
        name = "/".join(weight.path.split("/")[-2:])
        name = "w_f" if weight.name == "w_f" else name
        weights[name] = keras.ops.convert_to_numpy(weight).astype("float64")
    return weights


def oracle(layer, x, mask=None):
    """What the reference makes of the layer's options and weights."""
    axes = layer.attend_axes
    return reference.non_local(
        x,
        weights_of(layer),
        normalization=layer.normalization,
        epsilon=layer.epsilon,
        **branch_options(layer, axes, mask),
    )


def branch_options(layer, axes=None, mask=None):
    return {
        "pairwise": layer.pairwise,
        "scale": layer.scale,
        "pool_size": layer.pool_size,
        "pool_first": layer.pool_first,
        "axes": AXES[axes] if isinstance(axes, str) else axes,
        "frame_groups": layer.frame_groups,
        "mask": mask,
    }

"""Gradients of gradients: problems in float64, and differences for them."""

import numpy as np
from keras import ops

from nonlocal_keras.ops import weighted_sum
from tests.support import backends
from tests.support.backends import numpy

STEP = 1e-5


def draw(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


def problem(queries=9, keys=7, channels=2, width=3):
    """theta, phi, g, w_f, and a mask of the keys."""
    mask = np.arange(2 * keys).reshape(2, keys) % 3 > 0
    return mask, draw(
        (2, queries, channels),
        (2, keys, channels),
        (2, keys, width),
        (2 * channels,),
    )


def loss(pairwise, mask=None, implementation="streamed"):
    """A function of theta, phi, g and w_f with derivatives of all orders."""

    def function(theta, phi, g, w_f):
        y = weighted_sum.weighted_sum(
            theta,
            phi,
            g,
            pairwise,
            w_f=w_f,
            mask=mask,
            implementation=implementation,
        )
        # Where the form has no w_f, it has a gradient all the same.
        return ops.sum(ops.sin(y)) + ops.sum(w_f**3)

    return function


def differences(function, arrays, directions):
    """The change of the gradients along the directions."""
    gradients = backends.gradient_function(function)
    below, above = (
        gradients([x + step * d for x, d in zip(arrays, directions)])
        for step in (-STEP, STEP)
    )
    return [(b - a) / (2 * STEP) for a, b in zip(below, above)]


def assert_near(found, wanted, tolerance=1e-7):
    for one, other in zip(found, wanted, strict=True):
        one, other = numpy(one), numpy(other)
        assert one.dtype == "float64" and abs(other).max() > 1e-3
        np.testing.assert_allclose(
            one, other, rtol=0, atol=tolerance * abs(other).max()
        )

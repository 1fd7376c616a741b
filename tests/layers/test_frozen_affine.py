"""The scale and offset that no training step changes."""

import numpy as np
import pytest

from nonlocal_keras.layers import FrozenAffine
from tests.support.backends import numpy

pytestmark = pytest.mark.any_backend


@pytest.mark.parametrize("axis", [-1, 1, 2])
def test_frozen_affine_scales_and_shifts_one_axis(axis):
    x = np.random.default_rng(0).normal(size=(2, 2, 6, 8, 4))
    x = x.astype("float32")
    layer = FrozenAffine(axis=axis)
    np.testing.assert_array_equal(numpy(layer(x)), x)
    size = x.shape[axis]
    layer.scale.assign(np.arange(size) + 1.0)
    layer.offset.assign(-np.arange(size))
    moved = np.moveaxis(x, axis, -1) * (np.arange(size) + 1) - np.arange(size)
    want = np.moveaxis(moved, -1, axis)
    np.testing.assert_allclose(numpy(layer(x)), want, atol=1e-5)
    assert not layer.trainable_weights

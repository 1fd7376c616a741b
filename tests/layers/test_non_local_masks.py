"""Masks of positions: what they hide has no say and no weight."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.support import reference
from tests.support.backends import gradient
from tests.support.backends import numpy
from tests.support.non_local_cases import EVERY_PAIRWISE
from tests.support.non_local_cases import make
from tests.support.non_local_cases import random_input
from tests.support.non_local_cases import random_mask
from tests.support.non_local_cases import weights_of

pytestmark = pytest.mark.any_backend

NORMALIZATIONS = ("batch", "affine", None)


@EVERY_PAIRWISE
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("pool", [None, 2])
def test_masked_inputs_do_not_reach_valid_outputs(pairwise, training, pool):
    x = random_input(3)
    mask = random_mask(x)
    layer = make(3, x, pairwise=pairwise, pool_size=pool)
    other = np.where(mask[..., None], x, 50 * random_input(3, seed=1))
    statistics = numpy(layer.norm.moving_mean)
    z = numpy(layer(x, mask=mask, training=training))
    layer.norm.moving_mean.assign(statistics)
    same = numpy(layer(other, mask=mask, training=training))
    np.testing.assert_allclose(same[mask], z[mask], atol=1e-5)
    # And the test could see it: without the mask they do reach them.
    assert abs(numpy(layer(other)) - numpy(layer(x)))[mask].max() > 1e-2


@EVERY_PAIRWISE
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_all_masked_clip_gets_only_the_biases(pairwise, normalization):
    x = random_input(3)
    mask = random_mask(x)
    mask[0] = False
    layer = make(3, x, pairwise=pairwise, normalization=normalization)
    z = numpy(layer(x, mask=mask))
    bias = weights_of(layer)["w_z/bias"]
    added = reference.normalize(
        bias, weights_of(layer), normalization, layer.epsilon
    )
    np.testing.assert_allclose(z[0], x[0] + added, atol=1e-5)


@EVERY_PAIRWISE
def test_all_masked_clip_has_a_finite_gradient(pairwise):
    x = random_input(3)
    layer = make(3, x, pairwise=pairwise, pool_size=2)
    mask = np.zeros(x.shape[:-1], bool)
    grad = gradient(lambda x: ops.sum(layer(x, mask=mask) ** 2), x)
    np.testing.assert_allclose(grad, 2 * numpy(layer(x, mask=mask)), rtol=1e-4)


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_mask_of_leading_axes_holds_for_the_rest(axes):
    x = random_input(3)
    layer = make(3, x)
    mask = random_mask(x)[(..., *([0] * (3 - axes)))]
    full = mask.reshape(mask.shape + (1,) * (3 - axes))
    full = np.broadcast_to(full, x.shape[:-1])
    np.testing.assert_array_equal(
        numpy(layer(x, mask=mask)), numpy(layer(x, mask=full))
    )
    assert abs(numpy(layer(x, mask=mask)) - numpy(layer(x))).max() > 1e-3


def test_mask_of_padded_steps_equals_the_shorter_sequence():
    x = random_input(1)
    layer = make(1, x)
    mask = np.arange(12) < np.array([[12], [7]])
    z = numpy(layer(x, mask=mask))
    short = numpy(layer(x[1:, :7]))
    np.testing.assert_allclose(z[1:, :7], short, atol=1e-5)


def test_mask_comes_from_a_masking_layer_and_goes_on():
    x = random_input(1)
    x[1, 7:] = 0.0
    layer = make(1, x)
    model = keras.Sequential(
        [
            keras.layers.Masking(),
            layer,
            keras.layers.GlobalAveragePooling1D(),
        ]
    )
    z = numpy(layer(x, mask=np.arange(12) < np.array([[12], [7]])))
    want = [z[0].mean(axis=0), z[1, :7].mean(axis=0)]
    np.testing.assert_allclose(numpy(model(x)), want, atol=1e-5)

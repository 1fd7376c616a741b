"""The four pairwise functions against their equations."""

import functools

import numpy as np
import pytest
from keras import ops

from nonlocal_keras.ops import pairwise
from tests.support.backends import float64_only
from tests.support.backends import gradient
from tests.support.backends import numpy
from tests.support.reference import pairwise_weights

pytestmark = pytest.mark.any_backend

BATCH, QUERIES, KEYS, CHANNELS = 2, 5, 7, 4
FORMS = ("gaussian", "dot_product", "concatenation")
SOFTMAX_MASK = np.array([[1, 0, 1, 1, 0, 0, 1], [0, 0, 0, 1, 0, 0, 0]], bool)


@pytest.fixture
def theta():
    shape = (BATCH, QUERIES, CHANNELS)
    return np.random.default_rng(1).normal(size=shape).astype("float32")


@pytest.fixture
def phi():
    shape = (BATCH, KEYS, CHANNELS)
    return np.random.default_rng(2).normal(size=shape).astype("float32")


W_F = np.random.default_rng(3).normal(size=2 * CHANNELS).astype("float32")


def form(name):
    if name == "concatenation":
        return functools.partial(pairwise.concatenation, w_f=W_F)
    return getattr(pairwise, name)


def expected(name, theta, phi, mask=None, scale=1.0):
    mask = np.ones((BATCH, KEYS), bool) if mask is None else mask
    return np.array(
        [
            pairwise_weights(name, *sample, scale, W_F.astype("float64"))
            for sample in zip(
                theta.astype("float64"), phi.astype("float64"), mask
            )
        ]
    )


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", FORMS)
def test_matches_equation(name, masked, theta, phi):
    mask = SOFTMAX_MASK if masked else None
    got = numpy(form(name)(theta, phi, mask=mask))
    np.testing.assert_allclose(
        got, expected(name, theta, phi, mask), atol=1e-6, rtol=1e-5
    )


def test_scale_multiplies_the_logits(theta, phi):
    got = numpy(pairwise.gaussian(theta, phi, scale=0.3))
    want = expected("gaussian", theta, phi, scale=0.3)
    np.testing.assert_allclose(got, want, atol=1e-6)
    assert abs(got - expected("gaussian", theta, phi)).max() > 1e-2


def test_gaussian_sums_to_one_over_valid_keys(theta, phi):
    weights = numpy(pairwise.gaussian(theta, phi, mask=SOFTMAX_MASK))
    np.testing.assert_allclose(weights.sum(axis=-1), 1.0, atol=1e-6)


@pytest.mark.parametrize("name", FORMS)
def test_masked_keys_weigh_exactly_nothing(name, theta, phi):
    weights = numpy(form(name)(theta, phi, mask=SOFTMAX_MASK))
    hidden = np.broadcast_to(~SOFTMAX_MASK[:, None], weights.shape)
    assert (weights[hidden] == 0.0).all()
    assert (weights[~hidden] != 0.0).any()


@pytest.mark.parametrize("name", FORMS)
def test_masked_keys_are_as_if_they_were_not_there(name, theta, phi):
    """C(x) counts the keys that are left."""
    keep = SOFTMAX_MASK[0]
    got = numpy(form(name)(theta[:1], phi[:1], mask=SOFTMAX_MASK[:1]))
    alone = numpy(form(name)(theta[:1], phi[:1][:, keep]))
    np.testing.assert_allclose(got[..., keep], alone, atol=1e-6)


@pytest.mark.parametrize("name", FORMS)
def test_no_valid_key_gives_zero_weights(name, theta, phi):
    mask = np.zeros((BATCH, KEYS), bool)
    assert not numpy(form(name)(theta, phi, mask=mask)).any()


@pytest.mark.parametrize("name", FORMS)
def test_no_valid_key_gives_a_finite_gradient(name, theta, phi):
    mask = np.stack([SOFTMAX_MASK[0], np.zeros(KEYS, bool)])

    def loss(theta):
        return ops.sum(ops.square(form(name)(theta, phi, mask=mask)))

    grad = gradient(loss, theta)
    assert np.isfinite(grad).all()
    assert grad[0].any() and not grad[1].any()


@pytest.mark.parametrize("name", FORMS)
def test_permuting_keys_permutes_columns(name, theta, phi):
    order = np.random.default_rng(0).permutation(KEYS)
    weights = numpy(form(name)(theta, phi))
    permuted = numpy(form(name)(theta, phi[:, order]))
    np.testing.assert_allclose(permuted, weights[..., order], atol=1e-6)


def test_gaussian_stays_finite_for_large_logits(theta, phi):
    weights = numpy(pairwise.gaussian(1e3 * theta, 1e3 * phi))
    np.testing.assert_allclose(weights.sum(axis=-1), 1.0, atol=1e-6)


def test_masked_key_with_the_largest_logit_does_not_matter(theta, phi):
    loud = np.where(SOFTMAX_MASK[..., None], phi, 1e6 * phi)
    got = numpy(pairwise.gaussian(theta, loud, mask=SOFTMAX_MASK))
    want = numpy(pairwise.gaussian(theta, phi, mask=SOFTMAX_MASK))
    np.testing.assert_array_equal(got, want)


def test_dot_product_scales_with_its_inputs(theta, phi):
    """It is linear, not a softmax: no constraint on the sum of a row."""
    once = numpy(pairwise.dot_product(theta, phi))
    np.testing.assert_allclose(
        numpy(pairwise.dot_product(3 * theta, phi)), 3 * once, rtol=1e-5
    )
    assert (once < 0).any()


def test_concatenation_is_never_negative(theta, phi):
    weights = numpy(form("concatenation")(theta, phi))
    assert (weights >= 0).all() and (weights == 0).any()
    assert (weights > 0).any()


@float64_only
@pytest.mark.parametrize("name", ["gaussian", "dot_product"])
def test_float64_is_computed_in_float64(name, theta, phi):
    got = numpy(
        form(name)(*(ops.convert_to_tensor(x, "float64") for x in (theta, phi)))
    )
    want = expected(name, theta, phi)
    np.testing.assert_allclose(got, want, atol=1e-14)

"""The running sums of the concatenation form."""

import numpy as np
import pytest

from nonlocal_keras.ops import relu_sum
from tests.support.backends import numpy

pytestmark = pytest.mark.any_backend


@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_running_sums_of_many_keys_keep_their_digits(offset):
    """The keys all lie far from zero, and the queries where they cancel."""
    rng = np.random.default_rng(0)
    keys, queries = 100_000, 50
    b = rng.normal(size=(1, keys)).astype("float32") + np.float32(offset)
    a = rng.normal(size=(1, queries)).astype("float32") - np.float32(offset)
    g = rng.random((1, keys, 2)).astype("float32")
    got = numpy(relu_sum.relu_sum(a, b, g))
    f = np.maximum(0.0, a[0].astype("float64")[:, None] + b[0])
    want = f @ g[0].astype("float64")
    np.testing.assert_allclose(got[0], want, rtol=2e-6, atol=2e-6 * want.max())

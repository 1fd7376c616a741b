"""The streamed forms of the operation against the matrix forms."""

import hypothesis
import keras
import numpy as np
import pytest
from hypothesis import strategies as st
from keras import ops

from nonlocal_keras.ops import weighted_sum
from tests.support.backends import BACKEND
from tests.support.backends import compile_call
from tests.support.backends import float64_only
from tests.support.backends import gradients
from tests.support.backends import numpy
from tests.support.backends import slow_on_jax
from tests.support.marks import mostly_slow
from tests.support.non_local_cases import EVERY_PAIRWISE
from tests.support.non_local_cases import stream_in_small_tiles
from tests.support.reference import pairwise_weights

pytestmark = pytest.mark.any_backend

SIZES = st.integers(1, 70)
# JAX compiles for every shape.
EXAMPLES = 3 if BACKEND == "jax" else 10
PROPERTIES = hypothesis.settings(
    max_examples=EXAMPLES, deadline=None, derandomize=True
)


@pytest.fixture(autouse=True)
def several_tiles(monkeypatch):
    stream_in_small_tiles(monkeypatch)


def problem(seed, queries, keys, channels=3, width=2, batch=2):
    """Random theta, phi, g and w_f."""
    rng = np.random.default_rng(seed)
    shapes = (
        (batch, queries, channels),
        (batch, keys, channels),
        (batch, keys, width),
        (2 * channels,),
    )
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


def draw_mask(rng, batch, keys, valid=0.6):
    return rng.random((batch, keys)) < valid


def run(pairwise, tensors, mask=None, implementation="streamed", scale=1.0):
    theta, phi, g, w_f = tensors
    return weighted_sum.weighted_sum(
        theta,
        phi,
        g,
        pairwise,
        scale if pairwise.endswith("gaussian") else 1.0,
        w_f,
        mask,
        implementation,
    )


def expected(pairwise, tensors, mask=None, scale=1.0):
    """In float64, pair by pair."""
    theta, phi, g, w_f = (x.astype("float64") for x in tensors)
    if mask is None:
        mask = np.ones(phi.shape[:2], bool)
    return np.array(
        [
            pairwise_weights(pairwise, *sample, scale, w_f) @ values
            for sample, values in zip(zip(theta, phi, mask), g)
        ]
    )


def assert_near(got, want, tolerance=1e-5):
    """Near, relative to the largest value."""
    np.testing.assert_allclose(
        got, want, rtol=0, atol=tolerance * max(1.0, abs(want).max())
    )


def check_gradients(pairwise, tensors, mask=None, tolerance=1e-5, **options):
    dy = np.random.default_rng(9).normal(
        size=(*tensors[0].shape[:2], tensors[2].shape[-1])
    )
    dy = ops.convert_to_tensor(dy.astype("float32"))

    def loss(implementation):
        def function(*tensors):
            y = run(pairwise, tensors, mask, implementation)
            return ops.sum(y * dy)

        return function

    # Without w_f where it has no gradient.
    if pairwise != "concatenation":
        w_f = tensors[3]
        tensors = tensors[:3]

        def with_w_f(function):
            return lambda *tensors: function(*tensors, w_f)

    else:

        def with_w_f(function):
            return function

    got, want = (
        gradients(with_w_f(loss(name)), tensors, **options)
        for name in ("streamed", "matrix")
    )
    for one, other in zip(got, want):
        assert_near(one, other, tolerance)
    return got


# === Properties ===


@EVERY_PAIRWISE
@PROPERTIES
@hypothesis.given(SIZES, SIZES, st.integers(0, 9), st.booleans())
def test_any_shape_gives_what_the_equation_gives(
    pairwise, queries, keys, seed, masked
):
    tensors = problem(seed, queries, keys)
    rng = np.random.default_rng(seed)
    mask = draw_mask(rng, 2, keys) if masked else None
    got = numpy(run(pairwise, tensors, mask, scale=0.7))
    assert_near(got, expected(pairwise, tensors, mask, scale=0.7))


@EVERY_PAIRWISE
@hypothesis.settings(PROPERTIES, max_examples=min(EXAMPLES, 6))
@hypothesis.given(SIZES, SIZES, st.integers(0, 9), st.booleans())
def test_any_shape_has_the_gradient_of_the_matrix_form(
    pairwise, queries, keys, seed, masked
):
    tensors = problem(seed, queries, keys)
    rng = np.random.default_rng(seed)
    mask = draw_mask(rng, 2, keys) if masked else None
    check_gradients(pairwise, tensors, mask)


@slow_on_jax
@EVERY_PAIRWISE
@hypothesis.settings(PROPERTIES, max_examples=min(EXAMPLES, 8))
@hypothesis.given(SIZES, SIZES, st.integers(0, 9))
def test_ties_do_not_matter(pairwise, queries, keys, seed):
    """Whole numbers: many equal logits, and sums a + b of exactly zero."""
    tensors = [np.round(x) for x in problem(seed, queries, keys)]
    got = numpy(run(pairwise, tensors))
    assert_near(got, expected(pairwise, tensors))
    check_gradients(pairwise, tensors)


# === Values ===


@slow_on_jax
@EVERY_PAIRWISE
@mostly_slow(
    pytest.mark.parametrize(
        "queries, keys", [(1, 1), (1, 40), (40, 1), (16, 64), (17, 63)]
    ),
    0,
    4,
)
def test_edges_of_tiles_and_blocks(pairwise, queries, keys):
    tensors = problem(0, queries, keys)
    got = numpy(run(pairwise, tensors))
    assert_near(got, expected(pairwise, tensors))
    check_gradients(pairwise, tensors)


@slow_on_jax
@EVERY_PAIRWISE
@mostly_slow(pytest.mark.parametrize("batch", [1, 3]), 1)
def test_samples_do_not_mix(pairwise, batch):
    tensors = problem(0, 20, 30, batch=batch)
    together = numpy(run(pairwise, tensors))
    for i in range(batch):
        alone = [x[i : i + 1] for x in tensors[:3]] + tensors[3:]
        assert_near(numpy(run(pairwise, alone))[0], together[i], 1e-6)
    check_gradients(pairwise, tensors)


@EVERY_PAIRWISE
@pytest.mark.parametrize("size", [1e-4, 1e2])
def test_size_of_the_inputs_does_not_matter(pairwise, size):
    tensors = [size * x for x in problem(0, 30, 40)]
    want = expected(pairwise, tensors)
    got = numpy(run(pairwise, tensors))
    # A softmax multiplies the rounding errors of its logits.
    logits = (size**2) if pairwise.endswith("gaussian") else 1.0
    tolerance = 1e-6 * max(1.0, logits)
    np.testing.assert_allclose(
        got, want, rtol=0, atol=tolerance * abs(want).max()
    )


@pytest.mark.parametrize("pairwise", ["gaussian", "embedded_gaussian"])
def test_softmax_of_extreme_logits_is_finite(pairwise):
    tensors = problem(0, 20, 30)
    tensors[0] *= 100.0
    tensors[1] *= 100.0  # logits of 1e4
    mask = draw_mask(np.random.default_rng(0), 2, 30)
    # float32 itself rounds such a logit by 5e-4.
    for mask in (None, mask):
        got = numpy(run(pairwise, tensors, mask))
        want = numpy(run(pairwise, tensors, mask, "matrix"))
        assert np.isfinite(got).all()
        assert_near(got, want, 1e-3)
        for grad in check_gradients(pairwise, tensors, mask, 1e-3):
            assert np.isfinite(grad).all()


@EVERY_PAIRWISE
def test_no_valid_key_gives_zero_and_a_finite_gradient(pairwise):
    tensors = problem(0, 20, 30)
    mask = np.stack([np.arange(30) < 7, np.zeros(30, bool)])
    got = numpy(run(pairwise, tensors, mask))
    assert got[0].any() and not got[1].any()
    for grad in check_gradients(pairwise, tensors, mask)[:3]:
        assert np.isfinite(grad).all()
        assert grad[0].any() and not grad[1].any()


@EVERY_PAIRWISE
def test_masked_keys_are_as_if_they_were_not_there(pairwise):
    tensors = problem(0, 20, 30)
    mask = np.tile(np.arange(30) % 3 != 0, (2, 1))
    theta, phi, g, w_f = tensors
    left = [theta, phi[:, mask[0]], g[:, mask[0]], w_f]
    loud = [
        theta,
        np.where(mask[..., None], phi, 1e3),
        np.where(mask[..., None], g, 1e3),
        w_f,
    ]
    want = numpy(run(pairwise, left))
    assert_near(numpy(run(pairwise, tensors, mask)), want, 1e-6)
    assert_near(numpy(run(pairwise, loud, mask)), want)


@EVERY_PAIRWISE
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(pairwise, dtype):
    tensors = [ops.cast(30 * x, dtype) for x in problem(0, 20, 30)]
    y = run(pairwise, tensors)
    assert keras.backend.standardize_dtype(y.dtype) == "float32"
    rounded = [numpy(x) for x in tensors]
    want = numpy(run(pairwise, rounded, implementation="matrix"))
    assert np.isfinite(numpy(y)).all()
    assert_near(numpy(y), want)


@float64_only
@EVERY_PAIRWISE
def test_float64_is_computed_in_float64(pairwise):
    tensors = [
        ops.convert_to_tensor(x, dtype="float64") for x in problem(0, 20, 30)
    ]
    got = numpy(run(pairwise, tensors))
    want = expected(pairwise, [numpy(x) for x in tensors])
    np.testing.assert_allclose(got, want, atol=1e-13)


# === Compilers ===


@EVERY_PAIRWISE
@mostly_slow(pytest.mark.parametrize("masked", [False, True]), 1)
def test_compiled_equals_eager(pairwise, masked):
    tensors = problem(0, 20, 30)
    mask = draw_mask(np.random.default_rng(0), 2, 30) if masked else None
    want = numpy(run(pairwise, tensors, mask))
    compilers = [False, True] if BACKEND == "tensorflow" else [True]
    for xla in compilers:
        compiled = compile_call(lambda *x: run(pairwise, x, mask), xla=xla)
        got = compiled(*map(ops.convert_to_tensor, tensors))
        assert_near(numpy(got), want, 1e-6)


@pytest.mark.skipif(BACKEND == "torch", reason="compiles no gradients")
@EVERY_PAIRWISE
@mostly_slow(pytest.mark.parametrize("masked", [False, True]), 1)
def test_compiled_gradient_is_that_of_the_matrix_form(pairwise, masked):
    tensors = problem(0, 20, 30)
    mask = draw_mask(np.random.default_rng(0), 2, 30) if masked else None
    check_gradients(pairwise, tensors, mask, compiled=True)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="others know all sizes")
@EVERY_PAIRWISE
@mostly_slow(pytest.mark.parametrize("xla", [False, True]), 0)
def test_unknown_sizes(pairwise, xla):
    import tensorflow as tf

    unknown = [tf.TensorSpec((None, None, n)) for n in (3, 3, 2)]

    @tf.function(
        input_signature=[*unknown, tf.TensorSpec((6,))], jit_compile=xla
    )
    def value_and_gradients(*tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            y = run(pairwise, tensors)
            loss = tf.reduce_sum(y**2)
        return y, tape.gradient(loss, tensors[:3])

    for queries, keys in ((20, 30), (1, 70), (5, 1)):
        tensors = problem(0, queries, keys)
        y, got = value_and_gradients(*tensors)
        assert y.shape[-1] == 2
        assert_near(numpy(y), expected(pairwise, tensors))
        want = gradients(
            lambda *x: ops.sum(run(pairwise, [*x, tensors[3]]) ** 2),
            tensors[:3],
        )
        for one, other in zip(got, want):
            assert_near(numpy(one), other)


# === The choice ===


@pytest.mark.parametrize(
    "pairwise, sizes, choice",
    [
        ("dot_product", (784, 196, 512, 512), "matrix"),
        ("dot_product", (3136, 784, 256, 256), "streamed"),
        ("dot_product", (None, 784, 256, 256), "streamed"),
        ("concatenation", (3136, 784, 256, 256), "streamed"),
        ("concatenation", (784, 196, 512, 512), "matrix"),
        ("gaussian", (3136, 784, 256, 256), "matrix"),
        ("embedded_gaussian", (12544, 3136, 256, 256), "streamed"),
        ("embedded_gaussian", (12544, None, 256, 256), "streamed"),
    ],
)
def test_auto_streams_where_the_matrix_is_large(pairwise, sizes, choice):
    assert weighted_sum.choose(pairwise, *sizes) == choice

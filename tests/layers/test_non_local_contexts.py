"""The same layer with unknown shapes, other layouts, dtypes and compilers."""

import keras
import numpy as np
import pytest

from nonlocal_keras import NonLocal1D
from nonlocal_keras import NonLocal3D
from tests.support.backends import BACKEND
from tests.support.backends import all_slow_on_jax
from tests.support.backends import compile_call
from tests.support.backends import float64_only
from tests.support.backends import numpy
from tests.support.backends import tensorflow_only
from tests.support.marks import mostly_slow
from tests.support.non_local_cases import LONGER
from tests.support.non_local_cases import PAIRWISE
from tests.support.non_local_cases import POOLS
from tests.support.non_local_cases import make
from tests.support.non_local_cases import oracle
from tests.support.non_local_cases import random_input
from tests.support.non_local_cases import random_mask

pytestmark = [pytest.mark.any_backend, *all_slow_on_jax]

EVERY_PAIRWISE = pytest.mark.parametrize("pairwise", PAIRWISE)
EVERY_RANK = pytest.mark.parametrize("rank", [1, 2, 3])
HALF = ("float16", "bfloat16", "mixed_float16", "mixed_bfloat16")

# Options that take different ways through the layer.
WAYS = [
    {},
    {"pool_size": (1, 2, 2), "pool_first": True},
    {"pool_size": 2, "pairwise": "concatenation"},
    {"attend_axes": "space", "pairwise": "dot_product"},
    {"attend_axes": "time", "frame_groups": 2},
    {"frame_groups": 2, "pool_size": (2, 2, 2), "pairwise": "gaussian"},
]


def name_of(options):
    return "-".join(f"{k}={v}" for k, v in options.items()) or "defaults"


# === Unknown sizes ===


def functional(layer, shape, unknown, mask=False):
    """A model whose input has `None` at the axes `unknown`."""
    shape = tuple(None if a in unknown else n for a, n in enumerate(shape))
    inputs = keras.Input(batch_shape=shape)
    if not mask:
        return keras.Model(inputs, layer(inputs))
    masks = keras.Input(batch_shape=shape[:-1], dtype="bool")
    return keras.Model([inputs, masks], layer(inputs, mask=masks))


def check_unknown(unknown, **options):
    x = random_input(LONGER)
    layer = make(3, x, **options)
    model = functional(layer, x.shape, unknown)
    assert model.output_shape == model.input_shape
    got = model.predict(x, verbose=0)
    np.testing.assert_allclose(got, numpy(layer(x)), atol=1e-5)


@pytest.mark.parametrize(
    "unknown",
    [(0,), (1,), (2,), (3,), (2, 3)],
    ids=["batch", "time", "height", "width", "height_and_width"],
)
def test_none_axis(unknown):
    check_unknown(unknown, attend_axes="space", pool_size=(1, 2, 2))


@pytest.mark.parametrize("options", WAYS, ids=name_of)
def test_none_everywhere(options):
    check_unknown((0, 1, 2, 3), **options)


@pytest.mark.parametrize("rank", [1, 2])
def test_none_positions_of_lower_ranks(rank):
    x = random_input(rank)
    layer = make(rank, x, pool_size=POOLS[rank])
    model = functional(layer, x.shape, range(rank + 1))
    got = model.predict(x, verbose=0)
    np.testing.assert_allclose(got, numpy(layer(x)), atol=1e-5)


@pytest.mark.parametrize("options", WAYS, ids=name_of)
def test_none_axes_with_mask(options):
    x = random_input(LONGER)
    mask = random_mask(x)
    layer = make(3, x, **options)
    model = functional(layer, x.shape, (0, 1, 2, 3), mask=True)
    got = model.predict([x, mask], verbose=0)
    np.testing.assert_allclose(got, numpy(layer(x, mask=mask)), atol=1e-5)


def test_one_model_serves_clips_of_any_size():
    layer = make(3, random_input(3), pool_size=(1, 2, 2))
    model = functional(layer, (2, 2, 6, 8, 4), (0, 1, 2, 3))
    for shape in ((1, 3, 5, 7, 4), (3, 1, 2, 2, 4)):
        x = np.random.default_rng(0).normal(size=shape).astype("float32")
        want, _ = oracle(layer, x)
        np.testing.assert_allclose(model.predict(x, verbose=0), want, atol=1e-4)


@pytest.mark.parametrize(
    "options, scores",
    [
        ({}, (None, None, None)),
        ({"attend_axes": "space"}, (None, None, 48, 48)),
        ({"attend_axes": "time"}, (None, 48, None, None)),
        ({"frame_groups": 2}, (None, 2, None, None)),
    ],
    ids=str,
)
def test_symbolic_scores_know_what_can_be_known(options, scores):
    inputs = keras.Input((None, 6, 8, 4))
    z, s = NonLocal3D(**options)(inputs, return_attention_scores=True)
    assert z.shape == (None, None, 6, 8, 4)
    assert s.shape == scores


# === Channels first ===


@EVERY_RANK
@EVERY_PAIRWISE
def test_channels_first_is_channels_last_moved(rank, pairwise):
    x = random_input(rank)
    options = {"pairwise": pairwise, "pool_size": 2}
    last = make(rank, x, **options)
    first = make(rank, x, data_format="channels_first", **options)
    for mask in (None, random_mask(x)):
        z, scores = last(x, mask=mask, return_attention_scores=True)
        z_first, scores_first = first(
            np.moveaxis(x, -1, 1), mask=mask, return_attention_scores=True
        )
        got = np.moveaxis(numpy(z_first), 1, -1)
        np.testing.assert_allclose(got, numpy(z), atol=1e-6)
        np.testing.assert_allclose(numpy(scores_first), numpy(scores))


def test_data_format_defaults_to_the_configured_one():
    assert NonLocal1D().data_format == "channels_last"
    keras.config.set_image_data_format("channels_first")
    layer = NonLocal1D()
    assert layer.data_format == "channels_first"
    layer.build((None, 4, None))
    assert layer.theta.kernel.shape == (4, 2)


def test_channels_first_knows_its_output_shape():
    inputs = keras.Input((4, None, 6, 8))
    layer = NonLocal3D(data_format="channels_first", pool_size=(1, 2, 2))
    z, scores = layer(inputs, return_attention_scores=True)
    assert z.shape == inputs.shape
    assert scores.shape == (None, None, None)


# === Dtypes ===


@pytest.mark.parametrize("policy", HALF)
@EVERY_PAIRWISE
@pytest.mark.parametrize(
    "normalization, training",
    [("batch", False), ("batch", True), ("affine", False), (None, False)],
)
def test_identity_at_init_for_large_half_precision_inputs(
    policy, pairwise, normalization, training
):
    layer = NonLocal3D(
        pairwise=pairwise, normalization=normalization, dtype=policy
    )
    x = keras.ops.cast(100 * random_input(3), layer.compute_dtype)
    z, scores = layer(x, training=training, return_attention_scores=True)
    assert keras.backend.standardize_dtype(z.dtype) == layer.compute_dtype
    assert keras.backend.standardize_dtype(scores.dtype) == "float32"
    assert np.isfinite(numpy(scores)).all()
    np.testing.assert_array_equal(numpy(z), numpy(x))


@pytest.mark.parametrize("policy", HALF)
@EVERY_PAIRWISE
def test_half_precision_is_near_float32(policy, pairwise):
    x = random_input(3)
    mask = random_mask(x)
    options = {"pairwise": pairwise, "pool_size": 2}
    layer = make(3, x, dtype=policy, **options)
    want = numpy(make(3, x, **options)(x, mask=mask))
    z = numpy(layer(x, mask=mask))
    tolerance = 2e-2 if "bfloat16" in policy else 3e-3
    assert abs(z - want).max() < tolerance * abs(want).max()


@pytest.mark.parametrize("policy", HALF)
@pytest.mark.parametrize("pairwise", ["gaussian", "embedded_gaussian"])
def test_softmax_forms_stay_finite_for_large_half_precision_inputs(
    policy, pairwise
):
    x = 100 * random_input(3)
    layer = make(3, x, pairwise=pairwise, dtype=policy)
    for training in (False, True):
        assert np.isfinite(numpy(layer(x, training=training))).all()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_policies_keep_weights_in_float32(policy):
    layer = NonLocal3D(dtype=policy, pairwise="concatenation")
    layer.build((None, None, None, None, 4))
    dtypes = {keras.backend.standardize_dtype(w.dtype) for w in layer.weights}
    assert dtypes == {"float32"}


@float64_only
@EVERY_PAIRWISE
def test_float64_output_and_scores(pairwise):
    x = random_input(3).astype("float64")
    layer = make(3, x, pairwise=pairwise, dtype="float64")
    z, scores = layer(x, return_attention_scores=True)
    assert numpy(z).dtype == numpy(scores).dtype == "float64"


# === Compilers ===


@pytest.mark.parametrize("options", WAYS, ids=name_of)
@mostly_slow(pytest.mark.parametrize("masked", [False, True]), 1)
def test_compiled_equals_eager(options, masked):
    x = random_input(LONGER)
    layer = make(3, x, **options)
    mask = random_mask(x) if masked else None

    def call(x):
        return layer(x, mask=mask, return_attention_scores=True)

    eager = call(x)
    compilers = [False, True] if BACKEND == "tensorflow" else [True]
    for xla in compilers:
        compiled = compile_call(call, xla=xla)(keras.ops.convert_to_tensor(x))
        for got, want in zip(compiled, eager):
            np.testing.assert_allclose(numpy(got), numpy(want), atol=1e-5)


@pytest.mark.parametrize(
    "jit_compile",
    [
        pytest.param(False, marks=tensorflow_only),  # JAX: op by op, slow
        True,
    ],
)
def test_compiled_training_step_trains_the_block(jit_compile):
    x = random_input(3)
    inputs = keras.Input(x.shape[1:])
    layer = NonLocal3D(pool_size=(1, 2, 2))
    model = keras.Model(inputs, layer(inputs))
    model.compile("sgd", "mse", jit_compile=jit_compile)
    before = [numpy(w) for w in layer.weights]
    losses = [model.train_on_batch(x, 2 * x) for _ in range(3)]
    assert losses[-1] < losses[0]
    changed = [
        w.name
        for old, w in zip(before, layer.weights)
        if abs(numpy(w) - old).max() > 0
    ]
    # From the second step on gamma is not zero, and all kernels learn.
    assert {"kernel", "gamma", "moving_mean"} <= set(changed)
    assert changed.count("kernel") == 4

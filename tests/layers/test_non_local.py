"""The values of the non-local layers against the equations in NumPy."""

import keras
import numpy as np
import pytest

from nonlocal_keras import NonLocal1D
from nonlocal_keras import NonLocal2D
from nonlocal_keras import NonLocal3D
from nonlocal_keras.layers import arguments
from tests.support import reference
from tests.support.backends import BACKEND
from tests.support.backends import float64_only
from tests.support.backends import numpy
from tests.support.backends import slow_on_jax
from tests.support.non_local_cases import LAYERS
from tests.support.non_local_cases import LONGER
from tests.support.non_local_cases import PAIRWISE
from tests.support.non_local_cases import POOLS
from tests.support.non_local_cases import branch_options
from tests.support.non_local_cases import make
from tests.support.non_local_cases import oracle
from tests.support.non_local_cases import random_input
from tests.support.non_local_cases import random_mask
from tests.support.non_local_cases import weights_of

pytestmark = pytest.mark.any_backend

RANKS = (1, 2, 3)
EVERY_RANK = pytest.mark.parametrize("rank", RANKS)
EVERY_PAIRWISE = pytest.mark.parametrize("pairwise", PAIRWISE)
NORMALIZATIONS = ("batch", "affine", None)

# Options of NonLocal3D on clips of 4 frames, one idea each.
OPTIONS_3D = [
    {"scale": 1.0},
    {"scale": 0.3, "pairwise": "gaussian"},
    {"intermediate_dim": 3},
    {"intermediate_dim": 5, "pairwise": "concatenation"},
    {"use_bias": False},
    {"output_bias": False},
    {"normalization": None},
    {"normalization": "affine"},
    {"epsilon": 0.5},
    {"pool_size": 2},
    {"pool_size": (3, 2, 5)},
    {"pool_size": (2, 1, 1), "pool_first": True},
    {"attend_axes": "spacetime"},
    {"attend_axes": "space"},
    {"attend_axes": "space", "pool_size": (1, 2, 2)},
    {"attend_axes": "space", "pool_size": (1, 3, 2), "pool_first": True},
    {"attend_axes": "time"},
    {"attend_axes": "time", "pool_size": (2, 1, 1)},
    {"attend_axes": "time", "frame_groups": 2},
    {"attend_axes": (0, 2)},
    {"attend_axes": [2, 0], "pairwise": "dot_product"},
    {"attend_axes": (1,), "pairwise": "concatenation"},
    {"frame_groups": 2},
    {"frame_groups": 4, "pool_size": (1, 2, 2), "pool_first": True},
    {"frame_groups": 2, "pool_size": 2, "pairwise": "dot_product"},
    {"frame_groups": 2, "attend_axes": (0, 1), "pool_size": (2, 2, 1)},
]


def name_of(options):
    return "-".join(f"{k}={v}" for k, v in options.items())


def check_against_oracle(layer, x, mask=None, atol=2e-5):
    z, scores = layer(x, mask=mask, return_attention_scores=True)
    want, want_scores = oracle(layer, x, mask)
    if len(scores.shape) == 3:  # one set of positions: no axis for sets
        want_scores = want_scores[:, 0]
    np.testing.assert_allclose(numpy(scores), want_scores, atol=atol / 2)
    np.testing.assert_allclose(numpy(z), want, atol=atol, rtol=1e-5)
    for implementation in arguments.IMPLEMENTATIONS:
        layer.implementation = implementation
        got = numpy(layer(x, mask=mask))
        np.testing.assert_allclose(got, want, atol=atol, rtol=1e-5)


@EVERY_RANK
@EVERY_PAIRWISE
def test_matches_numpy(rank, pairwise):
    x = random_input(rank)
    check_against_oracle(make(rank, x, pairwise=pairwise), x)


@EVERY_RANK
@EVERY_PAIRWISE
@pytest.mark.parametrize("pool_first", [False, True])
def test_matches_numpy_with_pooling(rank, pairwise, pool_first):
    x = random_input(rank)
    options = {"pool_size": POOLS[rank], "pool_first": pool_first}
    check_against_oracle(make(rank, x, pairwise=pairwise, **options), x)


@pytest.mark.parametrize("options", OPTIONS_3D, ids=name_of)
def test_matches_numpy_in_three_dimensions(options):
    x = random_input(LONGER)
    check_against_oracle(make(3, x, **options), x)


@EVERY_RANK
@EVERY_PAIRWISE
def test_matches_numpy_with_mask(rank, pairwise):
    x = random_input(rank)
    mask = random_mask(x)
    check_against_oracle(make(rank, x, pairwise=pairwise), x, mask)


@EVERY_RANK
@EVERY_PAIRWISE
@pytest.mark.parametrize("pool_first", [False, True])
def test_matches_numpy_with_mask_and_pooling(rank, pairwise, pool_first):
    x = random_input(rank)
    options = {"pool_size": 2, "pool_first": pool_first}
    layer = make(rank, x, pairwise=pairwise, **options)
    check_against_oracle(layer, x, random_mask(x))


@slow_on_jax
@pytest.mark.parametrize("options", OPTIONS_3D, ids=name_of)
def test_matches_numpy_with_mask_in_three_dimensions(options):
    x = random_input(LONGER)
    check_against_oracle(make(3, x, **options), x, random_mask(x))


@pytest.mark.parametrize(
    "options",
    [
        {"attend_axes": (0,)},
        {"attend_axes": (1,)},
        {"attend_axes": (1,), "pool_size": (1, 2)},
        {"attend_axes": (0,), "frame_groups": 2, "pool_size": (3, 1)},
    ],
    ids=name_of,
)
def test_matches_numpy_along_one_axis_of_images(options):
    x = random_input(2)
    check_against_oracle(make(2, x, **options), x, random_mask(x))


@slow_on_jax
@pytest.mark.parametrize("options", [{}, {"pool_size": 2}], ids=name_of)
@EVERY_PAIRWISE
def test_frame_groups_split_rows_of_images(pairwise, options):
    x = random_input(2)
    options = {**options, "pairwise": pairwise, "frame_groups": 3}
    check_against_oracle(make(2, x, **options), x, random_mask(x))


@float64_only
@EVERY_PAIRWISE
def test_matches_numpy_to_the_last_digits_in_float64(pairwise):
    x = random_input(3).astype("float64")
    layer = make(3, x, pairwise=pairwise, pool_size=2, dtype="float64")
    check_against_oracle(layer, x, random_mask(x), atol=1e-12)


def test_pooling_before_or_after_the_projections_differs():
    x = random_input(2)
    after, before = (
        numpy(make(2, x, pool_size=2, pool_first=first)(x))
        for first in (False, True)
    )
    assert abs(after - before).max() > 1e-2


# === A new block is the identity ===


@EVERY_RANK
@EVERY_PAIRWISE
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_identity_at_init(rank, pairwise, normalization):
    x = random_input(rank)
    layer = LAYERS[rank](pairwise=pairwise, normalization=normalization)
    np.testing.assert_array_equal(numpy(layer(x)), x)
    np.testing.assert_array_equal(numpy(layer(x, training=True)), x)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_identity_at_init_under_a_mask(normalization):
    x = random_input(3)
    layer = NonLocal3D(normalization=normalization, pool_size=2)
    z = layer(x, mask=random_mask(x), training=True)
    np.testing.assert_array_equal(numpy(z), x)


def test_new_kernels_are_drawn_one_by_one():
    layer = NonLocal2D(pairwise="concatenation")
    layer.build((None, None, None, 64))
    theta, phi, g, w_z = (
        numpy(part.kernel)
        for part in (layer.theta, layer.phi, layer.g, layer.w_z)
    )
    assert abs(theta - phi).max() > 0.1 and abs(phi - g).max() > 0.1
    # He: variance 2 / fan-in, for w_f of both halves together.
    assert theta.std() == pytest.approx((2 / 64) ** 0.5, rel=0.1)
    assert w_z.std() == pytest.approx((2 / 32) ** 0.5, rel=0.1)
    assert numpy(layer.w_f).std() == pytest.approx((2 / 64) ** 0.5, rel=0.4)


def test_half_of_the_channels_inside_and_at_least_one():
    for channels, width in ((8, 4), (7, 3), (1, 1)):
        layer = NonLocal1D()
        layer.build((None, None, channels))
        assert layer.g.kernel.shape == (channels, width)
        assert layer.theta.kernel.shape == (channels, width)


def test_gaussian_has_no_theta_and_no_phi():
    layer = NonLocal1D(pairwise="gaussian", normalization=None)
    layer.build((None, None, 4))
    assert [w.path.split("/", 1)[1] for w in layer.weights] == [
        "g/kernel",
        "g/bias",
        "w_z/kernel",
        "w_z/bias",
    ]


def test_options_of_the_weights_reach_every_projection():
    layer = NonLocal1D(
        pairwise="concatenation",
        kernel_initializer=keras.initializers.Constant(0.5),
        bias_initializer=keras.initializers.Constant(0.25),
        kernel_regularizer=keras.regularizers.L1(1.0),
        bias_regularizer=keras.regularizers.L1(10.0),
        kernel_constraint=keras.constraints.MaxNorm(3.0),
        bias_constraint=keras.constraints.MaxNorm(4.0),
    )
    layer.build((None, None, 4))
    kinds = {"kernel": (0.5, 3.0), "w_f": (0.5, 3.0), "bias": (0.25, 4.0)}
    for weight in layer.weights:
        if weight.name in kinds:
            value, norm = kinds[weight.name]
            assert (numpy(weight) == value).all(), weight.path
            assert weight.constraint.max_value == norm, weight.path
    # 4 kernels of 4 x 2 and w_f of 4; biases of 3 x 2 and 4.
    assert numpy(sum(layer.losses)) == 0.5 * (4 * 8 + 4) + 2.5 * (3 * 2 + 4)


# === Scores ===


@pytest.mark.parametrize(
    "options, shape",
    [
        ({}, (2, 96, 96)),
        ({"pool_size": (1, 2, 2)}, (2, 96, 24)),
        ({"pool_size": (3, 2, 5)}, (2, 96, 2)),
        ({"attend_axes": "space"}, (2, 4, 24, 24)),
        ({"attend_axes": "time"}, (2, 24, 4, 4)),
        ({"frame_groups": 2}, (2, 2, 48, 48)),
        ({"frame_groups": 2, "attend_axes": "time"}, (2, 48, 2, 2)),
        ({"frame_groups": 2, "pool_size": 2}, (2, 2, 48, 6)),
    ],
    ids=str,
)
def test_scores_have_the_shape_of_queries_and_keys(options, shape):
    x = random_input(LONGER)
    layer = NonLocal3D(**options)
    spec = layer.compute_output_spec(
        keras.KerasTensor(x.shape), return_attention_scores=True
    )
    z, scores = layer(x, return_attention_scores=True)
    assert z.shape == x.shape == spec[0].shape
    assert scores.shape == shape == spec[1].shape


@pytest.mark.parametrize("pairwise", ["gaussian", "embedded_gaussian"])
def test_softmax_scores_sum_to_one(pairwise):
    x = random_input(3)
    layer = make(3, x, pairwise=pairwise, pool_size=2)
    mask = random_mask(x)
    mask[0] = False
    _, scores = layer(x, mask=mask, return_attention_scores=True)
    sums = numpy(scores).sum(axis=-1)
    np.testing.assert_allclose(sums[1], 1.0, atol=1e-6)
    np.testing.assert_array_equal(sums[0], 0.0)


# === Batch normalization ===


@EVERY_RANK
@pytest.mark.parametrize("masked", [False, True])
def test_training_uses_and_keeps_batch_statistics(rank, masked):
    x = random_input(rank)
    mask = random_mask(x) if masked else None
    layer = make(rank, x, momentum=0.8)
    before = weights_of(layer)
    z = numpy(layer(x, mask=mask, training=True))
    wy, _ = reference.branch(x, before, **branch_options(layer, None, mask))
    mean, variance = reference.batch_statistics(wy, mask)
    branch = reference.normalize(
        wy, before, "batch", layer.epsilon, (mean, variance)
    )
    np.testing.assert_allclose(z, x + branch, atol=1e-4)
    for name, value in (("mean", mean), ("variance", variance)):
        np.testing.assert_allclose(
            weights_of(layer)[f"bn/moving_{name}"],
            0.8 * before[f"bn/moving_{name}"] + 0.2 * value,
            atol=1e-5,
        )


def test_inference_keeps_the_statistics():
    x = random_input(2)
    layer = make(2, x)
    before = weights_of(layer)
    layer(x)
    layer(x, training=False)
    layer.trainable = False
    layer(x, training=True)
    for name, value in weights_of(layer).items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize("normalization", ["affine", None])
def test_training_changes_nothing_without_batch_norm(normalization):
    x = random_input(2)
    layer = make(2, x, normalization=normalization)
    np.testing.assert_array_equal(
        numpy(layer(x, training=True)), numpy(layer(x))
    )


@pytest.mark.skipif(
    BACKEND != "tensorflow", reason="Keras synchronizes on TensorFlow only"
)
def test_synchronized_on_one_replica_equals_batch_norm():
    x = random_input(2)
    plain, synchronized = (
        make(2, x, synchronized=flag) for flag in (False, True)
    )
    np.testing.assert_allclose(
        numpy(synchronized(x, training=True)),
        numpy(plain(x, training=True)),
        atol=1e-5,
    )
    assert synchronized.norm.synchronized

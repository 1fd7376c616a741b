"""The global context block: against mmcv's, its identity, its errors."""

import keras
import numpy as np
import pytest

from nonlocal_keras import GlobalContext2D
from tests.support import paths
from tests.support.backends import BACKEND
from tests.support.backends import numpy
from tests.support.backends import slow_on_jax

pytestmark = pytest.mark.any_backend

PARTS = {"0": "reduce", "1": "norm", "3": "expand"}


def load():
    """Gives the arrays of every case of the file."""
    found = {}
    with np.load(paths.GOLDEN / "mmcv_context_block.npz") as file:
        for key in file:
            # att/channel_add/x, .../w/channel_add_conv.0.weight
            *case, name = key.split("/")
            case = "/".join(case[:2])
            found.setdefault(case, {})[name] = file[key]
    return found


def layer_of(case, **options):
    pooling, fusions = case.split("/")
    words = {"channel_add": "add", "channel_mul": "multiply"}
    return GlobalContext2D(
        ratio=4,
        pooling="attention" if pooling == "att" else "average",
        fusions=[words[fusion] for fusion in fusions.split("+")],
        **options,
    )


def assign(layer, key, value):
    """Puts one tensor, such as `channel_add_conv.0.weight`, into its place."""
    part, *place, name = key.split(".")
    if part == "conv_mask":
        target = layer.attention
    else:
        fusion = {"channel_add_conv": "add", "channel_mul_conv": "multiply"}
        target = getattr(layer, f"{fusion[part]}_{PARTS[place[0]]}")
    if place == ["1"]:
        value = value.reshape(-1)
        weight = target.gamma if name == "weight" else target.beta
    elif name == "weight":
        value, weight = value[:, :, 0, 0].T, target.kernel
    else:
        weight = target.bias
    weight.assign(value)


CASES = load()


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("case", CASES)
def test_it_computes_what_mmcv_does(case, data_format):
    arrays = CASES[case]
    layer = layer_of(case, data_format=data_format)
    x, y = arrays["x"], arrays["y"]
    if data_format == "channels_first":
        x, y = (np.moveaxis(a, -1, 1) for a in (x, y))
    layer.build(x.shape)
    tensors = {k: v for k, v in arrays.items() if k not in "xy"}
    assert len(tensors) == len(layer.weights)
    for key, value in tensors.items():
        assign(layer, key, value)
    np.testing.assert_allclose(numpy(layer(x)), y, rtol=1e-5, atol=2e-5)


def image(scale=1.0):
    x = np.random.default_rng(0).normal(size=(2, 6, 8, 32)) * scale
    return x.astype("float32")


@pytest.mark.parametrize("pooling", ["attention", "average"])
def test_a_new_block_that_adds_is_the_identity(pooling):
    layer = GlobalContext2D(pooling=pooling)
    np.testing.assert_array_equal(numpy(layer(image())), image())


def test_a_new_block_that_multiplies_halves():
    layer = GlobalContext2D(fusions="multiply")
    np.testing.assert_array_equal(numpy(layer(image())), image() / 2)


def test_the_bottleneck_has_at_least_one_channel():
    layer = GlobalContext2D(ratio=64)
    layer.build((None, None, None, 32))
    assert tuple(layer.add_reduce.kernel.shape) == (32, 1)


@slow_on_jax
@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_stays_near_full_precision(dtype):
    layer = GlobalContext2D(ratio=2)
    layer.build((None, None, None, 32))
    half = GlobalContext2D(ratio=2, dtype=dtype)
    half.build((None, None, None, 32))
    rng = np.random.default_rng(1)
    for one, other in zip(layer.weights, half.weights):
        value = 0.3 * rng.normal(size=one.shape)
        one.assign(value)
        other.assign(value)
    # Large features: their products leave float16 where they are summed in it.
    found, expected = numpy(half(image(100.0))), numpy(layer(image(100.0)))
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()


@pytest.mark.skipif(BACKEND == "jax", reason="compiles for each size")
def test_any_size_after_the_model_is_built():
    inputs = keras.Input((None, None, 32))
    model = keras.Model(inputs, GlobalContext2D()(inputs))
    assert model.output_shape == (None, None, None, 32)
    for size in ((4, 6), (7, 3)):
        x = np.ones((1, *size, 32), "float32")
        np.testing.assert_array_equal(model.predict(x, verbose=0), x)


@pytest.mark.parametrize(
    "options, shape, message",
    [
        ({"ratio": 0}, None, "`ratio` must be a positive integer"),
        ({"pooling": "max"}, None, "`pooling` must be one of 'attention'"),
        ({"fusions": ()}, None, "`fusions` must hold 'add', 'multiply'"),
        ({"fusions": ("add", "add")}, None, "Received: fusions=('add', 'add')"),
        ({}, (2, 8, 16), "must have 4 axes, (batch, height, width, channels)"),
        ({}, (2, 0, 3, 16), "has an empty axis"),
        (
            {"data_format": "channels_first"},
            (2, None, 3, 16),
            "channels of `inputs` of GlobalContext2D must be known",
        ),
    ],
)
def test_wrong_arguments_and_inputs_are_named(options, shape, message):
    with pytest.raises(ValueError) as error:
        GlobalContext2D(**options).build(shape)
    assert message in str(error.value)

"""Convolution and pooling of clips, in 3D and through 2D operations."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from nonlocal_keras.layers import VideoConv3D
from nonlocal_keras.layers import VideoMaxPool3D
from tests.support.backends import BACKEND
from tests.support.backends import compile_call
from tests.support.backends import numpy
from tests.support.backends import slow_on_jax

pytestmark = pytest.mark.any_backend

# JAX compiles every new shape.
EXAMPLES = settings(
    max_examples=20 if BACKEND == "tensorflow" else 5,
    deadline=None,
    derandomize=True,
    database=None,
)
EVERY_IMPLEMENTATION = pytest.mark.parametrize("implementation", ["2d", "3d"])
KERNELS = [(1, 3, 3), (3, 1, 1), (1, 1, 1), (3, 3, 3), (5, 7, 7)]
STRIDES = [(1, 1, 1), (1, 2, 2), (2, 1, 1), (2, 2, 2), (3, 2, 1)]
SIZES = [(2, 6, 8), (5, 7, 9)]  # even and odd
POOLS = [  # size, strides, padding: those of the published models, and others
    ((3, 3, 3), (2, 2, 2), (1, 1, 1)),
    ((3, 1, 1), (2, 1, 1), (1, 0, 0)),
    ((2, 3, 3), (2, 2, 2), (0, 0, 0)),
    ((1, 3, 3), (2, 2, 2), (0, 1, 1)),
    ((2, 1, 1), (2, 1, 1), (0, 0, 0)),
    ((1, 3, 3), (1, 2, 2), (0, 1, 1)),
    ((1, 2, 2), (1, 2, 2), (0, 0, 0)),
    ((2, 2, 2), (1, 1, 1), (1, 1, 1)),
    ((1, 1, 1), (2, 2, 2), (0, 0, 0)),
]


def clip(sizes, channels=4, seed=0):
    x = np.random.default_rng(seed).normal(size=(2, *sizes, channels))
    return x.astype("float32")


def windows(x, size, strides, padding, value):
    """Every window of the padded clip: `(B, T', H', W', kt, kh, kw, C)`."""
    widths = [(0, 0), *((p, p) for p in padding), (0, 0)]
    x = np.pad(x.astype("float64"), widths, constant_values=value)
    steps = [
        range(0, n - k + 1, s) for n, k, s in zip(x.shape[1:4], size, strides)
    ]
    out = np.empty((len(x), *map(len, steps), *size, x.shape[-1]))
    for place in np.ndindex(*out.shape[1:4]):
        t, h, w = (step[p] for step, p in zip(steps, place))
        kt, kh, kw = size
        window = x[:, t : t + kt, h : h + kh, w : w + kw]
        out[(slice(None), *place)] = window
    return out


def convolve(x, kernel, strides):
    size = kernel.shape[:3]
    half = tuple(k // 2 for k in size)
    return np.tensordot(windows(x, size, strides, half, 0.0), kernel, 4)


def pool(x, size, strides, padding):
    return windows(x, size, strides, padding, -np.inf).max(axis=(4, 5, 6))


def conv_layer(kernel, strides, implementation, **options):
    keras.utils.set_random_seed(0)
    layer = VideoConv3D(
        3, kernel, strides, implementation=implementation, **options
    )
    layer.build((None, None, None, None, 4))
    return layer


# === Values ===


@EVERY_IMPLEMENTATION
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_conv_pads_symmetrically(kernel, sizes, implementation):
    x = clip(sizes)
    for strides in STRIDES:
        layer = conv_layer(kernel, strides, implementation, use_bias=False)
        want = convolve(x, numpy(layer.kernel), strides)
        y = layer(x)
        assert y.shape == want.shape == layer.compute_output_shape(x.shape)
        np.testing.assert_allclose(numpy(y), want, atol=1e-5)


@EVERY_IMPLEMENTATION
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("size, strides, padding", POOLS, ids=str)
def test_pool_pads_symmetrically(size, strides, padding, sizes, implementation):
    x = clip(sizes)
    layer = VideoMaxPool3D(size, strides, padding, implementation)
    want = pool(x, size, strides, padding)
    y = layer(x)
    assert y.shape == want.shape == layer.compute_output_shape(x.shape)
    np.testing.assert_array_equal(numpy(y), want.astype("float32"))


@EVERY_IMPLEMENTATION
def test_padding_never_wins_over_negative_inputs(implementation):
    x = -1.0 - np.abs(clip((2, 6, 8)))
    layer = VideoMaxPool3D((1, 3, 3), (1, 2, 2), (0, 1, 1), implementation)
    y = numpy(layer(x))
    assert np.isfinite(y).all() and (y <= -1.0).all()


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("kernel", [(1, 3, 3), (3, 3, 5)], ids=str)
def test_a_dilated_kernel_is_one_with_zeros_between(kernel, sizes):
    x, dilation = clip(sizes), (1, 2, 3)
    layer = conv_layer(kernel, 1, "2d", use_bias=False, dilation_rate=dilation)
    wide = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    zeros = np.zeros((*wide, 4, 3), "float32")
    zeros[:, ::2, ::3] = numpy(layer.kernel)
    want = convolve(x, zeros, (1, 1, 1))
    y = layer(x)
    assert y.shape == want.shape == layer.compute_output_shape(x.shape)
    np.testing.assert_allclose(numpy(y), want, atol=1e-5)


def test_same_padding_of_keras_is_another_grid():
    """Why the layer exists: with a stride, `same` shifts the windows."""
    x = clip((2, 6, 8))
    ours = conv_layer((1, 3, 3), (1, 2, 2), "auto", use_bias=False)
    keras_same = keras.layers.Conv3D(
        3, (1, 3, 3), strides=(1, 2, 2), padding="same", use_bias=False
    )
    keras_same.build(x.shape)
    keras_same.set_weights(ours.get_weights())
    y = numpy(keras_same(x))
    assert y.shape == ours(x).shape
    assert abs(y - numpy(ours(x))).max() > 1e-2


@EXAMPLES
@given(
    kernel=st.tuples(*[st.sampled_from([1, 3, 5])] * 3),
    strides=st.tuples(*[st.integers(1, 3)] * 3),
    sizes=st.tuples(*[st.integers(1, 7)] * 3),
)
def test_conv_through_2d_equals_3d(kernel, strides, sizes):
    x = clip(sizes)
    flat, taps, full = (
        numpy(conv_layer(kernel, strides, implementation)(x))
        for implementation in ("2d", "taps", "3d")
    )
    np.testing.assert_allclose(flat, full, atol=1e-5)
    np.testing.assert_allclose(taps, full, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_products_per_tap_over_frames_equal_3d(frames):
    taps, full = (
        numpy(conv_layer((5, 1, 1), 1, implementation)(clip((frames, 2, 3))))
        for implementation in ("taps", "3d")
    )
    np.testing.assert_allclose(taps, full, atol=1e-5)


@EXAMPLES
@given(
    size=st.tuples(*[st.integers(1, 3)] * 3),
    strides=st.tuples(*[st.integers(1, 3)] * 3),
    sizes=st.tuples(*[st.integers(3, 7)] * 3),
)
def test_pool_through_2d_equals_3d(size, strides, sizes):
    x = clip(sizes)
    padding = tuple(k // 2 for k in size)
    flat, full = (
        numpy(VideoMaxPool3D(size, strides, padding, implementation)(x))
        for implementation in ("2d", "3d")
    )
    np.testing.assert_array_equal(flat, full)


@EVERY_IMPLEMENTATION
def test_conv_adds_bias_and_activation(implementation):
    x = clip((2, 6, 8))
    layer = conv_layer((3, 3, 3), 1, implementation, activation="relu")
    layer.bias.assign([0.5, -0.5, 0.0])
    want = convolve(x, numpy(layer.kernel), (1, 1, 1)) + numpy(layer.bias)
    y = numpy(layer(x))
    np.testing.assert_allclose(y, np.maximum(want, 0.0), atol=1e-5)


@EVERY_IMPLEMENTATION
def test_kernel_is_stored_as_of_conv3d(implementation):
    layer = conv_layer((3, 5, 7), 1, implementation)
    assert layer.kernel.shape == (3, 5, 7, 4, 3)


# === Unknown sizes and compilers ===


@slow_on_jax
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("implementation", ["2d", "taps", "3d"])
@pytest.mark.parametrize("kernel", KERNELS, ids=str)
def test_conv_of_unknown_sizes(kernel, implementation, strides):
    layer = conv_layer(kernel, strides, implementation)
    inputs = keras.Input((None, None, None, 4))
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, None, None, None, 3)
    x = clip((5, 6, 8))
    y = model.predict(x, verbose=0)
    np.testing.assert_allclose(y, numpy(layer(x)), atol=1e-5)


@EVERY_IMPLEMENTATION
@pytest.mark.parametrize("size, strides, padding", POOLS[:4], ids=str)
def test_pool_of_unknown_sizes(size, strides, padding, implementation):
    layer = VideoMaxPool3D(size, strides, padding, implementation)
    inputs = keras.Input((None, None, None, 4))
    model = keras.Model(inputs, layer(inputs))
    assert model.output_shape == (None, None, None, None, 4)
    x = clip((5, 6, 8))
    np.testing.assert_array_equal(model.predict(x, verbose=0), numpy(layer(x)))


@EVERY_IMPLEMENTATION
def test_compiled_equals_eager(implementation):
    conv = conv_layer((3, 3, 3), (2, 2, 2), implementation)
    layer = VideoMaxPool3D((3, 3, 3), (2, 2, 2), (1, 1, 1), implementation)
    x = clip((5, 7, 9))
    y = compile_call(lambda x: layer(conv(x)))(keras.ops.convert_to_tensor(x))
    np.testing.assert_allclose(numpy(y), numpy(layer(conv(x))), atol=1e-5)


def test_auto_folds_where_it_is_faster():
    """One operation less tells them apart: 3D pooling has its own name."""
    if BACKEND != "tensorflow":
        pytest.skip("looks at the graph of TensorFlow")
    x = keras.ops.convert_to_tensor(clip((2, 6, 8)))
    kinds = {}
    for implementation in ("auto", "2d", "3d"):
        pooling = VideoMaxPool3D((2, 2, 2), None, (0, 0, 0), implementation)
        graph = compile_call(pooling, xla=False).get_concrete_function(x).graph
        kinds[implementation] = {op.type for op in graph.get_operations()}
    assert kinds["auto"] == kinds["2d"]
    assert "MaxPool3D" in kinds["3d"] and "MaxPool3D" not in kinds["2d"]


def test_auto_convolves_in_3d_what_extends_in_time_and_space():
    if BACKEND != "tensorflow":
        pytest.skip("looks at the graph of TensorFlow")
    x = keras.ops.convert_to_tensor(clip((5, 7, 9)))
    for kernel, kind in (
        ((5, 7, 7), "Conv3D"),
        ((3, 1, 1), "Conv2D"),
        ((1, 3, 3), "Conv2D"),
        ((1, 1, 1), "Conv2D"),
    ):
        layer = conv_layer(kernel, 1, "auto")
        graph = compile_call(layer, xla=False).get_concrete_function(x).graph
        operations = graph.get_operations()
        kinds = {op.type for op in operations}
        assert kinds & {"Conv2D", "Conv3D"} == {kind}
        # A slice of every position is a copy of the whole map.
        slices = [op for op in operations if op.type == "StridedSlice"]
        assert not [op for op in slices if op.inputs[0].shape[0] == len(x)]


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_half_precision_pool_and_conv(policy):
    x = clip((2, 6, 8))
    pooling = VideoMaxPool3D((1, 3, 3), (1, 2, 2), (0, 1, 1), dtype=policy)
    conv = conv_layer((3, 3, 3), 1, "auto", dtype=policy)
    y = pooling(conv(x))
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"
    assert np.isfinite(numpy(y)).all()


# === Errors ===


def check_error(function, *words):
    with pytest.raises(ValueError) as error:
        function()
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: VideoConv3D(4, 3, implementation="1d"),
        lambda: VideoMaxPool3D((1, 2, 2), implementation="1d"),
    ],
    ids=["conv", "pool"],
)
def test_unknown_implementation_names_the_choices(make):
    check_error(
        make,
        "`implementation` must be one of 'auto', '2d', '3d'",
        "Received: implementation='1d'",
    )


def test_even_kernel_has_no_symmetric_padding():
    check_error(
        lambda: VideoConv3D(4, (1, 2, 2)),
        "`kernel_size` must be odd, so that the padding is symmetric",
        "Received: kernel_size=(1, 2, 2)",
    )


@pytest.mark.parametrize("options", [{"groups": 2}, {"dilation_rate": 2}])
def test_groups_and_dilation_in_time_are_left_to_keras(options):
    check_error(
        lambda: VideoConv3D(4, 3, **options),
        "`groups` and the `dilation_rate` in time must be 1",
        "use keras.layers.Conv3D",
    )


def test_padding_of_more_than_half_a_window():
    check_error(
        lambda: VideoMaxPool3D((1, 3, 3), padding=(0, 2, 1)),
        "`padding` must be at most half of `pool_size`",
        "padding=(0, 2, 1), pool_size=(1, 3, 3)",
    )


def test_clip_smaller_than_the_window():
    check_error(
        lambda: VideoMaxPool3D((2, 3, 3))(keras.Input((1, 2, 2, 4))),
        "are smaller than its window",
        "Use more frames or larger frames, or smaller strides before it",
        "Received: inputs.shape=(None, 1, 2, 2, 4)",
    )

"""The temporal shift: its values, and its place in the residual blocks."""

import keras
import numpy as np
import pytest

from nonlocal_keras.layers import TemporalShift
from nonlocal_keras.models import VideoResNet
from nonlocal_keras.models import video_resnet
from tests.support.backends import compile_call
from tests.support.backends import numpy
from tests.support.backends import run
from tests.support.backends import tensorflow_only
from tests.support.random_weights import randomize

pytestmark = pytest.mark.any_backend

SMALL = {
    "input_shape": (4, 32, 32, 3),
    "stage_blocks": (1, 1, 2, 1),
    "stem_width": 4,
}


def clip(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def shifted(x, shift_div):
    """The published shift, frame by frame, on channels-last arrays."""
    part, frames = x.shape[-1] // shift_div, x.shape[1]
    y = x.copy()
    for t in range(frames):
        later = x[:, t + 1] if t + 1 < frames else 0 * x[:, t]
        earlier = x[:, t - 1] if t > 0 else 0 * x[:, t]
        y[:, t, ..., :part] = later[..., :part]
        y[:, t, ..., part : 2 * part] = earlier[..., part : 2 * part]
    return y


# === Values ===


@pytest.mark.parametrize("frames", [1, 2, 8])
@pytest.mark.parametrize(
    "channels, shift_div", [(16, 8), (8, 8), (13, 4), (6, 2), (7, 3)]
)
def test_channels_move_by_one_frame(frames, channels, shift_div):
    x = clip(2, frames, 3, 4, channels)
    y = TemporalShift(shift_div)(x)
    np.testing.assert_array_equal(numpy(y), shifted(x, shift_div))


def test_example_of_the_docstring():
    x = np.reshape(np.arange(1.0, 13.0, dtype="float32"), (1, 3, 1, 1, 4))
    y = numpy(TemporalShift(shift_div=4)(x))[0, :, 0, 0]
    assert y.tolist() == [[5, 0, 3, 4], [9, 2, 7, 8], [0, 6, 11, 12]]


def test_unknown_sizes():
    inputs = keras.Input((None, None, None, 8))
    model = keras.Model(inputs, TemporalShift(4)(inputs))
    assert model.output_shape == (None, None, None, None, 8)
    for frames in (1, 5):
        x = clip(2, frames, 3, 4, 8)
        y = model.predict(x, verbose=0)
        np.testing.assert_array_equal(y, shifted(x, 4))


def test_compiled_equals_eager():
    x = clip(2, 5, 3, 4, 8)
    y = compile_call(TemporalShift(4))(keras.ops.convert_to_tensor(x))
    np.testing.assert_array_equal(numpy(y), shifted(x, 4))


@tensorflow_only
def test_builtin_operators_of_litert_are_enough():
    import tensorflow as tf

    layer = TemporalShift(4)
    function = tf.function(layer).get_concrete_function(
        tf.TensorSpec((1, 4, 3, 4, 8))
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    assert converter.convert()  # an error where an operator is missing


# === In the network ===


def test_shift_stands_on_the_residual_branch_alone():
    backbone = VideoResNet(shift_div=4, **SMALL)
    for block in ("res2_0", "res3_0", "res4_0", "res4_1", "res5_0"):
        shift = backbone.get_layer(f"{block}_shift")
        assert shift.shift_div == 4
        conv = backbone.get_layer(f"{block}_branch2a")
        assert conv.input is shift.output
        if not block.endswith("_1"):
            shortcut = backbone.get_layer(f"{block}_branch1")
            assert shortcut.input is shift.input
    # Of the second block of res4 the shortcut is the input itself.
    inputs = backbone.get_layer("res4_1_sum").input
    assert any(x is backbone.get_layer("res4_1_shift").input for x in inputs)


def test_shift_is_a_convolution_over_three_frames():
    """A 3x1x1 kernel with a tap per direction does what the shift does."""
    shift = randomize(VideoResNet(shift_div=4, **SMALL))
    kernels = {"res2": (3,), "res3": (3,), "res4": (3, 3), "res5": (3,)}
    inflated = VideoResNet(temporal_kernels=kernels, **SMALL)
    for layer in inflated.layers:
        weights = shift.get_layer(layer.name).get_weights()
        if layer.name.endswith("branch2a"):
            (kernel,) = weights
            part = kernel.shape[3] // 4
            taps = np.zeros((3, *kernel.shape[1:]), "float32")
            taps[2, ..., :part, :] = kernel[0, ..., :part, :]
            taps[0, ..., part : 2 * part, :] = kernel[
                0, ..., part : 2 * part, :
            ]
            taps[1, ..., 2 * part :, :] = kernel[0, ..., 2 * part :, :]
            weights = [taps]
        layer.set_weights(weights)
    x = clip(2, *SMALL["input_shape"])
    np.testing.assert_allclose(
        run(shift, x), run(inflated, x), rtol=1e-4, atol=1e-5
    )


def test_shift_has_no_weights():
    plain, shift = VideoResNet(**SMALL), VideoResNet(shift_div=4, **SMALL)
    assert shift.count_params() == plain.count_params()


@pytest.mark.parametrize("family", ["mmaction2_tsm", "tsm"])
def test_published_families_shift_an_eighth(family):
    backbone = video_resnet(
        "c2d", 14, {"res4": (0,)}, family=family, stem_width=8
    )
    shifts = [x for x in backbone.layers if isinstance(x, TemporalShift)]
    assert [shift.shift_div for shift in shifts] == [8] * 4
    assert backbone.describe() == (
        "NL-C2D ResNet-14 with temporal shift: 1 non-local block at res4[0]"
    )
    # No pooling in time: every frame is one of eight segments.
    assert [s.shape[1] for s in backbone.stages.values()] == [8] * 4
    block = backbone.get_layer("nonlocal_res4_0")
    assert (block.scale, block.pool_size) == (1.0, (1, 2, 2))
    assert block.output_bias == (family == "tsm")


def test_keras_file_gives_the_same_shift(tmp_path):
    backbone = randomize(VideoResNet(shift_div=4, **SMALL))
    x = clip(2, *SMALL["input_shape"])
    backbone.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_config()["shift_div"] == 4
    np.testing.assert_array_equal(run(loaded, x), run(backbone, x))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "bfloat16"])
def test_half_precision(policy):
    y = TemporalShift(4, dtype=policy)(clip(2, 5, 3, 4, 8))
    assert keras.backend.standardize_dtype(y.dtype) == "bfloat16"


# === Errors ===


@pytest.mark.parametrize("value", [0, -8, 2.0, True, "8"])
@pytest.mark.parametrize(
    "make",
    [TemporalShift, lambda value: VideoResNet(shift_div=value, **SMALL)],
    ids=["layer", "backbone"],
)
def test_shift_div_must_be_a_positive_integer(make, value):
    with pytest.raises(ValueError) as error:
        make(value)
    assert "`shift_div` must be a positive integer" in str(error.value)
    assert f"Received: shift_div={value!r}" in str(error.value)


def test_shift_div_of_one_is_refused():
    with pytest.raises(ValueError, match="`shift_div` must be at least 2"):
        TemporalShift(1)


def test_too_few_channels_to_move_one():
    with pytest.raises(ValueError, match="or no channel would move") as error:
        VideoResNet(shift_div=8, **SMALL)
    assert "Received: shift_div=8, 4 channels" in str(error.value)


@pytest.mark.parametrize("shape", [(4, 4, 8), (4, 4, 4, None)])
def test_input_that_is_no_clip(shape):
    with pytest.raises(ValueError, match="must be clips") as error:
        TemporalShift(4)(keras.Input(shape))
    assert f"inputs.shape={(None, *shape)}" in str(error.value)

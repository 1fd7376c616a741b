"""What the layers say to bad input: argument, rule, value and way out."""

import keras
import numpy as np
import pytest

from nonlocal_keras import NonLocal1D
from nonlocal_keras import NonLocal2D
from nonlocal_keras import NonLocal3D
from tests.support.backends import tensorflow_only

pytestmark = pytest.mark.any_backend


def zeros(*shape):
    return np.zeros(shape, "float32")


def assert_says(error, *words):
    for word in words:
        assert word in str(error.value)


def check_arguments(options, *words, layer=NonLocal3D):
    with pytest.raises(ValueError) as error:
        layer(**options)
    assert_says(error, *words)


def check_input(layer, x, *words):
    with pytest.raises(ValueError) as error:
        layer(x)
    assert_says(error, *words)


# === Arguments ===


def test_unknown_pairwise_names_the_choices():
    check_arguments(
        {"pairwise": "gausian"},
        "`pairwise` must be one of 'gaussian', 'embedded_gaussian', "
        "'dot_product', 'concatenation'",
        "Received: pairwise='gausian'",
    )


def test_unknown_implementation_names_the_choices():
    check_arguments(
        {"implementation": "flash"},
        "`implementation` must be one of 'auto', 'matrix', 'streamed'",
        "Received: implementation='flash'",
    )


@pytest.mark.parametrize("value", [0, -1, 2.5, "4", True])
def test_intermediate_dim_must_be_a_positive_integer(value):
    check_arguments(
        {"intermediate_dim": value},
        "`intermediate_dim` must be a positive integer",
        f"Received: intermediate_dim={value!r}",
    )


def test_scale_must_be_a_number():
    check_arguments(
        {"scale": "big"},
        "`scale` must be a number, or None for intermediate_dim ** -0.5",
        "Received: scale='big'",
    )


@pytest.mark.parametrize("pairwise", ["dot_product", "concatenation"])
def test_scale_without_a_softmax_would_change_nothing(pairwise):
    check_arguments(
        {"pairwise": pairwise, "scale": 0.5},
        "`scale` multiplies the logits of a softmax",
        f"{pairwise!r} has none",
        "Leave scale=None, or choose one of ('gaussian', 'embedded_gaussian')",
        "Received: scale=0.5",
    )


@pytest.mark.parametrize("pairwise", ["dot_product", "concatenation"])
def test_scale_of_one_goes_with_every_form(pairwise):
    """One option for all blocks of a model, whatever their form."""
    assert NonLocal3D(pairwise=pairwise, scale=1).scale == 1.0


@pytest.mark.parametrize(
    "layer, value, example",
    [
        (NonLocal1D, (2, 2), "NonLocal1D needs 1, e.g. pool_size=(2,)"),
        (NonLocal2D, (2,), "NonLocal2D needs 2, e.g. pool_size=(2, 2)"),
        (NonLocal3D, (2, 2), "NonLocal3D needs 3, e.g. pool_size=(1, 2, 2)"),
    ],
)
def test_pool_size_of_another_rank(layer, value, example):
    check_arguments(
        {"pool_size": value},
        f"`pool_size` has {len(value)} entries but {example}",
        f"Received: pool_size={value}",
        layer=layer,
    )


@pytest.mark.parametrize("value", [(1, 2, 0), (1, 2, 2.0), (1, -2, 2)])
def test_pool_size_must_hold_positive_integers(value):
    check_arguments(
        {"pool_size": value},
        "`pool_size` must hold positive integers, e.g. (1, 2, 2)",
        f"Received: pool_size={value}",
    )


@pytest.mark.parametrize("value", [1.5, True])
def test_pool_size_must_be_an_integer_or_a_tuple(value):
    check_arguments(
        {"pool_size": value},
        "`pool_size` must be an integer or a tuple of 3 integers",
        f"Received: pool_size={value}",
    )


@pytest.mark.parametrize("value", ["tim", (), (0, 0), (3,), (-1,), 1, 2.5])
def test_attend_axes_names_the_choices(value):
    check_arguments(
        {"attend_axes": value},
        "`attend_axes` of NonLocal3D must be None (all positions), 'time', "
        "'space', 'spacetime' or a tuple of different axes out of (0, 1, 2)",
        f"Received: attend_axes={value!r}",
    )


@pytest.mark.parametrize("layer", [NonLocal1D, NonLocal2D])
def test_time_and_space_are_axes_of_clips_only(layer):
    check_arguments(
        {"attend_axes": "space"},
        f"`attend_axes` of {layer.__name__} must be None (all positions), a ",
        "Received: attend_axes='space'",
        layer=layer,
    )


@pytest.mark.parametrize("value", [0, 1.5, True, None])
def test_frame_groups_must_be_a_positive_integer(value):
    check_arguments(
        {"frame_groups": value},
        "`frame_groups` must be a positive integer",
        f"Received: frame_groups={value}",
    )


def test_frame_groups_without_attention_over_frames_would_change_nothing():
    check_arguments(
        {"frame_groups": 2, "attend_axes": "space"},
        "`frame_groups` splits the first axis",
        "would change nothing",
        "Leave frame_groups=1",
        "Received: frame_groups=2",
    )


def test_pool_size_along_an_axis_that_does_not_attend():
    check_arguments(
        {"pool_size": 2, "attend_axes": "space"},
        "`pool_size` must be 1 along the axes over which `attend_axes` does "
        "not attend, here axis 0",
        "Received: pool_size=(2, 2, 2)",
    )


@pytest.mark.parametrize("value", ["layer", False, "bn"])
def test_unknown_normalization_names_the_choices(value):
    check_arguments(
        {"normalization": value},
        "`normalization` must be one of 'batch', 'affine', None",
        f"Received: normalization={value!r}",
    )


def test_unknown_data_format_names_the_choices():
    check_arguments(
        {"data_format": "NCHW"},
        "`data_format` must be one of 'channels_last', 'channels_first'",
        "Received: data_format='NCHW'",
    )


def test_unknown_argument_is_not_swallowed():
    check_arguments({"sub_sample": True}, "NonLocal3D", "sub_sample")


# === Inputs ===


@pytest.mark.parametrize(
    "layer, shape, words",
    [
        (NonLocal3D, (2, 6, 8, 4), "(batch, frames, height, width, channels)"),
        (NonLocal2D, (2, 2, 6, 8, 4), "(batch, height, width, channels)"),
        (NonLocal1D, (2, 6, 8, 4), "(batch, steps, channels)"),
    ],
)
def test_wrong_rank_names_the_right_layer(layer, shape, words):
    check_input(
        layer(),
        zeros(*shape),
        f"`inputs` of {layer.__name__} must have {layer.rank + 2} axes, "
        f"{words}; for {len(shape)} axes use NonLocal{len(shape) - 2}D or "
        f"reshape. Received: inputs.shape={shape}",
    )


@pytest.mark.parametrize("shape", [(2, 4), (1, 1, 1, 1, 1, 4)])
def test_rank_without_a_layer_says_reshape(shape):
    check_input(NonLocal1D(), zeros(*shape), f"{len(shape)} axes reshape.")


def test_wrong_rank_is_seen_in_symbolic_inputs():
    check_input(NonLocal3D(), keras.Input((6, 8, 4)), "must have 5 axes")


def test_unknown_channels():
    check_input(
        NonLocal2D(),
        keras.Input((6, 8, None)),
        "The channels of `inputs` of NonLocal2D must be known",
        "batch and positions may be None",
        "Received: inputs.shape=(None, 6, 8, None)",
    )


@pytest.mark.parametrize("shape", [(2, 0, 6, 8, 4), (2, 2, 6, 0, 4)])
def test_empty_axis(shape):
    check_input(
        NonLocal3D(),
        zeros(*shape),
        "`inputs` of NonLocal3D has an empty axis",
        "drop such samples before the layer",
        f"Received: inputs.shape={shape}",
    )


def test_empty_time_axis_after_building_for_any_length():
    layer = NonLocal3D()
    layer.build((None, None, 6, 8, 4))
    check_input(layer, zeros(2, 0, 6, 8, 4), "has an empty axis")


def test_empty_batch_is_no_error():
    assert NonLocal3D(pool_size=2)(zeros(0, 2, 6, 8, 4)).shape[0] == 0


def test_frame_groups_that_do_not_divide():
    check_input(
        NonLocal3D(frame_groups=3),
        zeros(2, 4, 6, 8, 4),
        "`frame_groups` must divide the 4 entries of the first axis",
        "Choose a divisor, or pad or cut the input",
        "Received: frame_groups=3",
    )


@pytest.mark.parametrize(
    "options, axis, size",
    [
        ({"pool_size": (1, 7, 2)}, 1, 6),
        ({"pool_size": (1, 2, 9)}, 2, 8),
        ({"pool_size": (3, 1, 1), "frame_groups": 2}, 0, 2),
    ],
)
def test_pool_larger_than_the_map(options, axis, size):
    check_input(
        NonLocal3D(**options),
        zeros(2, 4, 6, 8, 4),
        f"`pool_size` must not exceed the map: along axis {axis} the map has "
        f"{size} positions",
        "Choose a smaller pool, or None",
        f"Received: pool_size={options['pool_size']}",
    )


def test_inputs_with_other_channels_than_built_for():
    layer = NonLocal1D()
    layer.build((None, None, 4))
    check_input(layer, zeros(2, 3, 5), "expected axis -1", "to have value 4")


# === Masks ===


def check_mask(layer, x, mask, *words, **call):
    with pytest.raises(ValueError) as error:
        layer(x, mask=mask, **call)
    assert_says(error, *words)


@pytest.mark.parametrize("shape", [(2,), (2, 6, 8, 4)])
def test_mask_with_other_axes(shape):
    check_mask(
        NonLocal2D(),
        zeros(2, 6, 8, 4),
        np.ones(shape, bool),
        "`mask` must have the axes of the batch and of positions",
        "at most 3",
        f"Received: mask.shape={shape}",
    )


@pytest.mark.parametrize("shape", [(2, 5), (3, 6), (2, 6, 7)])
def test_mask_of_another_size(shape):
    check_mask(
        NonLocal2D(),
        zeros(2, 6, 8, 4),
        np.ones(shape, bool),
        "`mask` must agree with the batch and positions of `inputs`, (2, 6, 8)",
        f"Received: mask.shape={shape}",
    )


@tensorflow_only
def test_synchronized_statistics_cannot_leave_out_positions():
    check_mask(
        NonLocal1D(synchronized=True),
        zeros(2, 3, 4),
        np.ones((2, 3), bool),
        "`synchronized` statistics cannot leave out the positions that `mask`",
        "Train with synchronized=False, or without a mask",
        training=True,
    )

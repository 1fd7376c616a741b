"""What the video models say to settings that are wrong or change nothing."""

import pytest

from nonlocal_keras.models import VideoClassifier
from nonlocal_keras.models import VideoResNet
from nonlocal_keras.models import from_name
from nonlocal_keras.models import video_resnet

pytestmark = pytest.mark.any_backend

SMALL = {
    "input_shape": (4, 32, 32, 3),
    "stage_blocks": (1, 1, 2, 1),
    "stem_width": 2,
    "kernel_initializer": "zeros",
}


def check_error(options, *words, build=VideoResNet):
    with pytest.raises(ValueError) as error:
        build(**{**SMALL, **options})
    for word in words:
        assert word in str(error.value)


# === Placement ===


def test_number_of_blocks_is_for_published_names_only():
    check_error(
        {"non_local": 5},
        "`non_local` must be None or a dictionary of stage to block indices",
        'e.g. {"res3": (1, 3), "res4": (1, 3, 5)}',
        "Received: non_local=5",
    )


@pytest.mark.parametrize("depth, number", [(50, 3), (101, 0), (14, 5)])
def test_number_of_blocks_that_the_paper_does_not_place(depth, number):
    check_error(
        {"non_local": number, "depth": depth},
        "`non_local` must be 1, 5 or 10 for ResNet-50 and ResNet-101",
        'otherwise name the places, e.g. non_local={"res4": (0,)}',
        f"Received: non_local={number}, depth={depth}",
        build=video_resnet,
    )


@pytest.mark.parametrize("value", [True, "res4"])
def test_placement_that_is_no_dictionary(value):
    check_error(
        {"non_local": value},
        "`non_local` must be None or a dictionary",
        f"Received: non_local={value!r}",
        build=video_resnet,
    )


def test_unknown_stage():
    check_error(
        {"non_local": {"res6": (0,)}},
        "`non_local` names a stage that is none of "
        "('res2', 'res3', 'res4', 'res5')",
        "Received: 'res6'",
    )


@pytest.mark.parametrize("indices", [(2,), (-1,), (0, 5)])
def test_block_that_the_stage_does_not_have(indices):
    check_error(
        {"non_local": {"res4": indices}},
        "`non_local` must name blocks 0 to 1 of res4, which has 2",
        f"Received: 'res4': {indices}",
    )


def test_block_named_twice():
    check_error(
        {"non_local": {"res4": (1, 1)}},
        "`non_local` names a block twice",
        "Received: 'res4': (1, 1)",
    )


def test_one_index_without_a_tuple():
    check_error(
        {"non_local": {"res4": 0}},
        "`non_local` must hold a tuple of block indices per stage, "
        "e.g. {'res4': (0,)}",
        "Received: 'res4': 0",
    )


@pytest.mark.parametrize("value", [{}, {"res4": ()}])
def test_placement_without_a_block_would_change_nothing(value):
    check_error(
        {"non_local": value},
        "`non_local` names no block, so that it would change nothing",
        "Use None for a model without non-local blocks",
        f"Received: non_local={value}",
    )


def test_options_without_blocks_would_change_nothing():
    check_error(
        {"non_local_options": {"pairwise": "gaussian"}},
        "`non_local_options` without `non_local` would change nothing",
        "Received: non_local_options={'pairwise': 'gaussian'}",
    )


@pytest.mark.parametrize("build", [VideoResNet, video_resnet])
def test_options_for_a_stage_without_blocks(build):
    check_error(
        {
            "non_local": {"res4": (0,)},
            "non_local_options": {"res3": {"frame_groups": 2}},
        },
        "`non_local_options` has options for a stage without non-local blocks",
        "Received: 'res3'",
        build=build,
    )


def test_options_of_the_layer_are_checked():
    check_error(
        {"non_local": {"res4": (0,)}, "non_local_options": {"pool_size": 9}},
        "`pool_size` must not exceed the map",
        "Received: pool_size=(9, 9, 9)",
    )


def test_unknown_option_of_the_layer():
    check_error(
        {"non_local": {"res4": (0,)}, "non_local_options": {"poolsize": 2}},
        "poolsize",
    )


# === The backbone ===


def test_unknown_argument():
    with pytest.raises(TypeError, match="colour"):
        VideoResNet(**SMALL, colour=1)
    with pytest.raises(TypeError, match="colour"):
        VideoClassifier(VideoResNet(**SMALL), 2, colour=1)


@pytest.mark.parametrize(
    "name, choices",
    [
        ("architecture", "['c2d', 'i3d', 'i3d_3x3x3']"),
        ("depth", "[14, 50, 101]"),
        ("family", "'vnl_128x1'"),
    ],
)
def test_unknown_name_of_a_published_model(name, choices):
    check_error(
        {name: "other"},
        f"`{name}` must be one of ",
        choices,
        f"Received: {name}='other'",
        build=video_resnet,
    )


@pytest.mark.parametrize("name", ["r50", "nl_c2d_r18", "C2D", "nl10_c2d_tiny"])
def test_unknown_name(name):
    check_error(
        {"name": name},
        "`name` must be of the form [nl_|nl1_|nl10_]{c2d|i3d|i3d_3x3x3}_"
        "{tiny|r50|r101}, e.g. 'nl_i3d_r50'",
        f"Received: name={name!r}",
        build=from_name,
    )


def test_unknown_inflation_names_the_choices():
    check_error(
        {"inflate": "3x3"},
        "`inflate` must be one of '3x1x1', '3x3x3'. Received: inflate='3x3'",
    )


def test_inflation_without_temporal_kernels_would_change_nothing():
    check_error(
        {"inflate": "3x3x3", "temporal_kernels": {"res4": (1, 1)}},
        '`inflate="3x3x3"` without `temporal_kernels` would change nothing',
        "Received: temporal_kernels={'res4': (1, 1)}",
    )


def test_temporal_kernels_of_an_unknown_stage():
    check_error(
        {"temporal_kernels": {"res1": (3,)}},
        "`temporal_kernels` must name stages out of",
        "Received: 'res1'",
    )


def test_temporal_kernels_for_another_number_of_blocks():
    check_error(
        {"temporal_kernels": {"res4": (3, 1, 3)}},
        "`temporal_kernels` must hold one integer per block of res4, 2",
        "Received: (3, 1, 3)",
    )


def test_unknown_normalization_names_the_choices():
    check_error(
        {"normalization": "layer"},
        "`normalization` must be one of 'batch', 'affine'",
        "Received: normalization='layer'",
    )


@pytest.mark.parametrize("value", [0, 1.5, None])
def test_stem_width_must_be_a_positive_integer(value):
    check_error(
        {"stem_width": value},
        "`stem_width` must be a positive integer",
        f"Received: stem_width={value}",
    )


@pytest.mark.parametrize("value", [(1, 1, 1), (1, 1, 1, 1, 1)])
def test_stage_blocks_for_another_number_of_stages(value):
    check_error(
        {"stage_blocks": value},
        "`stage_blocks` must hold one integer for each of "
        "('res2', 'res3', 'res4', 'res5')",
        f"Received: stage_blocks={value}",
    )


def test_stage_without_a_block():
    check_error(
        {"stage_blocks": (1, 0, 1, 1)},
        "`stage_blocks` must be a positive integer. Received: stage_blocks=0",
    )


@pytest.mark.parametrize("value", [(224, 224, 3), (8, 64, 64, None)])
def test_input_shape_of_a_clip(value):
    check_error(
        {"input_shape": value},
        "`input_shape` must be (frames, height, width, channels), of which "
        "all but the channels may be None",
        f"Received: input_shape={value}",
    )


def test_clip_too_small_for_the_stem():
    check_error(
        {"family": "vnl_8x8", "input_shape": (1, 32, 32, 3), "depth": 14},
        "'pool2' are smaller than its window",
        "Use more frames or larger frames",
        build=video_resnet,
    )


# === The classifier ===


@pytest.mark.parametrize(
    "options, words",
    [
        (
            {"num_classes": 0},
            "`num_classes` must be a positive integer. Received: num_classes=0",
        ),
        (
            {"dropout": 1.0},
            "`dropout` must be at least 0 and below 1. Received: dropout=1.0",
        ),
        ({"pool_size": (1, 9, 9)}, "pool"),
        ({"activation": "softmix"}, "softmix"),
    ],
)
def test_classifier_checks_its_arguments(options, words):
    backbone = VideoResNet(**SMALL)
    with pytest.raises(ValueError) as error:
        VideoClassifier(backbone, **{"num_classes": 3, **options})
    assert words in str(error.value)


def test_a_dilated_stage_has_no_stride():
    check_error(
        {"stage_dilations": (1, 1, 2, 1)},
        "`stage_dilations` must be 1 for a stage with a stride",
        "Set the stride of res4 to 1",
        "Received: stage_dilations=(1, 1, 2, 1), stage_strides=(1, 2, 2, 2)",
    )

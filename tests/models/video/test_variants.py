"""The published variants: their shapes, stems, inflation and placements."""

import pytest

from nonlocal_keras.models import from_name
from nonlocal_keras.models import video_resnet
from nonlocal_keras.models.video import variants
from tests.support.marks import mostly_slow

pytestmark = pytest.mark.any_backend

NARROW = {"stem_width": 2, "kernel_initializer": "zeros"}


def layer_names(model, start=""):
    return [
        layer.name for layer in model.layers if layer.name.startswith(start)
    ]


# === Shapes: section 2.2 of the release, frames x pixels after each layer ===

LAYERS = ("conv1", "pool1", "res2", "pool2", "res3", "res4", "res5")


@pytest.mark.parametrize(
    "family, frames, size, expected",
    [
        ("vnl_32x2", 32, 224, "16x112 8x55 8x55 4x55 4x28 4x14 4x7"),
        ("vnl_32x2", 32, 256, "16x128 8x63 8x63 4x63 4x32 4x16 4x8"),
        ("vnl_8x8", 8, 224, "8x112 8x55 8x55 4x55 4x28 4x14 4x7"),
        ("vnl_8x8", 8, 256, "8x128 8x63 8x63 4x63 4x32 4x16 4x8"),
        ("vnl_128x1", 128, 224, "64x112 32x55 32x55 16x55 16x28 16x14 16x7"),
        ("vnl_128x1", 128, 256, "64x128 32x63 32x63 16x63 16x32 16x16 16x8"),
        ("vnl_32x4", 32, 224, "32x112 32x55 32x55 16x55 16x28 16x14 16x7"),
        ("vnl_32x4", 32, 256, "32x128 32x63 32x63 16x63 16x32 16x16 16x8"),
        # Table 1 of the paper.
        ("paper", 32, 224, "16x112 8x56 8x56 4x56 4x28 4x14 4x7"),
        # Section 2.4: padded first pooling.
        ("pyslowfast", 8, 224, "8x112 8x56 8x56 4x56 4x28 4x14 4x7"),
        ("mmaction2", 32, 224, "16x112 8x56 8x56 4x56 4x28 4x14 4x7"),
        ("gluoncv", 32, 224, "16x112 8x56 8x56 4x56 4x28 4x14 4x7"),
    ],
)
def test_feature_sizes_of_the_families(family, frames, size, expected):
    backbone = video_resnet(
        depth=14,
        family=family,
        **NARROW | {"input_shape": (frames, size, size, 3)},
    )
    shapes = [backbone.get_layer(name).output.shape for name in LAYERS]
    assert " ".join(f"{t}x{h}" for _, t, h, _, _ in shapes) == expected
    assert all(h == w for _, _, h, w, _ in shapes)


STEMS = {  # strides of conv1; size, strides and padding of the poolings
    "paper": (
        (2, 2, 2),
        ((3, 3, 3), (2, 2, 2), (1, 1, 1)),
        ((3, 1, 1), (2, 1, 1), (1, 0, 0)),
    ),
    "vnl_32x2": (
        (2, 2, 2),
        ((2, 3, 3), (2, 2, 2), (0, 0, 0)),
        ((2, 1, 1), (2, 1, 1), (0, 0, 0)),
    ),
    "vnl_128x1": (
        (2, 2, 2),
        ((2, 3, 3), (2, 2, 2), (0, 0, 0)),
        ((2, 1, 1), (2, 1, 1), (0, 0, 0)),
    ),
    "vnl_8x8": (
        (1, 2, 2),
        ((1, 3, 3), (1, 2, 2), (0, 0, 0)),
        ((2, 1, 1), (2, 1, 1), (0, 0, 0)),
    ),
    "vnl_32x4": (
        (1, 2, 2),
        ((1, 3, 3), (1, 2, 2), (0, 0, 0)),
        ((2, 1, 1), (2, 1, 1), (0, 0, 0)),
    ),
    "pyslowfast": (
        (1, 2, 2),
        ((1, 3, 3), (1, 2, 2), (0, 1, 1)),
        ((2, 1, 1), (2, 1, 1), (0, 0, 0)),
    ),
    "mmaction2": (
        (2, 2, 2),
        ((1, 3, 3), (2, 2, 2), (0, 1, 1)),
        ((2, 1, 1), (2, 1, 1), (0, 0, 0)),
    ),
    "gluoncv": (
        (2, 2, 2),
        ((1, 3, 3), (2, 2, 2), (0, 1, 1)),
        ((2, 1, 1), (2, 1, 1), (0, 0, 0)),
    ),
}


@pytest.mark.parametrize("family", STEMS)
@pytest.mark.parametrize("architecture, time", [("c2d", 1), ("i3d", 5)])
def test_stems_of_the_families(family, architecture, time):
    strides, *pools = STEMS[family]
    backbone = video_resnet(architecture, 14, family=family, **NARROW)
    conv1 = backbone.get_layer("conv1")
    assert conv1.kernel_size == (time, 7, 7)
    assert conv1.strides == strides
    for name, (size, strides, padding) in zip(("pool1", "pool2"), pools):
        pool = backbone.get_layer(name)
        assert pool.pool_size == size
        assert pool.strides == strides
        assert pool.padding == padding


@pytest.mark.parametrize(
    "family, expected",
    [
        ("paper", {"scale": 1.0, "pool_first": False}),
        ("vnl_32x2", {"scale": None, "pool_first": True}),
        ("pyslowfast", {"scale": None, "pool_first": True}),
        ("mmaction2", {"scale": 1.0, "output_bias": False}),
        ("gluoncv", {"scale": None, "pool_size": None}),
        ("vnl_32x4", {"normalization": None, "pool_first": True}),
    ],
)
def test_blocks_of_the_families(family, expected):
    shape = (32, 64, 64, 3)
    places = {"res3": (0,), "res4": (0,)}
    backbone = video_resnet(
        "c2d", 14, places, family=family, input_shape=shape, **NARROW
    )
    pool = {"pool_size": (1, 2, 2), "output_bias": True}
    for stage in places:
        block = backbone.get_layer(f"nonlocal_{stage}_0")
        for name, value in {**pool, **expected}.items():
            assert getattr(block, name) == value, name
        assert block.momentum == 0.9 and block.epsilon == 1e-5


@pytest.mark.parametrize("family", ["vnl_128x1", "vnl_32x4"])
def test_long_clips_see_groups_of_four_frames_in_res3(family):
    backbone = video_resnet("i3d", 50, 5, family=family, **NARROW)
    for index in (1, 3):
        block = backbone.get_layer(f"nonlocal_res3_{index}")
        assert block.input.shape[1] // block.frame_groups == 4
    assert backbone.get_layer("nonlocal_res4_1").frame_groups == 1
    kinds = {type(layer).__name__ for layer in backbone.layers}
    assert "FrozenAffine" in kinds and "BatchNormalization" not in kinds


# === Inflation ===


@pytest.mark.parametrize(
    "depth, res4",
    [(50, (3, 1) * 3), (101, (3, 1) * 11 + (3,))],
)
def test_inflated_blocks_of_i3d(depth, res4):
    kernels = variants.temporal_kernels(variants.STAGE_BLOCKS[depth])
    assert kernels == {
        "res2": (3, 3, 3),
        "res3": (3, 1, 3, 1),
        "res4": res4,
        "res5": (1, 3, 1),
    }


def test_inflated_blocks_have_the_kernels_in_time():
    backbone = video_resnet("i3d", 50, **NARROW)
    for stage, kernels in variants.temporal_kernels((3, 4, 6, 3)).items():
        for index, kernel in enumerate(kernels):
            conv = backbone.get_layer(f"{stage}_{index}_branch2a")
            assert conv.kernel_size == (kernel, 1, 1)


@pytest.mark.parametrize(
    "architecture, kernels",
    [
        ("c2d", ((1, 1, 1), (1, 3, 3))),
        ("i3d", ((3, 1, 1), (1, 3, 3))),
        ("i3d_3x3x3", ((1, 1, 1), (3, 3, 3))),
    ],
)
def test_kernel_that_is_inflated(architecture, kernels):
    backbone = video_resnet(architecture, 14, family="tiny", **NARROW)
    got = tuple(
        backbone.get_layer(f"res3_0_branch2{part}").kernel_size for part in "ab"
    )
    assert got == kernels


# === Placement ===

PLACEMENTS = {
    (50, 1): {"res4": (4,)},
    (50, 5): {"res3": (1, 3), "res4": (1, 3, 5)},
    (50, 10): {"res3": (0, 1, 2, 3), "res4": (0, 1, 2, 3, 4, 5)},
    (101, 1): {"res4": (21,)},
    (101, 5): {"res3": (1, 3), "res4": (6, 13, 20)},
    (101, 10): {"res3": (0, 1, 2, 3), "res4": (2, 6, 10, 14, 18, 22)},
}


@mostly_slow(pytest.mark.parametrize("depth, number", list(PLACEMENTS)), 0, 4)
def test_blocks_stand_where_they_were_published(depth, number):
    backbone = video_resnet("c2d", depth, number, **NARROW)
    assert backbone.non_local == PLACEMENTS[depth, number]
    assert layer_names(backbone, "nonlocal") == [
        f"nonlocal_{stage}_{index}"
        for stage, indices in PLACEMENTS[depth, number].items()
        for index in indices
    ]


def test_own_options_go_over_those_of_the_family():
    backbone = video_resnet(
        "c2d",
        14,
        {"res3": (0,), "res4": (0,)},
        {"pool_size": None, "res3": {"scale": 0.5}},
        family="vnl_32x4",
        **NARROW,
    )
    res3, res4 = (
        backbone.get_layer(f"nonlocal_{stage}_0") for stage in ("res3", "res4")
    )
    assert res3.pool_size is None and res3.pool_first
    assert (res3.scale, res4.scale) == (0.5, None)
    assert (res3.frame_groups, res4.frame_groups) == (4, 1)


# === Names ===


@pytest.mark.parametrize(
    "name, description",
    [
        ("c2d_r50", "C2D ResNet-50: no non-local block"),
        ("nl1_c2d_r50", "NL-C2D ResNet-50: 1 non-local block at res4[4]"),
        (
            "nl_i3d_r101",
            "NL-I3D ResNet-101: 5 non-local blocks at res3[1,3] res4[6,13,20]",
        ),
        ("i3d_3x3x3_r50", "I3D-3x3x3 ResNet-50: no non-local block"),
        (
            "nl_c2d_tiny",
            "NL-C2D ResNet-14: 2 non-local blocks at res3[0] res4[0]",
        ),
    ],
)
def test_names_build_what_they_say(name, description):
    backbone = from_name(name, **NARROW)
    assert backbone.describe() == description

"""The video ResNet: its shapes, names, placements and configuration."""

import keras
import numpy as np
import pytest

from nonlocal_keras.models import VideoResNet
from nonlocal_keras.models import from_name
from nonlocal_keras.models import video_resnet
from nonlocal_keras.models.video import variants
from tests.support import layer_contract
from tests.support.backends import numpy
from tests.support.backends import run
from tests.support.random_weights import randomize

pytestmark = pytest.mark.any_backend

STAGES = ("res2", "res3", "res4", "res5")
NARROW = {"stem_width": 2, "kernel_initializer": "zeros"}
SMALL = {**NARROW, "stage_blocks": (1, 2, 2, 1), "input_shape": (4, 32, 32, 3)}
UNKNOWN = (None, None, None, 3)


def small(**options):
    return VideoResNet(**{**SMALL, **options})


def clip(*shape):
    shape = shape or (2, 4, 32, 32, 3)
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def layer_names(model, start=""):
    return [
        layer.name for layer in model.layers if layer.name.startswith(start)
    ]


def layers_between(model, first, last):
    names = layer_names(model)
    return names[names.index(first) + 1 : names.index(last)]


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
    "paper": (222, (333, 222, 111), (311, 211, 100)),
    "vnl_32x2": (222, (233, 222, 000), (211, 211, 000)),
    "vnl_128x1": (222, (233, 222, 000), (211, 211, 000)),
    "vnl_8x8": (122, (133, 122, 000), (211, 211, 000)),
    "vnl_32x4": (122, (133, 122, 000), (211, 211, 000)),
    "pyslowfast": (122, (133, 122, 11), (211, 211, 000)),
    "mmaction2": (222, (133, 222, 11), (211, 211, 000)),
    "gluoncv": (222, (133, 222, 11), (211, 211, 000)),
}


def digits(number):
    return tuple(map(int, f"{number:03d}"))


@pytest.mark.parametrize("family", STEMS)
@pytest.mark.parametrize("architecture, time", [("c2d", 1), ("i3d", 5)])
def test_stems_of_the_families(family, architecture, time):
    strides, *pools = STEMS[family]
    backbone = video_resnet(architecture, 14, family=family, **NARROW)
    conv1 = backbone.get_layer("conv1")
    assert conv1.kernel_size == (time, 7, 7)
    assert conv1.strides == digits(strides)
    for name, (size, strides, padding) in zip(("pool1", "pool2"), pools):
        pool = backbone.get_layer(name)
        assert pool.pool_size == digits(size)
        assert pool.strides == digits(strides)
        assert pool.padding == digits(padding)


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


def test_widths_double_from_stage_to_stage():
    backbone = small(stem_width=4)
    assert [s.shape[-1] for s in backbone.stages.values()] == [16, 32, 64, 128]
    assert backbone.get_layer("res4_0_branch2b").filters == 16


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


@pytest.mark.parametrize("depth, number", PLACEMENTS)
def test_blocks_stand_where_they_were_published(depth, number):
    backbone = video_resnet("c2d", depth, number, **NARROW)
    assert backbone.non_local == PLACEMENTS[depth, number]
    assert layer_names(backbone, "nonlocal") == [
        f"nonlocal_{stage}_{index}"
        for stage, indices in PLACEMENTS[depth, number].items()
        for index in indices
    ]


def test_block_stands_after_the_relu_of_its_residual_block():
    backbone = small(non_local={"res4": (0, 1)})
    first = layers_between(backbone, "res4_0_sum", "res4_1_branch2a")
    assert first == ["res4_0_relu", "nonlocal_res4_0"]
    assert layers_between(backbone, "res4_1_relu", "res4") == [
        "nonlocal_res4_1"
    ]
    block = backbone.get_layer("nonlocal_res4_0")
    assert block.input is backbone.get_layer("res4_0_relu").output
    # The shortcut of the next block starts after the non-local block, too.
    inputs = backbone.get_layer("res4_1_sum").input
    assert any(tensor is block.output for tensor in inputs)


@pytest.mark.parametrize("stage", STAGES)
def test_any_stage_takes_blocks(stage):
    backbone = small(non_local={stage: (0,)})
    assert layer_names(backbone, "nonlocal") == [f"nonlocal_{stage}_0"]


def test_order_of_a_placement_does_not_matter():
    backbone = small(non_local={"res4": [1, 0], "res3": (1,)})
    assert backbone.non_local == {"res3": (1,), "res4": (0, 1)}
    assert list(backbone.non_local) == ["res3", "res4"]


def test_options_for_all_blocks_and_for_one_stage():
    backbone = small(
        non_local={"res3": (0,), "res4": (0,)},
        non_local_options={
            "pairwise": "dot_product",
            "intermediate_dim": 3,
            "res4": {"pairwise": "gaussian", "pool_size": (1, 2, 1)},
        },
    )
    res3, res4 = (
        backbone.get_layer(f"nonlocal_{stage}_0") for stage in ("res3", "res4")
    )
    assert (res3.pairwise, res4.pairwise) == ("dot_product", "gaussian")
    assert res3.intermediate_dim == res4.intermediate_dim == 3
    assert (res3.pool_size, res4.pool_size) == (None, (1, 2, 1))


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


def test_new_blocks_leave_the_features_as_they_are():
    plain = randomize(small())
    blocks = small(non_local={"res3": (0,), "res4": (1,)})
    for layer in plain.layers:
        blocks.get_layer(layer.name).set_weights(layer.get_weights())
    np.testing.assert_array_equal(run(blocks, clip()), run(plain, clip()))


# === What was built ===


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


def test_building_logs_what_was_built(caplog):
    with caplog.at_level("INFO", logger="absl"):
        small(non_local={"res4": (1,)})
    assert "NL-C2D ResNet-20: 1 non-local block at res4[1]" in caplog.text


# === Features ===


def test_stages_are_outputs_by_name():
    backbone = randomize(small(non_local={"res3": (1,)}))
    assert tuple(backbone.stages) == STAGES
    for stage, tensor in backbone.stages.items():
        assert backbone.get_layer(stage).output is tensor
    assert backbone.stages["res5"] is backbone.output
    extractor = keras.Model(backbone.input, backbone.stages)
    features = run(extractor, clip())
    shapes = {stage: y.shape[1:] for stage, y in features.items()}
    assert shapes == {s: t.shape[1:] for s, t in backbone.stages.items()}
    np.testing.assert_array_equal(features["res5"], run(backbone, clip()))


def test_unknown_frames_and_size():
    options = {"non_local": {"res4": (0,)}, "pool1": None}
    model = randomize(small(input_shape=UNKNOWN, **options))
    assert model.output_shape == (None, None, None, None, 64)
    x = clip(2, 7, 45, 38, 3)
    fixed = small(input_shape=x.shape[1:], **options)
    fixed.set_weights(model.get_weights())
    np.testing.assert_allclose(
        run(model, x), run(fixed, x), rtol=1e-5, atol=1e-5
    )


def test_affine_has_no_batch_statistics_and_frozen_scales():
    backbone = small(normalization="affine")
    assert not any("moving" in w.name for w in backbone.weights)
    assert {w.name for w in backbone.trainable_weights} == {"kernel"}
    y = run(randomize(backbone), clip())
    assert np.isfinite(y).all() and y.any()


@pytest.mark.parametrize("zero, gamma", [(True, 0.0), (False, 1.0)])
def test_residual_branches_start_at_zero_if_wanted(zero, gamma):
    backbone = small(zero_init_residual=zero)
    for name in ("res2_0_branch2c_bn", "res4_1_branch2c_bn"):
        assert (numpy(backbone.get_layer(name).gamma) == gamma).all()
    assert (numpy(backbone.get_layer("res2_0_branch2a_bn").gamma) == 1.0).all()


def test_implementations_agree():
    flat, full = (
        small(
            implementation=implementation,
            stem_kernel=(5, 7, 7),
            temporal_kernels={"res3": (3, 1), "res5": (3,)},
            inflate="3x3x3",
        )
        for implementation in ("2d", "3d")
    )
    full.set_weights(randomize(flat).get_weights())
    want = run(full, clip())
    np.testing.assert_allclose(run(flat, clip()), want, atol=1e-5, rtol=1e-4)


# === Configuration ===

EVERY_ARGUMENT = {
    "input_shape": (6, 32, None, 3),
    "stage_blocks": (1, 1, 2, 1),
    "stem_width": 4,
    "stem_kernel": (3, 5, 5),
    "stem_strides": (1, 2, 2),
    "pool1": ((1, 3, 3), (1, 2, 2), (0, 1, 1)),
    "pool2": None,
    "stage_strides": (1, 1, 2, 1),
    "stage_dilations": (1, 2, 1, 3),
    "temporal_kernels": {"res4": (3, 1)},
    "inflate": "3x3x3",
    "shift_div": 4,
    "non_local": {"res3": (0,), "res4": (1,)},
    "non_local_options": {"pool_size": (1, 2, 2), "res4": {"scale": 0.5}},
    "normalization": "affine",
    "momentum": 0.8,
    "epsilon": 1e-3,
    "synchronized": True,
    "zero_init_residual": False,
    "kernel_initializer": keras.initializers.Constant(0.1),
    "kernel_regularizer": keras.regularizers.L2(1e-4),
    "implementation": "3d",
    "remat": True,
    "dtype": "mixed_bfloat16",
}


def test_every_parameter_is_in_the_config():
    layer_contract.check_table([EVERY_ARGUMENT], VideoResNet)
    # A batch norm that JAX cannot synchronize would come from the blocks.
    options = {"normalization": None, "kernel_initializer": "zeros"}
    options.update(EVERY_ARGUMENT["non_local_options"])
    arguments = {**EVERY_ARGUMENT, "non_local_options": options}
    backbone = VideoResNet(**arguments)
    config = layer_contract.plain(backbone.get_config())
    for name, value in arguments.items():
        assert config[name] == layer_contract.plain(value), name
    again = VideoResNet.from_config(backbone.get_config())
    assert layer_contract.plain(again.get_config()) == config
    assert layer_names(again) == layer_names(backbone)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_keras_file_gives_the_same_backbone(policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    backbone = randomize(
        small(
            non_local={"res3": (0,), "res4": (1,)},
            non_local_options={"pool_size": (1, 2, 1), "res4": {"scale": 0.5}},
        )
    )
    features = run(backbone, clip())
    backbone.save(tmp_path / "model.keras")
    keras.config.set_dtype_policy("float32")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded) is VideoResNet
    assert loaded.describe() == backbone.describe()
    assert loaded.output.dtype == backbone.output.dtype
    assert list(loaded.stages) == list(STAGES)
    np.testing.assert_array_equal(run(loaded, clip()), features)


def test_channels_first_elsewhere_changes_nothing():
    keras.config.set_image_data_format("channels_first")
    backbone = small(non_local={"res4": (0,)})
    assert backbone.output_shape == (None, 1, 1, 1, 64)

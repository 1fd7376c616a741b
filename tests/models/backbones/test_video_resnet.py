"""The video ResNet: its shapes, names, placements and configuration."""

import keras
import numpy as np
import pytest

from nonlocal_keras.models import VideoResNet
from tests.support import layer_contract
from tests.support.backends import numpy
from tests.support.backends import run
from tests.support.marks import mostly_slow
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


# === Shapes ===


def test_widths_double_from_stage_to_stage():
    backbone = small(stem_width=4)
    assert [s.shape[-1] for s in backbone.stages.values()] == [16, 32, 64, 128]
    assert backbone.get_layer("res4_0_branch2b").filters == 16


# === Placement ===


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


def test_new_blocks_leave_the_features_as_they_are():
    plain = randomize(small())
    blocks = small(non_local={"res3": (0,), "res4": (1,)})
    for layer in plain.layers:
        blocks.get_layer(layer.name).set_weights(layer.get_weights())
    np.testing.assert_array_equal(run(blocks, clip()), run(plain, clip()))


# === What was built ===


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
    "name": "backbone",
    "trainable": False,
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


@mostly_slow(
    pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"]), 1
)
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

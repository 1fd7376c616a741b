"""The ResNet of images: its shapes, names, blocks and configuration."""

import keras
import numpy as np
import pytest

from nonlocal_keras import insert_non_local
from nonlocal_keras.models import ImageResNet
from tests.support.backends import numpy
from tests.support.backends import run
from tests.support.backends import slow_on_jax
from tests.support.random_weights import randomize

SMALL = {
    "stage_blocks": (1, 1, 2, 1),
    "width_per_group": 2,
    "kernel_initializer": "zeros",
}


def small(**options):
    return ImageResNet(**{**SMALL, **options})


def image(height=64, width=96):
    x = np.random.default_rng(0).normal(size=(1, height, width, 3))
    return x.astype("float32")


@slow_on_jax
@pytest.mark.any_backend
def test_stages_halve_the_size_and_round_up():
    stages = small()(image(70, 96))
    shapes = {name: tuple(x.shape[1:]) for name, x in stages.items()}
    assert shapes == {
        "res2": (18, 24, 256),
        "res3": (9, 12, 512),
        "res4": (5, 6, 1024),
        "res5": (3, 3, 2048),
    }


def test_groups_share_the_width_of_the_3x3_convolutions():
    backbone = small(groups=4)
    kernel = backbone.get_layer("res3_0_branch2b").kernel
    assert tuple(kernel.shape) == (3, 3, 4, 16)
    assert backbone.describe() == "ResNeXt-17-4x2d: no non-local block"


@pytest.mark.parametrize("strided, strides", [("3x3", (1, 2)), ("1x1", (2, 1))])
def test_one_convolution_of_a_stage_has_the_stride(strided, strides):
    backbone = small(strided=strided)
    convs = [backbone.get_layer(f"res3_0_branch{n}") for n in ("2a", "2b")]
    assert tuple(conv.strides[0] for conv in convs) == strides


def test_padding_is_symmetric():
    # Mirrored images give mirrored features where all kernels are mirrored,
    # which padding on one side would shift.
    backbone = randomize(small())
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.Conv2D):
            kernel = numpy(layer.kernel)
            layer.kernel.assign((kernel + kernel[:, ::-1]) / 2)
    x = image(65, 97)
    left, right = run(backbone, x), run(backbone, x[:, :, ::-1])
    for stage in left:
        expected = right[stage][:, :, ::-1]
        np.testing.assert_allclose(left[stage], expected, rtol=1e-3, atol=2e-3)


@pytest.mark.any_backend
def test_a_new_non_local_block_changes_nothing():
    plain = randomize(small())
    backbone = small(non_local={"res4": (0,)})
    names = [layer.name for layer in backbone.layers]
    at = names.index("nonlocal_res4_0")
    assert names[at - 1] == "res4_0_relu"
    for layer in plain.layers:
        backbone.get_layer(layer.name).set_weights(layer.get_weights())
    found, expected = run(backbone, image()), run(plain, image())
    for stage in expected:
        np.testing.assert_array_equal(found[stage], expected[stage])


GLOBAL_CONTEXT = {
    "global_context": ("res5", "res4"),
    "global_context_options": {"ratio": 64},
}


@slow_on_jax
@pytest.mark.any_backend
def test_new_global_context_blocks_change_nothing():
    plain = randomize(small())
    backbone = small(**GLOBAL_CONTEXT)
    names = [layer.name for layer in backbone.layers]
    added = [name for name in names if name.startswith("global_context")]
    assert added == [
        f"global_context_{n}" for n in ("res4_0", "res4_1", "res5_0")
    ]
    for name in added:
        block = name.removeprefix("global_context_")
        at = names.index(name)
        assert f"{block}_branch2c_bn" in names[:at]
        assert f"{block}_sum" in names[at:]
    for layer in plain.layers:
        backbone.get_layer(layer.name).set_weights(layer.get_weights())
    found, expected = run(backbone, image()), run(plain, image())
    for stage in expected:
        np.testing.assert_array_equal(found[stage], expected[stage])


def test_global_context_is_described_and_kept():
    backbone = small(**GLOBAL_CONTEXT)
    assert backbone.describe() == (
        "ResNet-17: 3 global context blocks in res4 res5"
    )
    twin = ImageResNet.from_config(backbone.get_config())
    assert twin.get_layer("global_context_res4_1").ratio == 64
    both = small(non_local={"res4": (0,)}, global_context=("res2",))
    assert both.describe() == (
        "ResNet-17: 1 non-local block at res4[0] and 1 global context block "
        "in res2"
    )


def test_blocks_take_their_options():
    options = {"pairwise": "dot_product", "res4": {"pool_size": 2}}
    places = {"res3": (0,), "res4": (1,)}
    backbone = small(non_local=places, non_local_options=options)
    blocks = [backbone.get_layer(f"nonlocal_{n}") for n in ("res3_0", "res4_1")]
    assert [b.pairwise for b in blocks] == ["dot_product"] * 2
    assert [b.pool_size for b in blocks] == [None, (2, 2)]
    assert backbone.non_local == places


def test_frozen_normalizations_stay_frozen():
    backbone = small()
    backbone.trainable = True
    trained = {v.path.split("/")[-1] for v in backbone.trainable_variables}
    assert trained == {"kernel"}
    assert {"gamma", "beta"} <= {
        v.path.split("/")[-1]
        for v in small(normalization="batch").trainable_variables
    }


@pytest.mark.any_backend
def test_frozen_normalizations_keep_their_statistics_in_training():
    backbone = randomize(small())
    before = [v.numpy().copy() for v in backbone.non_trainable_variables[:8]]
    found = backbone(image(), training=True)["res5"]
    expected = backbone(image(), training=False)["res5"]
    np.testing.assert_array_equal(numpy(found), numpy(expected))
    for v, value in zip(backbone.non_trainable_variables, before):
        np.testing.assert_array_equal(v.numpy(), value)


def test_it_is_made_again_from_its_config():
    backbone = small(non_local={"res4": (0,)}, normalization="batch", name="b")
    config = backbone.get_config()
    twin = ImageResNet.from_config(config)
    assert twin.get_config() == config
    assert [w.shape for w in twin.weights] == [
        w.shape for w in backbone.weights
    ]


def test_blocks_are_inserted_afterwards():
    copy = insert_non_local(small(), "res4_0_relu", pool_size=2)
    assert set(copy.output) == {"res2", "res3", "res4", "res5"}


@pytest.mark.parametrize(
    "options, message",
    [
        ({"strided": "2x2"}, "`strided` must be one of '3x3', '1x1'"),
        ({"normalization": "layer"}, "`normalization` must be one of 'frozen'"),
        ({"groups": 0}, "`groups` must be a positive integer"),
        ({"stage_blocks": (1, 2)}, "`stage_blocks` must hold one integer for"),
        ({"input_shape": (4, 4)}, "`input_shape` must be (height, width,"),
        ({"synchronized": True}, "`synchronized` shares batch statistics"),
        ({"non_local": {"res4": (2,)}}, "`non_local` must name blocks 0 to 1"),
        ({"global_context": ("res6",)}, "`global_context` must be None or a"),
        ({"global_context": "res4"}, "`global_context` must be None or a"),
        (
            {"global_context_options": {"ratio": 4}},
            "`global_context_options` without `global_context` would change",
        ),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=r"Received: ") as caught:
        small(**options)
    assert message in str(caught.value)

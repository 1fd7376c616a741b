"""Non-local blocks put into models that someone else has built."""

import functools

import keras
import numpy as np
import pytest
from keras import layers

import nonlocal_keras
from nonlocal_keras import insert_non_local
from tests.support.backends import BACKEND
from tests.support.backends import all_slow_on_jax
from tests.support.backends import numpy
from tests.support.backends import run
from tests.support.backends import tensorflow_only
from tests.support.residual_model import randomized
from tests.support.residual_model import residual_model

pytestmark = [pytest.mark.any_backend, *all_slow_on_jax]


def image(model):
    shape = (2, *model.input_shape[1:])
    return np.random.default_rng(1).normal(size=shape).astype("float32")


def names(model):
    return [layer.name for layer in model.layers]


def test_outputs_are_unchanged():
    model = residual_model()
    copy = insert_non_local(model, ["conv2_block1_out"], pool_size=2)
    x = image(model)
    np.testing.assert_array_equal(numpy(copy(x)), numpy(model(x)))


def test_block_stands_after_the_named_layer():
    copy = insert_non_local(residual_model(), ["conv2_block1_out"])
    order = names(copy)
    place = order.index("conv2_block1_out")
    assert order[place + 1] == "conv2_block1_out_non_local"
    block = copy.get_layer("conv2_block1_out_non_local")
    assert isinstance(block, nonlocal_keras.NonLocal2D)
    # Both ways out of the named layer, shortcut and branch, see the block.
    for user in ("conv2_block2_conv", "conv2_block2_add"):
        inputs = copy.get_layer(user)._inbound_nodes[0].input_tensors
        assert any(tensor is block.output for tensor in inputs)


def test_blocks_after_several_layers_take_the_same_arguments():
    after = ["conv2_block1_out", "conv2_block2_out"]
    copy = insert_non_local(
        residual_model(), after, pairwise="dot_product", intermediate_dim=3
    )
    for name in after:
        block = copy.get_layer(f"{name}_non_local")
        assert block.pairwise == "dot_product"
        assert block.intermediate_dim == 3


def test_one_name_needs_no_list():
    copy = insert_non_local(residual_model(), "conv2_block1_out")
    assert "conv2_block1_out_non_local" in names(copy)


def test_original_is_untouched():
    model = residual_model()
    before = names(model), [numpy(w) for w in model.weights]
    copy = insert_non_local(model, "conv2_block1_out")
    for weight in copy.weights:
        weight.assign(np.zeros(weight.shape))
    assert names(model) == before[0]
    for weight, value in zip(model.weights, before[1]):
        np.testing.assert_array_equal(numpy(weight), value)


def test_names_of_model_inputs_and_layers_stay():
    model = residual_model()
    copy = insert_non_local(model, "conv2_block1_out")
    assert copy.name == model.name
    assert [tensor.name for tensor in copy.inputs] == ["image"]
    kept = [n for n in names(copy) if not n.endswith("_non_local")]
    assert kept == names(model)


def test_frozen_layers_stay_frozen():
    model = residual_model()
    model.get_layer("conv1_conv").trainable = False
    copy = insert_non_local(model, "conv2_block1_out")
    assert not copy.get_layer("conv1_conv").trainable
    assert copy.get_layer("conv2_block1_conv").trainable
    assert copy.get_layer("conv2_block1_out_non_local").trainable


def test_gradient_reaches_the_block():
    model = residual_model()
    copy = insert_non_local(model, "conv2_block1_out", normalization=None)
    block = copy.get_layer("conv2_block1_out_non_local")
    x = image(model)
    kernel = numpy(block.w_z.kernel)
    copy.compile("sgd", "mse")
    copy.train_on_batch(x, np.zeros((2, 5), "float32"))
    assert abs(numpy(block.w_z.kernel) - kernel).max() > 0
    assert abs(numpy(copy(x)) - numpy(model(x))).max() > 0


def test_keras_file_holds_the_block(tmp_path):
    copy = insert_non_local(residual_model(), "conv2_block1_out", pool_size=2)
    randomized(copy)
    copy.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    x = image(copy)
    np.testing.assert_array_equal(numpy(loaded(x)), numpy(copy(x)))
    block = loaded.get_layer("conv2_block1_out_non_local")
    assert block.pool_size == (2, 2)


@pytest.mark.parametrize(
    "shape, conv, block",
    [
        ((12, 3), layers.Conv1D, nonlocal_keras.NonLocal1D),
        ((12, 16, 3), layers.Conv2D, nonlocal_keras.NonLocal2D),
        ((4, 12, 16, 3), layers.Conv3D, nonlocal_keras.NonLocal3D),
    ],
)
def test_rank_of_the_block_is_that_of_the_output(shape, conv, block):
    inputs = keras.Input(shape)
    model = keras.Model(inputs, conv(4, 1, name="map")(inputs))
    copy = insert_non_local(model, "map")
    assert type(copy.get_layer("map_non_local")) is block
    # The last layer of a model, too: the block gives the output.
    assert copy.output is copy.get_layer("map_non_local").output


def test_sequential_model():
    model = keras.Sequential(
        [
            keras.Input((12, 16, 3)),
            layers.Conv2D(4, 3, name="first"),
            layers.Conv2D(2, 3, name="second"),
        ]
    )
    copy = insert_non_local(model, "first")
    assert names(copy)[-3:] == ["first", "first_non_local", "second"]
    x = image(model)
    np.testing.assert_array_equal(numpy(copy(x)), numpy(model(x)))


def test_sequential_model_built_layer_by_layer():
    """Each `add` makes Keras call the layers before it once more."""
    model = keras.Sequential([keras.Input((8, 8, 3))])
    for name in ("first", "second"):
        model.add(layers.Conv2D(2, 1, name=name))
    assert "first_non_local" in names(insert_non_local(model, "first"))


def test_layer_that_another_model_calls_once_more():
    model = residual_model()
    layer = model.get_layer("conv2_block1_out")
    layer(keras.Input(layer.output.shape[1:]))
    copy = insert_non_local(model, "conv2_block1_out")
    assert "conv2_block1_out_non_local" in names(copy)


def test_several_inputs_and_outputs_keep_their_order():
    a, b = keras.Input((8, 8, 3), name="a"), keras.Input((8, 8, 3), name="b")
    conv = layers.Conv2D(4, 3, name="conv")(a)
    model = keras.Model(
        [b, a], {"sum": layers.Add(name="add")([a, b]), "map": conv}
    )
    copy = insert_non_local(model, "conv")
    x = [np.full((1, 8, 8, 3), v, "float32") for v in (1.0, 2.0)]
    got, want = copy(x), model(x)
    assert [t.name for t in copy.inputs] == ["b", "a"]
    assert set(got) == set(want)
    for name in want:
        np.testing.assert_array_equal(numpy(got[name]), numpy(want[name]))


def test_model_used_inside_another_one():
    """Calls of the whole model are no calls of its layers."""
    model = residual_model()
    keras.Model(inputs := keras.Input((12, 16, 3)), model(inputs))
    copy = insert_non_local(model, "conv2_block1_out")
    assert "conv2_block1_out_non_local" in names(copy)


def test_frozen_layers_of_a_nested_model_stay_frozen():
    inner = residual_model("inner")
    inner.get_layer("conv1_conv").trainable = False
    inputs = keras.Input((12, 16, 3))
    x = layers.Conv2D(3, 1, name="before")(inputs)
    model = keras.Model(inputs, inner(x))
    copy = insert_non_local(model, "before")
    nested = copy.get_layer("inner")
    assert nested is not inner
    assert not nested.get_layer("conv1_conv").trainable
    assert nested.get_layer("conv2_block1_conv").trainable
    x = image(model)
    np.testing.assert_allclose(numpy(copy(x)), numpy(model(x)), rtol=1e-6)


@pytest.mark.parametrize(
    "application, after, channels",
    [
        pytest.param(
            keras.applications.ResNet50,
            ["conv3_block4_out", "conv4_block5_out"],
            1024,
            # 20 s of compilation elsewhere.
            marks=tensorflow_only,
        ),
        pytest.param(
            functools.partial(keras.applications.MobileNet, alpha=0.25),
            ["conv_pw_5_relu", "conv_pw_6_relu"],
            128,
            # Compiled elsewhere, which takes several.
            marks=() if BACKEND == "tensorflow" else pytest.mark.slow,
        ),
    ],
    ids=["ResNet50", "MobileNet"],
)
def test_keras_application(application, after, channels):
    model = application(weights=None, input_shape=(32, 32, 3), classes=4)
    copy = insert_non_local(model, after)
    x = image(model)
    np.testing.assert_array_equal(run(copy, x), run(model, x))
    block = copy.get_layer(f"{after[-1]}_non_local")
    assert block.theta.kernel.shape == (channels, channels // 2)


def test_backbone_of_this_package():
    backbone = nonlocal_keras.models.VideoResNet(
        (4, 16, 16, 3),
        stage_blocks=(1, 1, 1, 1),
        stem_width=2,
        kernel_initializer="zeros",
        dtype=keras.DTypePolicy("float32"),
    )
    randomized(backbone)
    copy = insert_non_local(backbone, "res4_0_relu", pool_size=1)
    x = image(backbone)
    np.testing.assert_array_equal(run(copy, x), run(backbone, x))

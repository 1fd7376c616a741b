"""Blocks are found by their type, wherever a graph leads to them."""

import keras
import numpy as np
import pytest
from keras import layers

from nonlocal_keras import NonLocal1D
from nonlocal_keras import NonLocal2D
from nonlocal_keras import insert_non_local
from nonlocal_keras import visualize
from nonlocal_keras.visualize.block_calls import find_blocks

SHAPE = (1, 16, 16, 3)


def model_of(function, shape=SHAPE[1:]):
    inputs = keras.Input(shape)
    return keras.Model(inputs, function(inputs), name="outer")


def names(model, shape=SHAPE):
    return [call.name for call in find_blocks(model, shape)]


def stride(x):
    return layers.Conv2D(4, 3, 2, padding="same")(x)


def test_a_block_is_placed_through_a_nested_model():
    inner = model_of(lambda x: NonLocal2D(name="b")(stride(x)), (None, None, 4))
    outer = model_of(lambda x: inner(stride(x)))
    (call,) = find_blocks(outer, SHAPE)
    assert call.name == "b"
    assert [axis.step for axis in call.axes] == [4.0, 4.0]


def test_a_sequential_model_is_a_graph():
    model = keras.Sequential(
        [keras.Input((20, 4)), layers.Conv1D(8, 3), NonLocal1D(name="b")]
    )
    (call,) = find_blocks(model, (1, 20, 4))
    assert call.axes[0].size == 18


def test_a_layer_that_is_called_again_is_counted():
    block = NonLocal2D(name="b")
    assert names(model_of(lambda x: block(block(x)))) == ["b", "b#2"]


def test_equal_names_are_told_apart_by_the_models_around_them():
    def inner(name):
        inputs = keras.Input((None, None, 3))
        return keras.Model(inputs, NonLocal2D(name="b")(inputs), name=name)

    model = model_of(lambda x: inner("right")(inner("left")(x)))
    assert names(model) == ["left/b", "right/b"]


def test_a_gate_of_pooled_features_leaves_positions_where_they_are():
    def gated(x):
        x = stride(x)
        gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
        return NonLocal2D()(layers.Multiply()([x, gate]))

    (call,) = find_blocks(model_of(gated), SHAPE)
    assert call.axes[0].step == 2.0


def test_behind_a_layer_that_hides_positions_a_block_has_no_place():
    def reshaped(x):
        return NonLocal2D()(layers.Reshape((8, 32, 3), name="fold")(x))

    (call,) = find_blocks(model_of(reshaped), SHAPE)
    assert call.axes is None
    assert "'fold' (Reshape)" in call.unknown


def test_an_unknown_layer_of_the_same_shape_is_said(caplog):
    class Mine(layers.Layer):
        def call(self, inputs):
            return inputs

    model = model_of(lambda x: NonLocal2D()(Mine(name="mine")(x)))
    (call,) = find_blocks(model, SHAPE)
    assert call.axes[0].step == 1.0
    assert "mine (Mine)" in caplog.text


def test_a_block_in_a_layer_without_a_graph_is_refused_by_name():
    class Around(layers.Layer):
        def __init__(self):
            super().__init__()
            self.block = NonLocal2D(name="hidden")

        def call(self, inputs):
            return self.block(inputs)

    with pytest.raises(ValueError, match="functional down to.*'hidden'"):
        find_blocks(model_of(lambda x: Around()(x)), SHAPE)


def test_a_model_without_a_block_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match="insert_non_local"):
        find_blocks(model_of(stride), SHAPE)


def test_a_model_without_a_graph_is_refused():
    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    with pytest.raises(ValueError, match="must be a functional"):
        find_blocks(Subclassed(), SHAPE)


def test_a_model_of_two_inputs_is_refused():
    inputs = [keras.Input((8, 3)), keras.Input((8, 3))]
    model = keras.Model(inputs, NonLocal1D()(layers.Add()(inputs)))
    with pytest.raises(ValueError, match="must have one input.*2 inputs"):
        find_blocks(model, (1, 8, 3))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, layer, step",
    [
        ("ResNet50", "conv4_block5_out", 16),
        ("VGG16", "block3_pool", 8),
        ("MobileNetV2", "block_6_project_BN", 16),
        ("MobileNetV3Small", "expanded_conv_5_add", 16),
        ("EfficientNetB0", "block4a_project_bn", 16),
        ("DenseNet121", "pool3_relu", 8),
        ("InceptionV3", "mixed4", 16),
        ("Xception", "block6_sepconv1", 16),
        ("ConvNeXtTiny", "convnext_tiny_stage_2_block_0_identity", 16),
        ("NASNetMobile", "normal_concat_6", 16),
    ],
)
def test_the_networks_of_keras_are_followed(name, layer, step):
    network = getattr(keras.applications, name)(weights=None)
    model = insert_non_local(network, layer, pool_size=2)
    size = model.input_shape[1] or 224
    (call,) = find_blocks(model, (1, size, size, 3))
    assert call.axes is not None, call.unknown
    assert [axis.step for axis in call.axes] == [step, step]
    known = model.get_layer(layer).output.shape[1]
    assert known in (None, call.axes[0].size)


def reversed_lstm():
    return layers.LSTM(3, return_sequences=True, go_backwards=True)


@pytest.mark.parametrize(
    "name, function",
    [
        ("slice", lambda x: x[:, ::2]),
        ("reversed", lambda x: x[:, ::-1]),
        ("pad", lambda x: keras.ops.pad(x, [(0, 0), (2, 2), (0, 0)])),
        ("pool", lambda x: keras.ops.max_pool(x, 2, 2)),
        ("sort", lambda x: keras.ops.sort(x, axis=1)),
        ("joined", lambda x: layers.Concatenate(axis=1)([x, x])),
        ("permuted", lambda x: layers.Permute((2, 1))(x)),
        ("lstm", lambda x: reversed_lstm()(x)),
        (
            "apart",
            lambda x: layers.Concatenate()(
                [layers.Cropping1D((0, 8))(x), layers.Cropping1D((8, 0))(x)]
            ),
        ),
    ],
)
@pytest.mark.parametrize("length", [16, None])
def test_what_moves_positions_in_its_own_way_is_refused(name, function, length):
    if name == "permuted" and length is None:
        pytest.skip("its channels would be unknown")
    model = model_of(lambda x: NonLocal1D()(function(x)), (length, 3))
    x = np.ones((1, 16, 3), "float32")
    with pytest.raises(ValueError, match="can be placed only behind layers"):
        visualize.attention(model, x)


def test_functions_that_keep_positions_are_followed():
    def function(x):
        x = keras.ops.relu(layers.Conv1D(4, 3, 2)(x) * 2.0 + 1.0)
        return NonLocal1D()(keras.ops.concatenate([x, x], axis=-1))

    (call,) = find_blocks(model_of(function, (None, 3)), (1, 16, 3))
    assert call.axes[0].step == 2.0

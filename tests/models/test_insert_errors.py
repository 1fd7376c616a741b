"""What `insert_non_local` says to models and places that it cannot take."""

import keras
import pytest
from keras import layers

from nonlocal_keras import insert_non_local
from tests.support.residual_model import residual_model

pytestmark = pytest.mark.any_backend


def check_error(model, after, *words, **options):
    with pytest.raises(ValueError) as error:
        insert_non_local(model, after, **options)
    for word in words:
        assert word in str(error.value)


def test_unknown_layer_suggests_near_names():
    check_error(
        residual_model(),
        ["conv2_blok1_out"],
        "`after` must hold names of layers of the model (see model.summary())",
        "Received: 'conv2_blok1_out'",
        "Did you mean ['conv2_block1_out'",
    )


def test_layer_of_a_nested_model_names_that_model():
    inner = residual_model("inner")
    inputs = keras.Input((12, 16, 3))
    model = keras.Model(inputs, inner(inputs))
    check_error(
        model,
        "conv2_block1_out",
        "It is inside the nested model 'inner': insert into "
        "model.get_layer('inner') and build the model on that.",
    )


def test_shared_layer():
    shared = layers.Conv2D(3, 1, name="shared")
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, shared(shared(inputs)))
    check_error(
        model,
        "shared",
        "`after` must name layers that are called once",
        "shared by 2 calls",
        "Received: 'shared'",
    )


def test_output_that_is_no_map():
    check_error(
        residual_model(),
        "avg_pool",
        "`after` must name layers whose output is a map",
        "Received: 'avg_pool' with output shape (None, 4)",
    )


def test_input_layer():
    check_error(
        residual_model(), "image", "`after`", "an input", "Received: 'image'"
    )


def test_empty_list():
    check_error(
        residual_model(), [], "`after` must name at least one", "after=[]"
    )


def test_name_is_given_by_the_layer():
    check_error(
        residual_model(),
        "conv2_block1_out",
        "`name` is given by the layer before the block",
        "'<layer>_non_local'",
        "Received: name='block'",
        name="block",
    )


def test_subclassed_model():
    class Subclassed(keras.Model):
        def call(self, x):
            return x

    check_error(
        Subclassed(),
        "conv",
        "`model` must be a functional keras.Model",
        "a subclassed model has no graph",
    )


def test_sequential_model_without_an_input():
    model = keras.Sequential([layers.Conv2D(4, 3, name="conv")])
    check_error(model, "conv", "`model` must", "keras.Input")


def test_arguments_of_the_block_are_checked():
    check_error(
        residual_model(),
        "conv2_block1_out",
        "`pairwise` must be one of",
        pairwise="gausian",
    )

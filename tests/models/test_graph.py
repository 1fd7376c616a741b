"""The calls of layers in functional models."""

import keras
import pytest
from keras import layers

from nonlocal_keras.models import graph

pytestmark = pytest.mark.any_backend


def test_calls_come_after_those_that_they_need():
    inputs = keras.Input((4,))
    first = layers.Dense(4, name="first")
    x = first(inputs)
    outputs = layers.Add(name="sum")([first(x), x])
    model = keras.Model(inputs, outputs)
    names = [call.operation.name for call in graph.calls(model)]
    assert names == ["first", "first", "sum"]


def test_calls_by_another_model_are_left_out():
    layer = layers.Dense(4)
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layer(inputs))
    layer(keras.Input((4,)))
    assert len(graph.calls(model)) == 1


def test_a_sequential_model_is_unwrapped_and_another_one_is_not():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(2)], name="s")
    unwrapped = graph.unwrap(inner)
    assert type(unwrapped) is not keras.Sequential
    assert unwrapped.name == "s" and unwrapped.layers[-1] is inner.layers[-1]
    assert graph.unwrap(unwrapped) is unwrapped

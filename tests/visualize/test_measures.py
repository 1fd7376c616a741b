"""Numbers tell a map that says something from one that does not."""

import dataclasses

import keras
import numpy as np
import pytest

from nonlocal_keras import NonLocal1D
from nonlocal_keras import NonLocal3D
from nonlocal_keras import visualize


def attention(query=(1, 2, 2), **options):
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 4, 4)).astype("float32")
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, NonLocal3D(**options)(inputs))
    (found,) = visualize.attention(model, x, query)
    return found


def measured(found, weights):
    weights = np.asarray(weights, "float32")[None]
    return visualize.measure(dataclasses.replace(found, weights=weights))


def test_an_even_map_has_the_shares_of_an_even_map():
    found = attention()
    numbers = measured(found, np.full((3, 4, 4), 1 / 48))
    assert numbers.entropy == pytest.approx(1.0)
    assert numbers.same_frame == pytest.approx(numbers.same_frame_even)
    assert numbers.same_frame_even == pytest.approx(1 / 3)
    assert numbers.near == pytest.approx(numbers.near_even)
    assert numbers.near_even == pytest.approx(9 / 48)


def test_a_map_of_one_key_is_told_by_its_place():
    found = attention()
    weights = np.zeros((3, 4, 4))
    weights[1, 1, 1] = 0.5
    numbers = measured(found, weights)
    assert numbers.strongest == (1, 1, 1) and numbers.weight == 0.5
    assert numbers.entropy == 0.0
    assert (numbers.same_frame, numbers.near) == (1.0, 1.0)
    weights[:] = 0
    weights[0, 1, 1] = 0.5
    assert measured(found, weights).near == 0.0


def test_neighbors_beyond_the_edge_do_not_count():
    found = attention(query=(0, 0, 0))
    assert visualize.measure(found).near_even == pytest.approx(4 / 48)


def test_signed_weights_count_by_their_size():
    found = attention(pairwise="dot_product")
    weights = np.zeros((3, 4, 4))
    weights[1, 2, 2], weights[0, 0, 0] = 1.0, -3.0
    numbers = measured(found, weights)
    assert numbers.strongest == (0, 0, 0) and numbers.weight == -3.0
    assert numbers.negative == pytest.approx(0.75)
    assert "negative 75%" in numbers.lines()


def test_keys_that_are_not_attended_to_do_not_make_a_map_even():
    found = attention(attend_axes="time")
    numbers = visualize.measure(found)
    assert numbers.same_frame_even == pytest.approx(1 / 3)


def test_a_map_of_zeros_has_no_shares():
    numbers = measured(attention(), np.zeros((3, 4, 4)))
    assert np.isnan(numbers.entropy) and np.isnan(numbers.near)
    assert numbers.lines()


def test_a_sequence_has_no_frames():
    x = np.ones((1, 9, 4), "float32")
    inputs = keras.Input((9, 4))
    model = keras.Model(inputs, NonLocal1D()(inputs))
    (found,) = visualize.attention(model, x, (4,))
    numbers = visualize.measure(found)
    assert numbers.same_frame is None
    assert numbers.near == pytest.approx(3 / 9)

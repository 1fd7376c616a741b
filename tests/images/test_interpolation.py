"""Interpolation on the host: linear and cubic, by their definitions."""

import numpy as np
import pytest

from nonlocal_keras.images import interpolation

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [(9, 14), (4, 3), (5, 7)])
def test_images_are_resized_by_the_linear_matrices(size):
    image = RNG.normal(size=(5, 7, 3)).astype("float32")
    vertical = interpolation.linear_matrix(5, size[0])
    horizontal = interpolation.linear_matrix(7, size[1])
    expected = np.einsum("ai,bj,ijc->abc", vertical, horizontal, image)
    found = interpolation.resize_image(image, *size)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_linear_weights_are_those_of_the_centers():
    expected = [
        [1, 0],
        [0.75, 0.25],
        [0.25, 0.75],
        [0, 1],
    ]
    np.testing.assert_allclose(interpolation.linear_matrix(2, 4), expected)


def test_shrinking_takes_two_neighbors_and_does_not_smooth():
    matrix = interpolation.linear_matrix(12, 3)
    assert (np.count_nonzero(matrix, axis=1) == 2).all()


@pytest.mark.parametrize("new_size", [3, 8, 21])
@pytest.mark.parametrize(
    "matrix", [interpolation.linear_matrix, interpolation.cubic_matrix]
)
def test_a_constant_stays_one(matrix, new_size):
    np.testing.assert_allclose(matrix(8, new_size).sum(axis=1), 1, rtol=1e-6)


def test_cubic_weights_are_those_of_the_kernel_of_keys():
    # Halfway between two of eight positions; the kernel has a = -3/4.
    halfway = interpolation.cubic_matrix(8, 4)[1]
    expected = [0, -0.09375, 0.59375, 0.59375, -0.09375, 0, 0, 0]
    np.testing.assert_allclose(halfway, expected, atol=1e-6)


def test_positions_beyond_the_border_are_the_last_one():
    # A quarter before the first position: all but one of four lie there.
    first = interpolation.cubic_matrix(8, 16)[0]
    expected = [1.10546875, -0.10546875, 0]
    np.testing.assert_allclose(first[:3], expected, atol=1e-6)

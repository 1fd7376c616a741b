"""Anchors: their shapes, and where they stand."""

import numpy as np
import pytest

from nonlocal_keras.models.detection import anchors
from tests.support.backends import numpy


def test_boxes_of_a_position_have_one_area_and_some_ratios():
    base = anchors.base_anchors((32, 64), (0.5, 1.0, 2.0))
    widths, heights = (base[:, 2:] - base[:, :2]).T
    np.testing.assert_allclose(
        heights / widths, [0.5, 0.5, 1, 1, 2, 2], rtol=0.05
    )
    sizes = np.sqrt(widths * heights)
    np.testing.assert_allclose(sizes, [32, 64] * 3, rtol=0.03)
    np.testing.assert_array_equal(base, np.round(base))
    np.testing.assert_array_equal(base[:, :2], -base[:, 2:])


@pytest.mark.any_backend
def test_positions_go_by_rows_and_are_whole_pixels_apart():
    base = anchors.base_anchors((32,), (1.0,))
    found = numpy(anchors.grid_anchors(base, (2, 3), (65, 160)))
    corners = [[0, 0], [53, 0], [106, 0], [0, 32], [53, 32], [106, 32]]
    np.testing.assert_array_equal(found[:, :2], np.array(corners) - 16)
    np.testing.assert_array_equal(found[:, 2:], np.array(corners) + 16)


def test_positions_may_be_a_stride_apart_and_boxes_be_given():
    levels = [np.zeros((1, 2, 3, 1)), np.zeros((1, 1, 2, 1))]
    boxes = [[[-1, -2, 1, 2], [0, 0, 3, 3]], [[-8, -8, 8, 8]] * 2]
    images = np.zeros((1, 65, 160, 3))
    fine, coarse = anchors.pyramid_anchors(
        ((9,),) * 2, (1.0,), levels, images, boxes, strides=(4, 50)
    )
    np.testing.assert_array_equal(
        numpy(fine)[::2, :2],
        [[4 * x - 1, 4 * y - 2] for y in (0, 1) for x in range(3)],
    )
    np.testing.assert_array_equal(numpy(fine)[1], [0, 0, 3, 3])
    np.testing.assert_array_equal(numpy(coarse)[2], [42, -8, 58, 8])

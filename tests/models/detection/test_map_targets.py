"""Masks and keypoints as their proposals see them, by loops in NumPy."""

import math

import numpy as np
import pytest
from keras import ops

from nonlocal_keras.models.detection.map_targets import keypoint_targets
from nonlocal_keras.models.detection.map_targets import mask_targets
from tests.support.backends import numpy

pytestmark = pytest.mark.any_backend


def at(image, y, x):
    """The pixel at whole numbers, bilinear between them, 0 outside."""
    value = 0.0
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            inside = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
            weight = (1 - abs(y - row)) * (1 - abs(x - column))
            value += weight * image[row, column] if inside else 0.0
    return value


def align(image, roi, size):
    """The mean of points of each cell, of at most a pixel's distance."""
    x1, y1, x2, y2 = map(float, roi)
    width, height = max(x2 - x1, 1), max(y2 - y1, 1)
    nx, ny = math.ceil(width / size), math.ceil(height / size)
    target = np.zeros((size, size))
    for row in range(size):
        for column in range(size):
            ys = [
                y1 + (row + (i + 0.5) / ny) * height / size for i in range(ny)
            ]
            xs = [
                x1 + (column + (i + 0.5) / nx) * width / size for i in range(nx)
            ]
            target[row, column] = np.mean(
                [at(image, y, x) for y in ys for x in xs]
            )
    return target


def targets(masks, boxes, rois, size, **options):
    arrays = masks, np.float32(boxes), np.float32(rois)
    tensors = map(ops.convert_to_tensor, arrays)
    return numpy(mask_targets(*tensors, size, **options))


def test_a_target_is_that_of_the_mask_in_an_image():
    rng = np.random.default_rng(0)
    # A cell of the mask is a pixel, so that one can be drawn as the other.
    masks = rng.integers(0, 2, (4, 12, 12)).astype("uint8")
    boxes = np.array([[3, 5, 15, 17]] * 4)
    rois = [
        [3, 5, 15, 17],
        [1.3, 2.2, 9.7, 21.4],
        [7, 7, 7.4, 7.2],
        [30, 30, 35, 35],
    ]
    found = targets(masks, boxes, rois, 5)
    for mask, roi, target in zip(masks, rois, found):
        image = np.zeros((40, 40))
        image[5:17, 3:15] = mask
        np.testing.assert_allclose(target, align(image, roi, 5), atol=1e-5)


def test_a_mask_is_stretched_to_its_box():
    # Left half of a box that is four times as wide as high.
    mask = np.zeros((1, 8, 8), "uint8")
    mask[:, :, :4] = 1
    boxes = [[10, 10, 50, 20]]
    whole = targets(mask, boxes, boxes, 4, aligned=True)[0]
    # At the border of the box it ends within half a cell of the mask.
    np.testing.assert_allclose(whole[1:3, 1], 1 - 1 / 16, atol=0.1)
    assert whole[:, :2].min() > 0.8 and whole[:, 2:].max() < 0.15
    # Its left half alone, and the part of the image to the right of it.
    half = targets(mask, boxes, [[12, 12, 28, 18]], 4, aligned=True)[0]
    np.testing.assert_allclose(half, 1, atol=1e-6)
    assert not targets(mask, boxes, [[55, 10, 90, 20]], 4).any()


def test_boxes_without_an_area_have_finite_targets():
    masks = np.ones((2, 8, 8), "uint8")
    found = targets(
        masks, [[0, 0, 0, 0], [2, 2, 6, 6]], [[1, 1, 5, 5], [3, 3, 3, 3]], 4
    )
    assert np.isfinite(found).all()


def test_keypoints_fall_into_bins_of_their_proposal():
    rng = np.random.default_rng(1)
    size, n, keypoints = 7, 6, 9
    corner = rng.uniform(0, 20, (n, 2))
    rois = np.concatenate([corner, corner + rng.uniform(3, 30, (n, 2))], 1)
    rois = rois.astype("float32")
    points = rng.uniform(0, 45, (n, keypoints, 3)).astype("float32")
    points[..., 2] = rng.integers(0, 3, (n, keypoints))
    # On the borders of the first one: the last one of them is inside.
    points[0, 0] = [*rois[0, :2], 1]
    points[0, 1] = [*rois[0, 2:], 2]
    places, there = map(
        numpy,
        keypoint_targets(
            ops.convert_to_tensor(points), ops.convert_to_tensor(rois), size
        ),
    )
    seen = 0
    for i, (x1, y1, x2, y2) in enumerate(rois):
        for k, (x, y, visible) in enumerate(points[i]):
            inside = visible > 0 and x1 <= x <= x2 and y1 <= y <= y2
            assert there[i, k] == inside
            if inside:
                seen += 1
                column = min(int((x - x1) / (x2 - x1) * size), size - 1)
                row = min(int((y - y1) / (y2 - y1) * size), size - 1)
                assert places[i, k] == row * size + column
    assert seen > 5 and places[0, 0] == 0 and places[0, 1] == size**2 - 1


def test_a_proposal_without_an_area_has_no_keypoint_but_at_its_corner():
    points = np.array([[[3, 3, 2], [4, 4, 2]]], "float32")
    rois = np.array([[3, 3, 3, 3]], "float32")
    places, there = keypoint_targets(
        *map(ops.convert_to_tensor, (points, rois)), 4
    )
    assert np.isfinite(numpy(places)).all()
    assert not numpy(there)[0, 1]

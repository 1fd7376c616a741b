"""The search of keypoints in a graph is that on the host."""

import numpy as np
import pytest

from nonlocal_keras.models.detection import keypoint_search
from nonlocal_keras.models.detection import postprocessing
from tests.support.backends import numpy

pytestmark = pytest.mark.any_backend
RNG = np.random.default_rng(0)


def maps_of_a_head(n, size, keypoints):
    """Noise that is doubled bilinearly, as the head does at its end."""
    low = RNG.normal(size=(n, size // 2 + 2, size // 2 + 2, keypoints))
    for axis in (1, 2):
        low = np.moveaxis(low, axis, 0)
        both = np.stack(
            [0.75 * low + 0.25 * np.roll(low, 1, 0)]
            + [0.75 * low + 0.25 * np.roll(low, -1, 0)],
            axis=1,
        )
        low = np.moveaxis(both.reshape(-1, *low.shape[1:]), 0, axis)
    return low[:, 2:-2, 2:-2].astype("float32")


def boxes_of(sizes):
    corners = RNG.uniform(0, 300, (len(sizes), 2))
    return np.concatenate([corners, corners + sizes], 1).astype("float32")


@pytest.mark.parametrize(
    "sizes, longest",
    [
        ([(9, 14.5), (16, 3.2), (0.4, 0.7)], 16),
        ([(150.3, 90), (31, 320), (200, 1.7), (17, 16), (64.5, 128)], 320),
    ],
)
def test_it_finds_the_maximum_of_all_pixels(sizes, longest):
    maps, boxes = maps_of_a_head(len(sizes), 16, 3), boxes_of(sizes)
    expected, scores = postprocessing.find_keypoints(maps, boxes)
    points, logits = keypoint_search.find_keypoints(
        maps[None], boxes[None], longest
    )
    np.testing.assert_allclose(numpy(points)[0], expected, atol=1e-3)
    np.testing.assert_allclose(numpy(logits)[0], scores, atol=1e-4)


def test_images_of_a_batch_are_searched_alone():
    maps = maps_of_a_head(4, 16, 2).reshape(2, 2, 16, 16, 2)
    boxes = boxes_of([(40, 30)] * 4).reshape(2, 2, 4)
    points, _ = keypoint_search.find_keypoints(maps, boxes, 64)
    for image in range(2):
        alone, _ = postprocessing.find_keypoints(maps[image], boxes[image])
        np.testing.assert_allclose(numpy(points)[image], alone, atol=1e-3)

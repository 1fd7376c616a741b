"""Pairs of a detector whose weights are drawn, and what its project finds.

A file of `tests/golden` has the names and shapes of all tensors, two images,
and boxes, labels, scores, and masks or keypoints of the detections in each.
"""

import numpy as np

from tests.support import drawn_weights
from tests.support import paths

# What the files cannot tell, and the projects were told.
SETTINGS = {
    "min_size": 128,
    "max_size": 224,
    "pre_nms_top_n": 200,
    "post_nms_top_n": 100,
    "score_threshold": 0.05,
    "detections_per_image": 12,
}


def load(name):
    """The arrays of a file."""
    with np.load(paths.GOLDEN / f"{name}.npz") as arrays:
        return dict(arrays)


def draw_tensors(arrays, seed=6):
    """The tensors of the detector by name."""
    shapes = [tuple(n for n in row if n) for row in arrays["shapes"]]
    return {
        str(name): drawn_weights.draw(name, shape, seed)
        for name, shape in zip(arrays["names"], shapes)
    }


def images_of(arrays):
    return [arrays[f"image_{i}"] for i in range(2)]


def check(found, arrays):
    """The same detections in the same order, next to the last digit."""
    for image in range(2):
        wanted = {
            k[:-2]: array for k, array in arrays.items() if k[-1] == str(image)
        }
        number = found["num_detections"][image]
        assert number == len(wanted["boxes"]) > 0
        one = {
            name: values[image][:number]
            for name, values in found.items()
            if name != "num_detections"
        }
        np.testing.assert_array_equal(one["labels"], wanted["labels"])
        assert np.abs(one["boxes"] - wanted["boxes"]).max() < 0.05
        assert np.abs(one["confidence"] - wanted["scores"]).max() < 1e-4
        if "masks" in wanted:
            masks = wanted["masks"][:, 0]
            assert np.abs(one["masks"] - masks).max() < 1e-3
        if "keypoints" in wanted:
            points = wanted["keypoints"][..., :2]
            assert np.abs(one["keypoints"][..., :2] - points).max() < 0.5
        if "keypoints_scores" in wanted:
            scores = wanted["keypoints_scores"]
            assert np.abs(one["keypoint_scores"] - scores).max() < 1e-3

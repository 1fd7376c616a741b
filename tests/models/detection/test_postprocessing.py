"""What the network says, in pixels of the images that were given."""

import numpy as np

from nonlocal_keras.models.detection import postprocessing


def outputs():
    """Two images with two detections and one."""
    boxes = np.full((2, 2, 4), -1, "float32")
    boxes[0] = [[0, 0, 8, 4], [2, 2, 4, 4]]
    boxes[1, 0] = [1, 1, 3, 3]
    return {
        "boxes": boxes,
        "labels": np.array([[1, 2], [1, -1]], "int32"),
        "confidence": np.array([[0.9, 0.5], [0.8, -1]], "float32"),
        "num_detections": np.array([2, 1], "int32"),
        "masks": np.ones((2, 2, 4, 4), "float32"),
        "keypoint_maps": np.zeros((2, 2, 4, 4, 3), "float32"),
    }


def test_boxes_and_points_are_taken_to_the_size_of_each_image():
    sizes, original = [[8, 8], [8, 8]], [[16, 8], [4, 8]]
    found = postprocessing.postprocess(outputs(), sizes, original)
    np.testing.assert_array_equal(
        found["boxes"],
        [
            [[0, 0, 8, 8], [2, 4, 4, 8]],
            [[1, 0.5, 3, 1.5], [-1, -1, -1, -1]],
        ],
    )
    assert [mask.shape for mask in found["masks"]] == [(2, 16, 8), (1, 4, 8)]
    # All maxima are the first pixel of a box.
    assert found["keypoints"].shape == (2, 2, 3, 3)
    np.testing.assert_array_equal(found["keypoints"][0, 0], [[0.5, 1, 1]] * 3)
    assert (found["keypoints"][1, 1] == -1).all()
    assert (found["keypoint_scores"][1, 1] == -1).all()
    assert "keypoint_maps" not in found


def value_at(mask, y, x):
    """The value between the centers of cells, zero beyond the last ones."""
    padded = np.pad(mask, 1)
    y, x = y + 1, x + 1
    if not (0 <= y < len(padded) - 1 and 0 <= x < len(padded) - 1):
        return 0.0
    i, j = int(y), int(x)
    above, left = y - i, x - j
    rows = (1 - above) * padded[i] + above * padded[i + 1]
    return (1 - left) * rows[j] + left * rows[j + 1]


def test_aligned_masks_have_what_lies_at_the_centers_of_pixels():
    mask = np.random.default_rng(0).random((4, 4)).astype("float32")
    # Beyond the image, of no whole pixels.
    box = np.array([-2.3, 1.4, 9.1, 6.9], "float32")
    found = postprocessing.draw_masks(mask[None], box[None], 9, 12)[0]
    height, width = box[3] - box[1], box[2] - box[0]
    for row in range(9):
        for column in range(12):
            y = (row + 0.5 - box[1]) / height * 4 - 0.5
            x = (column + 0.5 - box[0]) / width * 4 - 0.5
            # One pixel around the box is drawn.
            near = 0 <= row < 8 and column < 11
            expected = value_at(mask, y, x) if near else 0.0
            assert abs(found[row, column] - expected) < 1e-5
    above = postprocessing.draw_masks(mask[None], box[None], 9, 12, 0.5)[0]
    np.testing.assert_array_equal(above, found > 0.5)


def test_boxes_without_an_area_have_no_mask():
    masks = np.ones((1, 4, 4), "float32")
    boxes = np.array([[5, 3, 5, 3]], "float32")
    assert not postprocessing.draw_masks(masks, boxes, 20, 30).any()


def test_images_without_a_detection():
    empty = outputs()
    empty["num_detections"][:] = 0
    found = postprocessing.postprocess(empty, [[8, 8]] * 2, [[8, 8]] * 2)
    assert [mask.shape for mask in found["masks"]] == [(0, 8, 8)] * 2
    assert (found["boxes"] == -1).all()
    assert (found["keypoints"] == -1).all()


def test_a_mask_of_ones_fills_its_box():
    masks = np.ones((1, 28, 28), "float32")
    boxes = np.array([[5, 3, 25, 13]], "float32")
    pasted = postprocessing.paste_masks(masks, boxes, 20, 30)[0]
    np.testing.assert_allclose(pasted[4:13, 6:25], 1, rtol=1e-6)
    outside = pasted.copy()
    outside[2:15, 4:27] = 0
    assert not outside.any()


def test_a_box_beyond_the_border_draws_what_is_inside():
    masks = np.random.default_rng(0).uniform(size=(2, 4, 4)).astype("float32")
    boxes = np.array([[2, 3, 40, 30], [9, 9, 11, 11]], "float32")
    large = postprocessing.paste_masks(masks, boxes, 50, 50)
    small = postprocessing.paste_masks(masks, boxes, 10, 12)
    np.testing.assert_array_equal(small, large[:, :10, :12])
    assert small.any(axis=(1, 2)).all()


def test_a_threshold_makes_masks_of_booleans():
    masks = np.random.default_rng(0).uniform(size=(2, 4, 4)).astype("float32")
    boxes = np.array([[2, 3, 20, 15], [9, 9, 11, 11]], "float32")
    probabilities = postprocessing.paste_masks(masks, boxes, 20, 30)
    pasted = postprocessing.paste_masks(masks, boxes, 20, 30, 0.4)
    assert pasted.dtype == bool
    np.testing.assert_array_equal(pasted, probabilities > 0.4)


def test_a_keypoint_is_the_maximum_of_the_resized_map():
    maps = np.zeros((1, 8, 8, 2), "float32")
    maps[0, 2, 5, 0], maps[0, 7, 0, 1] = 3, 2
    boxes = np.array([[10, 20, 26, 44]], "float32")
    points, scores = postprocessing.find_keypoints(maps, boxes)
    # Cells are 2 wide and 3 high.
    np.testing.assert_allclose(points[0], [[21, 27.5], [10.5, 43.5]], atol=1)
    assert scores[0, 0] > scores[0, 1] > 1.5


def test_a_tiny_box_has_keypoints_in_one_pixel():
    maps = np.random.default_rng(0).normal(size=(1, 8, 8, 2))
    boxes = np.array([[3, 4, 3.2, 4.1]], "float32")
    points, _ = postprocessing.find_keypoints(maps.astype("float32"), boxes)
    np.testing.assert_allclose(points[0], [[3.5, 4.5]] * 2)


def test_batches_are_joined():
    first = {"boxes": np.zeros((1, 2, 4)), "masks": [np.zeros((1, 3, 3))]}
    second = {"boxes": np.ones((2, 2, 4)), "masks": [np.ones((0, 4, 4))] * 2}
    joined = postprocessing.join([first, second])
    assert joined["boxes"].shape == (3, 2, 4)
    assert len(joined["masks"]) == 3

"""Where the backbone of a detector looks, by places of the image."""

import numpy as np
import pytest
from PIL import Image

from nonlocal_keras import visualize
from tests.support import detectors

BLOCK = "nonlocal_res3_0"


@pytest.fixture(scope="module")
def model():
    blocks = {"non_local": {"res3": (0,)}}
    return detectors.small(blocks, masks=False, num_keypoints=None)


def test_a_detector_looks_as_its_backbone_does(model):
    (image,) = detectors.images((50, 80))
    (found,) = visualize.attention(model, image, (49, 79))
    # To 60 x 96; the padding to 64 rows is cut off.
    given = model.preprocess([image])["images"][:, :60]
    (expected,) = visualize.attention(model.backbone, given, (59, 95))
    np.testing.assert_array_equal(found.weights, expected.weights)
    np.testing.assert_array_equal(found.queries, expected.queries)
    assert found.block == BLOCK and found.query_grid == (8, 12)
    # The cells are told in pixels of the image.
    last = found.source_query_cells[1][-1]
    assert abs(last[0] - 88 * 80 / 96) < 4 and last[1] <= 80
    assert visualize.list_blocks(model, image) == [BLOCK]


def test_an_image_file_is_read_as_the_detector_takes_it(model, tmp_path):
    (image,) = detectors.images((50, 80))
    path = tmp_path / "photo.png"
    Image.fromarray(image).save(path)
    clip = visualize.read_clip(path, model)
    assert clip.inputs.shape == (1, 60, 96, 3)
    np.testing.assert_array_equal(clip.pictures, image)
    (found,) = visualize.attention(model, clip, (0.5, 0.5))
    visualize.figure(found)
    with pytest.raises(ValueError, match="`pixels` and `size` would change"):
        visualize.read_clip(path, model, size=64)


def test_what_is_no_image_is_refused(model):
    with pytest.raises(ValueError, match="`images` must be RGB arrays"):
        visualize.attention(model, np.zeros((1, 8, 8, 3), "uint8"))

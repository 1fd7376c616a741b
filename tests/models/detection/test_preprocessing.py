"""What detectors take as images."""

import numpy as np
import pytest

from nonlocal_keras.models.detection import preprocessing


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4, 3), "uint8"), np.zeros((2, 4, 4, 3), "uint8")]
)
def test_an_array_is_an_image_or_a_batch(image):
    images = preprocessing.check_images(image)
    assert {x.shape for x in images} == {(4, 4, 3)}


@pytest.mark.parametrize(
    "images, message",
    [
        ([], "`images` must hold at least one image"),
        ([np.zeros((4, 4), "uint8")], "images[0] of uint8 (4, 4)"),
        ([np.zeros((4, 4, 4), "uint8")], "images[0] of shape (4, 4, 4)"),
        ([np.zeros((4, 4, 3), "int64")], "images[0] of int64 (4, 4, 3)"),
        ([np.zeros((0, 4, 3), "uint8")], "at least one pixel"),
        ([np.full((4, 4, 3), 9.0)], "values from 9.0 to 9.0"),
        ([np.full((4, 4, 3), np.nan)], "values from nan to nan"),
    ],
)
def test_other_images_are_named(images, message):
    with pytest.raises(ValueError, match="`images` ") as caught:
        preprocessing.check_images(images)
    assert message in str(caught.value)

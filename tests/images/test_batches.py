"""Images of any size become one batch."""

import numpy as np
import pytest

from nonlocal_keras.images import batches

PLAIN = {"mean": (0, 0, 0), "std": (1, 1, 1)}


@pytest.mark.parametrize(
    "size, expected",
    [
        ((480, 640), (800, 1066)),
        ((640, 480), (1066, 800)),
        ((100, 400), (333, 1333)),
        ((1000, 1000), (800, 800)),
        ((1, 5000), (1, 1333)),
    ],
)
def test_the_short_side_grows_until_the_long_one_is_full(size, expected):
    assert batches.target_size(size, 800, 1333) == expected


def test_batches_are_padded_by_zeros_at_the_end():
    images = [np.full(s, 255, "uint8") for s in ((20, 40, 3), (30, 20, 3))]
    batch, sizes = batches.to_batch(images, 20, 40, **PLAIN)
    assert batch.shape == (2, 32, 64, 3)
    assert sizes.tolist() == [[20, 40], [30, 20]]
    np.testing.assert_array_equal(batch[0, :20, :40], 1)
    assert batch[0].sum() == 20 * 40 * 3
    assert batch[1].sum() == 30 * 20 * 3


def test_colors_are_normalized():
    image = np.full((8, 8, 3), (0, 51, 255), "uint8")
    batch, _ = batches.to_batch(
        [image], 8, 8, mean=(0.5, 0.2, 0.5), std=(0.5, 1, 0.25)
    )
    np.testing.assert_allclose(batch[0, 3, 3], [-1, 0, 2], atol=1e-6)


def test_floats_from_0_to_1_are_the_same_image():
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 3), "uint8")
    of_bytes, _ = batches.to_batch([image], 16, 32, **PLAIN)
    floats = image.astype("float32") / np.float32(255)
    of_floats, _ = batches.to_batch([floats], 16, 32, **PLAIN)
    np.testing.assert_array_equal(of_bytes, of_floats)

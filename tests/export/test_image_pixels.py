"""Images are prepared in a graph as `MaskRCNN.preprocess` does it."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from nonlocal_keras.export import image_limits
from nonlocal_keras.export import image_pixels
from nonlocal_keras.images import batches
from tests.support import detectors

SPEC = image_pixels.ImageSpec(
    64, 150, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
)


def graph(function, *shape, dtype="uint8"):
    spec = tf.TensorSpec(shape, dtype)
    return tf.function(
        lambda x: function(x, SPEC), input_signature=[spec], autograph=False
    )


ANY_SIZE = graph(image_pixels.prepare, None, None, None, 3)
ENCODED = graph(image_pixels.prepare_encoded, None, dtype="string")


def on_the_host(images):
    return batches.to_batch(
        images, SPEC.min_size, SPEC.max_size, SPEC.mean, SPEC.std
    )


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


# One that grows, shrinks, stays, is limited by its long side, or by a pixel.
SIZES = [(50, 80), (233, 171), (64, 96), (400, 90), (1, 1), (1, 900)]


@pytest.mark.parametrize("size", SIZES)
def test_pixels_are_those_of_the_host(size):
    given = detectors.images(size, size)
    images, sizes, original = ANY_SIZE(np.stack(given))
    expected, resized = on_the_host(given)
    np.testing.assert_array_equal(sizes, resized)
    np.testing.assert_array_equal(original, [size, size])
    np.testing.assert_allclose(images, expected, atol=1e-5)


def test_a_known_size_gives_known_shapes():
    function = graph(image_pixels.prepare, 1, 50, 80, 3)
    made = function.get_concrete_function()
    assert made.outputs[0].shape == (1, 64, 128, 3)
    given = detectors.images((50, 80))
    expected, _ = on_the_host(given)
    images, _, _ = function(np.stack(given))
    np.testing.assert_allclose(images, expected, atol=1e-5)


def test_encoded_images_of_several_sizes_become_one_batch():
    given = detectors.images((50, 80), (120, 70), (33, 33))
    images, sizes, original = ENCODED([encoded(x) for x in given])
    expected, resized = on_the_host(given)
    np.testing.assert_array_equal(sizes, resized)
    np.testing.assert_array_equal(original, [x.shape[:2] for x in given])
    np.testing.assert_allclose(images, expected, atol=1e-5)


@pytest.mark.parametrize(
    "pixels, kind",
    [
        (np.zeros((20, 30, 3), "uint8"), "JPEG"),
        (np.zeros((20, 30), "uint8"), "JPEG"),
        (np.zeros((20, 30, 4), "uint8"), "PNG"),
        (np.zeros((20, 30), "uint16"), "PNG"),
    ],
)
def test_grey_and_transparent_pictures_are_taken(pixels, kind):
    images, _, original = ENCODED([encoded(pixels, kind)])
    np.testing.assert_array_equal(original, [(20, 30)])
    black = -np.array(SPEC.mean) / SPEC.std
    np.testing.assert_allclose(images[0, 10, 10], black, atol=1e-5)


def header(width, height):
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return image_limits.PNG + b"\0\0\0\rIHDR" + size + b"\x08\x02\0\0\0"


@pytest.mark.parametrize(
    "given, message",
    [
        ([], "`encoded` must be of the shape"),
        ([b"GIF89a"], "must be JPEG files, which begin with"),
        ([b""], "must be JPEG files, which begin with"),
        ([image_limits.PNG], "must be JPEG files, which begin with"),
        ([header(60000, 60000)], "at most 33,554,432"),
        ([header(2**31 - 1, 2**31 - 1)], "at most 33,554,432"),
        ([header(0, 5)], "at least one pixel"),
        ([encoded(np.zeros((9, 9, 3), "uint8"))[:40]], "Invalid PNG"),
        ([encoded(np.zeros((9, 9, 3), "uint8"), "JPEG")[:90]], "JPEG"),
    ],
)
def test_what_is_no_picture_is_refused_before_it_is_decoded(given, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        ENCODED(tf.constant(given, "string", (len(given),)))


@pytest.mark.parametrize(
    "shape",
    [(1, 5, 5), (0, 5, 5, 3), (1, 0, 5, 3), (1, 5, 5, 4), (99, 2, 2, 3)],
)
def test_a_request_of_another_shape_is_refused(shape):
    check = tf.function(
        lambda x: image_limits.check_images(x, SPEC), autograph=False
    )
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="`images` must be of the shape"
    ):
        check(tf.zeros(shape, "uint8"))

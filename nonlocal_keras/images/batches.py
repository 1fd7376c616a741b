"""Images of any size become one padded batch."""

import numpy as np

from nonlocal_keras.images.interpolation import resize_image

# Of the sizes of a batch: the coarsest features have a stride of 32 pixels.
DIVISOR = 32


def to_batch(images, min_size, max_size, mean, std):
    """Normalizes and resizes images, and pads them to one size.

    The short side becomes `min_size` pixels, or less where the long one would
    pass `max_size`.

    Args:
        images: List of RGB arrays `(height, width, 3)`, uint8, or floats from
            0 to 1.
        min_size: Integer, pixels.
        max_size: Integer, pixels.
        mean: Sequence of 3 Floats, of values from 0 to 1.
        std: Sequence of 3 Floats.

    Returns:
        As `pad`.
    """
    return pad(
        [
            resize(
                image,
                target_size(image.shape[:2], min_size, max_size),
                mean,
                std,
            )
            for image in images
        ]
    )


def resize(image, size, mean, std):
    """Normalizes and resizes an image.

    Args:
        image: RGB array `(height, width, 3)`, uint8, or floats from 0 to 1.
        size: Tuple of 2 Integers, the height and width of the result.
        mean: Sequence of 3 Floats, of values from 0 to 1.
        std: Sequence of 3 Floats.

    Returns:
        float32 array `(*size, 3)`.
    """
    mean, std = np.asarray(mean, "float32"), np.asarray(std, "float32")
    return resize_image((_to_floats(image) - mean) / std, *size)


def pad(images, size=None):
    """Pads images to one size, on the right and at the bottom.

    Args:
        images: List of float32 arrays `(height, width, 3)`, normalized, so
            that zero is the mean.
        size: Tuple of 2 Integers, the height and width of the batch. Defaults
            to `None`, the smallest multiples of `DIVISOR` that hold all.

    Returns:
        float32 array `(batch, height, width, 3)`, and int32 array
        `(batch, 2)` of the heights and widths without padding.
    """
    sizes = np.array([image.shape[:2] for image in images], "int32")
    if size is None:
        size = -(-sizes.max(axis=0) // DIVISOR) * DIVISOR
    batch = np.zeros((len(images), *size, 3), "float32")
    for place, image in zip(batch, images):
        place[: image.shape[0], : image.shape[1]] = image
    return batch, sizes


def target_size(size, min_size, max_size):
    """Returns the height and width that an image of some size is given."""
    scale = min(min_size / min(size), max_size / max(size))
    # Rounded down, of a size that may be just below a whole number: so it is
    # in PyTorch.
    return tuple(max(1, int(length * scale)) for length in size)


def _to_floats(image):
    if image.dtype == np.uint8:
        return image.astype("float32") / np.float32(255)
    return image.astype("float32")

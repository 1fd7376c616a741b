"""Images of any size become one padded batch."""

import numpy as np

from nonlocal_keras.models.detection.interpolation import resize_image


def preprocess(images, min_size, max_size, mean, std, divisor=32):
    """Normalizes and resizes images, and pads them to one size.

    The short side becomes `min_size` pixels, or less where the long one would
    pass `max_size`. Padding is zero, which is the mean, on the right and at
    the bottom.

    Args:
        images: List of RGB arrays `(height, width, 3)`, uint8, or floats from
            0 to 1.
        min_size: Integer, pixels.
        max_size: Integer, pixels.
        mean: Sequence of 3 Floats, of values from 0 to 1.
        std: Sequence of 3 Floats.
        divisor: Integer, of the sizes of the batch. Defaults to `32`.

    Returns:
        float32 array `(batch, height, width, 3)`, and int32 array
        `(batch, 2)` of the heights and widths without padding.
    """
    mean, std = np.asarray(mean, "float32"), np.asarray(std, "float32")
    resized = []
    for image in images:
        size = target_size(image.shape[:2], min_size, max_size)
        image = (_to_floats(image) - mean) / std
        resized.append(resize_image(image, *size))
    sizes = np.array([image.shape[:2] for image in resized], "int32")
    height, width = -(-sizes.max(axis=0) // divisor) * divisor
    batch = np.zeros((len(resized), height, width, 3), "float32")
    for place, image in zip(batch, resized):
        place[: image.shape[0], : image.shape[1]] = image
    return batch, sizes


def _to_floats(image):
    if image.dtype == np.uint8:
        return image.astype("float32") / np.float32(255)
    return image.astype("float32")


def target_size(size, min_size, max_size):
    """Returns the height and width that an image of some size is given."""
    scale = min(min_size / min(size), max_size / max(size))
    # Rounded down, of a size that may be just below a whole number: so it is
    # in PyTorch.
    return tuple(max(1, int(length * scale)) for length in size)


def check_images(images):
    """Returns a list of RGB images, or says what is wrong with them.

    Args:
        images: List of RGB arrays `(height, width, 3)`, uint8, or floats from
            0 to 1; one such array; or a batch of them `(batch, height, width,
            3)`.

    Returns:
        List of arrays.

    Raises:
        ValueError: If there is none, or one is of another kind.
    """
    if isinstance(images, np.ndarray) and images.ndim == 3:
        images = [images]
    images = [np.asarray(image) for image in images]
    if not images:
        raise ValueError(
            "`images` must hold at least one image. Received: images=[]"
        )
    for place, image in enumerate(images):
        floats = image.dtype.kind == "f"
        if not (floats or image.dtype == np.uint8) or image.ndim != 3:
            raise ValueError(
                "`images` must be RGB arrays (height, width, 3) of uint8, or "
                "of floats from 0 to 1. Received: "
                f"images[{place}] of {image.dtype} {image.shape}"
            )
        if image.shape[2] != 3 or 0 in image.shape:
            raise ValueError(
                "`images` must have at least one pixel, of 3 channels; "
                "convert others by PIL.Image.convert('RGB'). Received: "
                f"images[{place}] of shape {image.shape}"
            )
        # False for a NaN, too.
        if floats and not (image.min() >= 0 and image.max() <= 1):
            raise ValueError(
                "`images` of floats must hold values from 0 to 1; give others "
                f"as uint8. Received: images[{place}] with values from "
                f"{image.min()} to {image.max()}"
            )
    return images

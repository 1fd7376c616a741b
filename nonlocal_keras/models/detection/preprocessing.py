"""What a detector takes as images."""

import numpy as np


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

"""Photos that detectors look at: of scikit-image, or of a folder."""

import pathlib

import numpy as np
from PIL import Image
from PIL import ImageOps

# Of the photos that scikit-image brings, with a person, objects and an animal.
_NAMES = ("astronaut", "coffee", "chelsea")
_ENDINGS = {".jpg", ".jpeg", ".png"}


def load(folder=None):
    """Returns photos as RGB arrays.

    Args:
        folder: Path of a folder of photos. Defaults to `None`, those of
            scikit-image.

    Returns:
        List of uint8 arrays `(height, width, 3)`.
    """
    if folder is None:
        from skimage import data

        return [np.array(getattr(data, name)()) for name in _NAMES]
    files = sorted(
        path
        for path in pathlib.Path(folder).iterdir()
        if path.suffix.lower() in _ENDINGS
    )
    if not files:
        raise ValueError(
            f"`--images` must be a folder of photos, {sorted(_ENDINGS)}. "
            f"Received: {folder}"
        )
    return [read(path) for path in files]


def read(path):
    """Returns an image file as a viewer shows it."""
    with Image.open(path) as image:
        return np.array(ImageOps.exif_transpose(image).convert("RGB"))


def batches(images):
    """Returns the images in batches: the first one alone, then four each."""
    return [images[:1], *(images[n : n + 4] for n in range(1, len(images), 4))]


def sizes(short):
    """Returns the arguments for images of which the short side is given."""
    return {"min_size": short, "max_size": short * 5 // 3}


def as_taken(image, min_size, max_size):
    """Scales an image to the size that a network takes.

    Args:
        image: uint8 array `(height, width, 3)`.
        min_size: Integer, what its short side becomes.
        max_size: Integer, to which its long side is cropped.

    Returns:
        uint8 array.
    """
    height, width = image.shape[:2]
    scale = min_size / min(height, width)
    size = (round(width * scale), round(height * scale))
    scaled = np.array(Image.fromarray(image).resize(size, Image.BILINEAR))
    return np.ascontiguousarray(scaled[:max_size, :max_size])

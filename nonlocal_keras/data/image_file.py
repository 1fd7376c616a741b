"""Reads an image file as a viewer shows it, whoever made the file.

A file is input from strangers: it is opened by the formats below alone, not
decoded if it is larger than `MAX_PIXELS`, and fails only with an `ImageError`.
"""

import contextlib
import io
import pathlib

import numpy as np

from nonlocal_keras import optional
from nonlocal_keras.data import foreign_file
from nonlocal_keras.data import picture

# A quarter of a gigabyte as RGB, and where Pillow begins to warn.
MAX_PIXELS = 2**30 // 12

# Formats of pictures that programs exchange. Pillow reads more, of which some
# run other programs (EPS) and some are told by no mark of their own (TGA). It
# reads AVIF and WebP only where its build has their libraries.
FORMATS = "AVIF BMP GIF JPEG JPEG2000 PNG PPM TIFF WEBP".split()

_ORIENTATION_TAG = 0x0112
# By the number in the EXIF data: whether rows become columns, and whether left
# and right and top and bottom are exchanged then, as in `picture.orientation`.
_ORIENTATIONS = {
    1: (False, False, False),
    2: (False, True, False),
    3: (False, True, True),
    4: (False, False, True),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}


class ImageError(ValueError):
    """An image file that cannot be decoded; the message names it."""


def read_image(path):
    """Reads an image file as RGB, as a viewer shows it.

    The picture is turned as its EXIF data say. What is transparent becomes
    white, 16 bits become 8, the first frame of an animation is taken. Color
    profiles are not applied, as in the training of the published detectors.

    Example:

    >>> image = nonlocal_keras.data.read_image("photo.jpg")
    >>> image.shape, image.dtype
    ((48, 64, 3), dtype('uint8'))

    Args:
        path: String or path of an image file.

    Returns:
        uint8 array `(height, width, 3)`.

    Raises:
        ImageError: If the file is missing, no image, damaged, cut or larger
            than `MAX_PIXELS`.
        ImportError: If Pillow is not installed.
    """
    foreign_file.require(path, "image", ImageError)
    return _decode(path, path)


def decode_image(data, name):
    """Decodes the bytes of an image file, as `read_image`.

    Args:
        data: Bytes.
        name: String, what errors call the image.

    Returns:
        uint8 array `(height, width, 3)`.

    Raises:
        ImageError: As `read_image`.
        ImportError: If Pillow is not installed.
    """
    return _decode(io.BytesIO(data), name)


def plain_bytes(path, pixels):
    """Returns an image file that any decoder shows as `read_image` does.

    Args:
        path: String or path of an image file.
        pixels: What `read_image` returns for it.

    Returns:
        Tuple of bytes and `"jpeg"` or `"png"`: the file itself if it is a
        JPEG in RGB that stands upright, else a PNG of its pixels.

    Raises:
        ImageError: As `read_image`.
        ImportError: If Pillow is not installed.
    """
    with _opened(path, path) as image:
        upright = _orientation(image) == _ORIENTATIONS[1]
        if upright and (image.format, image.mode) == ("JPEG", "RGB"):
            return pathlib.Path(path).read_bytes(), "jpeg"
    return encode_png(pixels), "png"


def encode_png(pixels):
    """Returns the bytes of a PNG.

    Args:
        pixels: uint8 array `(height, width)` or `(height, width, 3)`.

    Raises:
        ImportError: If Pillow is not installed.
    """
    file = io.BytesIO()
    _pillow().fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _decode(file, name):
    with _opened(file, name) as image:
        image.load()
        pixels = _to_rgb(image, name)
        # Read last: decoding TIFF turns the picture and takes the tag away.
        orientation = _orientation(image)
    return np.ascontiguousarray(picture.turn(pixels, orientation))


def _pillow():
    return optional.load("PIL.Image", "An image file")


@contextlib.contextmanager
def _opened(file, name):
    """Yields a `PIL.Image.Image`; all that Pillow raises is `ImageError`."""
    pillow = _pillow()
    pillow.init()
    formats = [f for f in FORMATS if f in pillow.OPEN]
    try:
        with pillow.open(file, formats=formats) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise ImageError(
                    f"{name}: an image of {width} x {height} pixels is not "
                    f"decoded; at most {MAX_PIXELS} pixels are"
                )
            yield image
    except ImageError:
        raise
    except pillow.UnidentifiedImageError as error:
        raise ImageError(
            f"{name}: not a readable image (none of {', '.join(formats)})"
        ) from error
    # Damaged files make Pillow raise errors of many classes, from its own to
    # those of Python for text, arithmetic and memory.
    except Exception as error:
        raise ImageError(
            f"{name}: not a readable image ({type(error).__name__}: {error})"
        ) from error


def _to_rgb(image, name):
    """Returns the pixels as they are stored: not turned yet."""
    # Pillow keeps the 16 bits of PGM in 32.
    kind = (image.format, image.mode)
    if image.mode.startswith("I;16") or kind == ("PPM", "I"):
        # The high bytes, as Pillow itself takes of 16-bit color.
        grey = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)
    if image.mode in ("I", "F"):
        raise ImageError(
            f"{name}: pixels must be of 8 or 16 bits. Received: numbers of 32 "
            "bits, whose black and white the file does not tell"
        )
    if image.has_transparency_data:
        # White, as the page that a viewer lays it on. Colors of transparent
        # pixels are arbitrary, so that to drop alpha would show noise.
        page = _pillow().new("RGBA", image.size, "white")
        image = _pillow().alpha_composite(page, image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def _orientation(image):
    # A picture is shown upright if its EXIF data cannot be read.
    with contextlib.suppress(Exception):
        return _ORIENTATIONS[image.getexif()[_ORIENTATION_TAG]]
    return _ORIENTATIONS[1]

"""Interpolation on the host, in NumPy: images, masks and heat maps.

Positions are computed in float32, in the order of operations of PyTorch, so
that a photo becomes the same numbers as there.
"""

import numpy as np

# Of the cubic kernel of Keys, as in PyTorch and OpenCV.
_CUBIC = np.float32(-0.75)


def resize_image(image, height, width):
    """Resizes an image bilinearly, without smoothing where it shrinks.

    Args:
        image: float32 array `(height, width, channels)`.
        height: Integer, rows of the result.
        width: Integer, columns of the result.

    Returns:
        float32 array `(height, width, channels)`.
    """
    rows, columns = image.shape[:2]
    if rows != height:
        low, high, above = _linear(rows, height)
        image = _between(image[low], image[high], above[:, None, None])
    if columns != width:
        low, high, above = _linear(columns, width)
        image = _between(image[:, low], image[:, high], above[:, None])
    return image


def linear_matrix(size, new_size):
    """Returns the matrix `(new_size, size)` that resizes linearly."""
    low, high, above = _linear(size, new_size)
    matrix = np.zeros((new_size, size), "float32")
    index = np.arange(new_size)
    matrix[index, low] = 1 - above
    matrix[index, high] += above
    return matrix


def cubic_matrix(size, new_size):
    """Returns the matrix `(new_size, size)` that resizes by cubics."""
    x = _positions(size, new_size)
    low = np.floor(x)
    above = x - low
    matrix = np.zeros((new_size, size), "float32")
    index = np.arange(new_size)
    for tap in (-1, 0, 1, 2):
        near = np.clip(low + tap, 0, size - 1).astype(int)
        matrix[index, near] += _cubic(np.abs(above - tap))
    return matrix


def _between(low, high, above):
    # `low` and `high` are copies.
    high -= low
    high *= above
    low += high
    return low


def _linear(size, new_size):
    x = np.maximum(_positions(size, new_size), 0)
    low = np.minimum(x.astype(int), size - 1)
    return low, np.minimum(low + 1, size - 1), x - low.astype("float32")


def _positions(size, new_size):
    """Returns where the centers of new positions lie among the old ones."""
    scale = np.float32(size) / np.float32(new_size)
    # Rounded once, as by an instruction that multiplies and adds.
    x = np.float64(scale) * (np.arange(new_size) + 0.5) - 0.5
    return x.astype("float32")


def _cubic(distance):
    """Returns the weight of a point at a distance below 2."""
    a, d = _CUBIC, distance
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, far)

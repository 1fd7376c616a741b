"""What rendered data sets are painted with: floats between 0 and 1."""

import numpy as np


def smooth_map(rng, height, width, cells, channels):
    """Draws a map between -1 and 1, bilinear between points.

    Args:
        rng: A `numpy.random.Generator`.
        height: Integer, rows.
        width: Integer, columns.
        cells: Integer, points along each axis.
        channels: Integer.

    Returns:
        Array `(height, width, channels)`.
    """
    coarse = rng.uniform(-1.0, 1.0, (cells, cells, channels))
    low, part = _between(height, cells)
    rows = coarse[low] * (1 - part) + coarse[low + 1] * part
    low, part = _between(width, cells)
    part = part.transpose(1, 0, 2)
    return rows[:, low] * (1 - part) + rows[:, low + 1] * part


def blend(canvas, cover, rgb):
    """Paints a color over a canvas where it is covered.

    Args:
        canvas: Float array `(..., 3)`, which is changed.
        cover: Array `(...)`; below 0 is 0, above 1 is 1.
        rgb: Array of 3 numbers.
    """
    cover = np.clip(cover, 0.0, 1.0)[..., None]
    canvas += cover * (rgb - canvas)


def _between(length, cells):
    """Returns for each place the point before it, and how far it is past."""
    at = np.linspace(0, cells - 1.001, length)
    low = at.astype(int)
    return low, (at - low)[:, None, None]

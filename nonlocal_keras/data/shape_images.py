"""Draws the images of the benchmark of shapes, see `longrange_shapes.py`."""

import colorsys
import dataclasses
import functools

import numpy as np

from nonlocal_keras.data import painting

HEIGHT, WIDTH = 96, 192
LIGHTS = ("red", "green")
CLASSES = (
    "triangle",
    "arrow",
    "red lamp",
    "green lamp",
    "kite by red",
    "kite by green",
)
JOINTS = ("tip", "right_corner", "left_corner")
# Pixels between the boxes of the lamp and of any kite, at least.
GAP = 92

# Widths of the ends of the image where the lamp and where kites stand.
_LAMP_END, _KITE_END = 46, 58
_MARGIN = 2
# Hues of the lights, in turns of the color circle.
_HUES = (0.0, 0.36)
# Corners along the outline, in radii around the center; y points down. The
# first one is the tip, the next one and the last one are to the right and to
# the left of who looks along it.
_OUTLINES = {
    "triangle": ((0, -1.1), (0.75, 0.75), (-0.75, 0.75)),
    "arrow": ((0, -1.1), (0.85, 0.85), (0, 0.2), (-0.85, 0.85)),
    "kite": ((0, -0.85), (0.65, -0.25), (0, 1.15), (-0.65, -0.25)),
    "lamp": [
        (np.cos(turn), np.sin(turn)) for turn in np.arange(0, 2 * np.pi, 0.2)
    ],
}
_JOINTS = (0, 1, -1)
_RADII = {
    "triangle": (11, 16),
    "arrow": (11, 16),
    "kite": (12, 16),
    "lamp": (17, 21),
}
# Points per pixel and axis by which edges are smoothed.
_SAMPLES = 4


@dataclasses.dataclass(frozen=True, eq=False)
class Shape:
    """An object of an image.

    Attributes:
        label: Integer, an index into `CLASSES`.
        mask: Boolean array `(HEIGHT, WIDTH)`.
        joints: Float array `(3, 2)`, x and y of the pixels at the `JOINTS`;
            `None` for a lamp.
    """

    label: int
    mask: np.ndarray
    joints: np.ndarray | None

    @functools.cached_property
    def box(self):
        """The box `(left, top, right, bottom)` of the mask, in pixels."""
        y, x = np.nonzero(self.mask)
        return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


def draw_light(seed):
    """Draws the light of the lamp of an image, an index into `LIGHTS`."""
    return int(np.random.default_rng([seed, 1]).integers(len(LIGHTS)))


def draw_image(seed, light=None):
    """Draws an image.

    Example:

    >>> from nonlocal_keras.data import shape_images
    >>> pixels, shapes = shape_images.draw_image(7)
    >>> pixels.shape, pixels.dtype
    ((96, 192, 3), dtype('uint8'))
    >>> [shape_images.CLASSES[shape.label] for shape in shapes]
    ['green lamp', 'kite by green', 'kite by green', 'kite by green']

    Args:
        seed: Integer; the same seed gives the same image.
        light: Integer, an index into `LIGHTS`, for the same image in another
            light. `None` for that of `seed`. Defaults to `None`.

    Returns:
        Tuple of a uint8 array `(96, 192, 3)` and a list of `Shape`.
    """
    light = draw_light(seed) if light is None else light
    rng = np.random.default_rng([seed, 2])
    canvas, shapes = _background(rng), []
    mirrored = bool(rng.integers(2))
    for kind, number in (
        ("lamp", 1),
        ("kite", rng.integers(2, 5)),
        ("triangle", rng.integers(2)),
        ("arrow", rng.integers(2)),
    ):
        for _ in range(number):
            corners = _place(rng, kind, mirrored, shapes)
            if corners is not None:
                shapes.append(_paint(rng, canvas, kind, corners, light))
    canvas *= rng.uniform(0.85, 1.1)
    canvas += 0.03 * rng.standard_normal(canvas.shape)
    return (np.clip(canvas, 0.0, 1.0) * 255 + 0.5).astype("uint8"), shapes


# === Painting, on canvases of floats between 0 and 1 ===


def _background(rng):
    """Paints clouds, stripes and a tint."""
    clouds = 0.1 * painting.smooth_map(rng, HEIGHT, WIDTH, 6, 1)
    tint = 0.06 * painting.smooth_map(rng, HEIGHT, WIDTH, 4, 3)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    turn, length = rng.uniform(0, np.pi), rng.uniform(4, 12)
    phase = (np.cos(turn) * x + np.sin(turn) * y) / length + rng.uniform()
    stripes = 0.05 * np.sin(2 * np.pi * phase)[..., None]
    return rng.uniform(0.25, 0.45) + clouds + tint + stripes


def _place(rng, kind, mirrored, shapes):
    """Returns the corners of a shape where there is room; `None` for none."""
    for _ in range(50):
        radius, turn = rng.uniform(*_RADII[kind]), rng.uniform(-0.6, 0.6)
        cos, sin = np.cos(turn), np.sin(turn)
        corners = np.array(_OUTLINES[kind]) @ [[cos, sin], [-sin, cos]] * radius
        # Where the shape touches the left and the right end of its room.
        low = _MARGIN - corners.min(axis=0)
        high = [WIDTH, HEIGHT] - corners.max(axis=0) - _MARGIN
        if kind == "lamp":
            high[0] += _LAMP_END - WIDTH
        if kind == "kite":
            low[0] += WIDTH - _KITE_END
        corners = corners + rng.uniform(low, high)
        if mirrored:
            # Rooms change places, shapes stay what they are.
            middle = (corners.min(axis=0) + corners.max(axis=0))[0]
            corners[:, 0] += WIDTH - middle
        if all(_apart(corners, shape.box) for shape in shapes):
            return corners
    return None


def _apart(corners, box):
    low, high = corners.min(axis=0) - _MARGIN, corners.max(axis=0) + _MARGIN
    return bool((high < box[:2]).any() or (low > box[2:]).any())


def _paint(rng, canvas, kind, corners, light):
    """Paints a shape, and returns what was painted."""
    window, cover = _cover(corners)
    name = kind
    if kind == "lamp":
        painting.blend(canvas[window], cover, np.full(3, rng.uniform(0, 0.1)))
        middle = corners.mean(axis=0)
        inner, core = _cover(middle + 0.65 * (corners - middle))
        painting.blend(canvas[inner], core, _color(rng, _HUES[light], 0.02))
        name = f"{LIGHTS[light]} lamp"
    else:
        painting.blend(canvas[window], cover, _color(rng, rng.uniform(), 0))
        if kind == "kite":
            name = f"kite by {LIGHTS[light]}"
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[window] = cover >= 0.5
    # A pixel is named by its number, and its middle is half a pixel farther.
    joints = None if kind == "lamp" else corners[list(_JOINTS)] - 0.5
    return Shape(CLASSES.index(name), mask, joints)


def _color(rng, hue, deviation):
    hue = (hue + rng.normal(0, deviation)) % 1.0
    saturation, value = rng.uniform(0.6, 1.0), rng.uniform(0.75, 1.0)
    return np.array(colorsys.hsv_to_rgb(hue, saturation, value))


def _cover(corners):
    """Returns the rows and columns of a polygon, and its part of each pixel."""
    start = np.floor(corners.min(axis=0)).astype(int)
    end = np.ceil(corners.max(axis=0)).astype(int)
    x, y = (
        low + (np.arange((high - low) * _SAMPLES) + 0.5) / _SAMPLES
        for low, high in zip(start, end)
    )
    inside = np.zeros((len(y), len(x)), bool)
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0)):
        # A line to the right of a point crosses this edge, or does not.
        crosses = (y1 > y) != (y2 > y)
        where = x1 + (y - y1) * (x2 - x1) / (y2 - y1 or 1.0)
        inside ^= crosses[:, None] & (x < where[:, None])
    height, width = (end - start)[::-1]
    parts = inside.reshape(height, _SAMPLES, width, _SAMPLES)
    window = slice(start[1], end[1]), slice(start[0], end[0])
    return window, parts.mean(axis=(1, 3))

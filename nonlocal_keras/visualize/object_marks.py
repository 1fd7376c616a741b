"""Marks of objects on a picture: masks, boxes, skeletons, names.

Every light line has a dark one around it, so that it is seen on any ground.
All widths follow the size of the picture.
"""

import colorsys

import numpy as np

from nonlocal_keras import optional

_USER = "A picture of detections"
# Turns of the circle of hues from one object to the next: the golden section,
# whose multiples never come close to each other early.
_TURN = 0.61803
# Saturation and value, in turn, so that close hues differ in these.
_SHADES = ((0.75, 1.0), (0.45, 1.0), (0.95, 0.9))
_DARK = (20, 20, 20)
# How much of a mask covers the picture.
_TINT = 0.4
# Pixels of the shorter side for each pixel of a line, and of a letter.
_PER_LINE, _PER_LETTER = 240, 36
_THINNEST, _SMALLEST_LETTER = 2, 12
# Lines that are not straight are drawn larger, and made smaller.
_FINER = 3


def color_of(number):
    """Returns the RGB color of an object, a tuple of integers to 255."""
    hue = (0.02 + number * _TURN) % 1.0
    saturation, value = _SHADES[number % len(_SHADES)]
    rgb = colorsys.hsv_to_rgb(hue, saturation, value)
    return tuple(round(255 * part) for part in rgb)


def _eroded(mask, pixels):
    """Returns a mask without its border of so many pixels."""
    mask = np.pad(mask, 1)
    for _ in range(pixels):
        inner = mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1]
        mask[1:-1, 1:-1] = inner & mask[1:-1, :-2] & mask[1:-1, 2:]
    return mask[1:-1, 1:-1]


class Canvas:
    """A picture that is drawn on.

    Args:
        pixels: uint8 array `(height, width, 3)`.
    """

    def __init__(self, pixels):
        self._pillow = optional.load("PIL.Image", _USER)
        self._pens = optional.load("PIL.ImageDraw", _USER)
        self.image = self._pillow.fromarray(np.ascontiguousarray(pixels))
        self._draw = self._pens.Draw(self.image)
        shorter = min(self.image.size)
        self.line = max(_THINNEST, round(shorter / _PER_LINE))
        self.letter = max(_SMALLEST_LETTER, round(shorter / _PER_LETTER))
        self._font = None

    def mask(self, mask, color):
        """Tints the pixels of a mask, and draws its outline.

        Args:
            mask: Boolean array `(height, width)`.
            color: Tuple of 3 Integers.
        """
        rows, columns = (np.flatnonzero(mask.any(axis=a)) for a in (1, 0))
        if not len(rows):
            return
        top, left = rows[0], columns[0]
        inside = mask[top : rows[-1] + 1, left : columns[-1] + 1]
        outline = inside & ~_eroded(inside, self.line)
        opaque = np.where(outline, 255, np.where(inside, _TINT * 255, 0))
        self.image.paste(
            color,
            (int(left), int(top)),
            self._pillow.fromarray(opaque.astype("uint8")),
        )

    def box(self, box, color):
        """Draws a box.

        Args:
            box: Tuple of 4 numbers, left, top, right and bottom.
            color: Tuple of 3 Integers.
        """
        # Its last pixels lie before its end.
        left, top, right, bottom = (round(float(x)) for x in box)
        right, bottom = max(left, right - 1), max(top, bottom - 1)
        rim = max(1, self.line // 2)
        outer = (left - rim, top - rim, right + rim, bottom + rim)
        self._draw.rectangle(outer, outline=_DARK, width=self.line + 2 * rim)
        corners = (left, top, right, bottom)
        self._draw.rectangle(corners, outline=color, width=self.line)

    def skeleton(self, points, lines, color):
        """Draws joints and the lines between them.

        Args:
            points: Dictionary from the number of a joint to its x and y.
            lines: Sequence of pairs of numbers of joints.
            color: Tuple of 3 Integers.
        """
        if not points:
            return
        radius, wide = 1.5 * self.line, 2 * self.line
        margin = round(radius + wide) + 2
        places = np.array(list(points.values()), "float64")
        low = np.floor(places.min(axis=0)).astype(int) - margin
        high = np.ceil(places.max(axis=0)).astype(int) + margin
        # Only what lies in the picture.
        low = np.clip(low, 0, self.image.size)
        high = np.clip(high, 0, self.image.size)
        if (low >= high).any():
            return
        size = tuple((high - low).tolist())
        layer = self._pillow.new("RGBA", tuple(_FINER * n for n in size))
        pen = self._pens.Draw(layer)
        at = {
            joint: tuple((_FINER * (np.array(xy) - low)).tolist())
            for joint, xy in points.items()
        }
        rim = max(1.0, self.line / 2)
        seen = [line for line in lines if set(line) <= set(points)]
        for fill, more in ((_DARK, rim), (color, 0.0)):
            for one, other in seen:
                width = round(_FINER * (self.line + 2 * more))
                pen.line([at[one], at[other]], fill=fill, width=width)
        for fill, more in ((_DARK, rim), ((255, 255, 255), 0.0)):
            for x, y in at.values():
                r = _FINER * (radius + more)
                pen.ellipse((x - r, y - r, x + r, y + r), fill=fill)
        layer = layer.reduce(_FINER)
        self.image.paste(layer, tuple(low.tolist()), layer)

    def label_size(self, text):
        """Returns the width and height of a label in pixels."""
        left, top, right, bottom = self._letters().getbbox(text)
        above, below = self._letters().getmetrics()
        pad = self.letter // 4
        return round(right - min(left, 0)) + 2 * pad, above + below + pad // 2

    def label(self, text, place, color):
        """Writes a label.

        Args:
            text: String.
            place: Tuple of 4 Integers, left, top, right and bottom.
            color: Tuple of 3 Integers, of the ground.
        """
        left, top, right, bottom = place
        ground = (left, top, right - 1, bottom - 1)
        self._draw.rectangle(ground, fill=color, outline=_DARK)
        # The brightness that the eye sees.
        bright = np.dot(color, (0.299, 0.587, 0.114)) > 130
        self._draw.text(
            (left + self.letter // 4, top + self.letter // 8),
            text,
            fill=_DARK if bright else (255, 255, 255),
            font=self._letters(),
        )

    def _letters(self):
        if self._font is None:
            fonts = optional.load("PIL.ImageFont", _USER)
            matplotlib = optional.load("matplotlib", _USER)
            # Has Latin, Greek and Cyrillic letters; that of Pillow has Latin.
            folder = f"{matplotlib.get_data_path()}/fonts/ttf"
            self._font = fonts.truetype(f"{folder}/DejaVuSans.ttf", self.letter)
        return self._font

"""Where names of objects stand in a picture, so that they stay legible."""

# The share of a label that may lie over others: what covers more is left out.
_MOST_COVERED = 0.25
# The share of the picture that all labels cover at most.
_MOST_OF_PICTURE = 0.15


class LabelPlaces:
    """Gives labels places in the order in which they ask.

    Args:
        width: Integer, of the picture, in pixels.
        height: Integer, of the picture.
    """

    def __init__(self, width, height):
        self._size = width, height
        self._room = _MOST_OF_PICTURE * width * height
        self._taken = []

    def find(self, box, size):
        """Returns the free place of a label that is next to its box.

        Args:
            box: Tuple of 4 numbers, left, top, right and bottom.
            size: Tuple of 2 Integers, width and height of the label.

        Returns:
            Tuple of 4 Integers, left, top, right and bottom of the label;
            `None` if it would hide others at all of its places, or there are
            enough.
        """
        covered, place = min(
            (
                (self._covered(place), place)
                for place in self._places(box, size)
            ),
            key=lambda found: found[0],
        )
        self._room -= size[0] * size[1]
        if covered > _MOST_COVERED or self._room < 0 and self._taken:
            return None
        self._taken.append(place)
        return place

    def _places(self, box, size):
        """Yields places within the picture, the best one first."""
        left, top, right, bottom = map(round, box)
        width, height = size
        lines = (top - height, top, bottom, bottom - height)
        for y in lines:
            for x in (left, right - width):
                yield self._within(x, y, width, height)
        # Down the left side, then the right one.
        for x in (left, right - width):
            for y in range(top + height, bottom - height, height):
                yield self._within(x, y, width, height)

    def _within(self, x, y, width, height):
        x = max(0, min(x, self._size[0] - width))
        y = max(0, min(y, self._size[1] - height))
        return x, y, x + width, y + height

    def _covered(self, place):
        left, top, right, bottom = place
        common = sum(
            max(0, min(right, r) - max(left, x))
            * max(0, min(bottom, b) - max(top, y))
            for x, y, r, b in self._taken
        )
        return common / ((right - left) * (bottom - top))

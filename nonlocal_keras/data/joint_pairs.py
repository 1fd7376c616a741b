"""Which joints change places when an image is mirrored, by their names."""

import re

import numpy as np

_SIDES = {"left": "right", "right": "left", "l": "r", "r": "l"}
# `left` and `right` anywhere, a single letter as a word of its own, also where
# a capital begins the next word: left_eye, LEFT-EYE, leftEye, l_eye, LEye.
_SIDE = re.compile(
    r"left|right|Left|Right|LEFT|RIGHT"
    r"|(?<![A-Za-z])[lrLR](?![A-Za-z])"
    r"|(?<![A-Za-z])[lrLR](?=[A-Z][a-z])"
)


def mirrored_order(names):
    """Returns where each joint of a mirrored object comes from.

    Args:
        names: Sequence of strings, the joints. `left_eye` and `right_eye`,
            `LEye` and `REye` are pairs; what names no side stays in place.

    Returns:
        Integer array `(joints,)` of places among `names`.

    Raises:
        ValueError: If a joint of one side has none on the other.
    """
    places = {name: place for place, name in enumerate(names)}
    others = [_SIDE.sub(_exchange, name, count=1) for name in names]
    alone = [n for n, other in zip(names, others) if other not in places]
    if alone:
        raise ValueError(
            "Mirrored images need a joint on the other side for each of one "
            "side, by their names, such as left_eye and right_eye. Set "
            f"flip=False, or name both. Received: {', '.join(alone)} without "
            "another side"
        )
    return np.array([places[other] for other in others], int)


def _exchange(match):
    side = match[0]
    other = _SIDES[side.lower()]
    if side.isupper():
        return other.upper()
    return other.capitalize() if side[0].isupper() else other

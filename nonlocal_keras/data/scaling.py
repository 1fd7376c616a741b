"""To which width and height the frames of a video are scaled."""

import dataclasses
import functools


@functools.lru_cache
def scaled(width, height, short_side, nearest=False):
    """Returns the width and height at which the shorter side has a length.

    Args:
        width: Integer, width of the frame in pixels.
        height: Integer, its height.
        short_side: Integer, the shorter side after scaling.
        nearest: Boolean, whether the longer side is rounded to the nearest
            pixel (mmaction2) and not down (all others). Defaults to `False`.

    Returns:
        Tuple of 2 integers.
    """
    ratio = short_side / min(width, height)
    slack = 0.5 if nearest else 1e-6
    return (
        max(int(width * ratio + slack), short_side),
        max(int(height * ratio + slack), short_side),
    )


@dataclasses.dataclass(frozen=True)
class Scaling:
    """A function from the size of a frame to that after scaling.

    Example:

    >>> from nonlocal_keras.data.scaling import Scaling
    >>> Scaling(256)(1280, 720)
    (455, 256)
    >>> Scaling(256, resize=(340, 256))(1280, 720)
    (340, 256)

    Attributes:
        short_side: Integer, the shorter side after scaling, in pixels.
        resize: Tuple `(width, height)` to which frames of any size are
            stretched first, or `None` to keep their aspect ratio. Defaults to
            `None`.
        nearest: Boolean, as for `scaled`. Defaults to `False`.
    """

    short_side: int
    resize: tuple | None = None
    nearest: bool = False

    def __call__(self, width, height):
        if self.resize is not None:
            width, height = self.resize
        return scaled(width, height, self.short_side, self.nearest)

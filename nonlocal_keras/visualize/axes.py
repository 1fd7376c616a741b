"""Where the positions of a feature map lie in the input of its model.

An axis of an input is measured in its own units, frames or pixels: number `k`
covers `[k, k + 1)`. Position `i` of a map covers a cell of that axis, centred
where its windows are centred and as long as the distance to the next one.
"""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Axis:
    """The cells of one axis of a map: `[start + step * i, ... + step)`.

    Example:

    >>> from nonlocal_keras.visualize.axes import Axis
    >>> axis = Axis(224).windows(kernel=7, stride=2, before=3, size=112)
    >>> axis.cell(0), axis.cell(111)
    ((-0.5, 1.5), (221.5, 223.5))

    Attributes:
        size: Integer, the number of positions.
        step: Float, the length of a cell. Defaults to `1.0`.
        start: Float, where the first cell begins. Defaults to `0.0`.
        field: Float, the length that one position depends on, the receptive
            field of convolutions and poolings. Defaults to `1.0`.
    """

    size: int
    step: float = 1.0
    start: float = 0.0
    field: float = 1.0

    def cell(self, index):
        """Returns where the cell of a position begins and ends."""
        start = self.start + self.step * index
        return start, start + self.step

    def nearest(self, place):
        """Returns the position whose cell holds a place, or is nearest."""
        index = math.floor((place - self.start) / self.step)
        return min(max(index, 0), self.size - 1)

    def windows(self, kernel, stride, before, size):
        """Returns the axis of what windows over this one give.

        Args:
            kernel: Integer, positions from the first to the last of a window.
            stride: Integer, the distance of two windows.
            before: Integer, positions that are padded before the first one.
            size: Integer, the number of windows.
        """
        return Axis(
            size,
            self.step * stride,
            self.start + self.step * ((kernel - stride) / 2 - before),
            self.field + (kernel - 1) * self.step,
        )

    def moved(self, by, size):
        """Returns the axis whose first position is number `by` of this one."""
        return dataclasses.replace(
            self, size=size, start=self.start + by * self.step
        )

    def scaled(self, size):
        """Returns the axis of another number of positions on the same span."""
        step = self.step * self.size / size
        return dataclasses.replace(self, size=size, step=step)


def joined(axes):
    """Returns the axis of sums or concatenations of maps; `None` if unlike.

    Branches with even windows are centred up to half a position apart: the
    middle is taken. Those that are more than one apart are unlike.

    Args:
        axes: List of `Axis`. One position is broadcast over those of others.
    """
    size = max(axis.size for axis in axes)
    axes = [axis for axis in axes if axis.size == size]
    step, starts = axes[0].step, [axis.start for axis in axes]
    alike = all(math.isclose(axis.step, step) for axis in axes)
    if not alike or max(starts) - min(starts) > step:
        return None
    # From the first to the last that any of the branches depends on.
    first = min(axis.start - axis.field / 2 for axis in axes)
    last = max(axis.start + axis.field / 2 for axis in axes)
    return Axis(size, step, sum(starts) / len(axes), last - first)

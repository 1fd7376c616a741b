"""What goes into a model, and where it lies in what it was taken from."""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class Clip:
    """The input of a model with its place in a video, image or sequence.

    `nonlocal_keras.visualize.read_clip` makes one of a file. An array that a
    model takes as it is, is its own source.

    Attributes:
        inputs: Array `(1, *positions, channels)` as the model takes it.
        pictures: uint8 RGB array `(frames, height, width, 3)`, or
            `(height, width, 3)` of an image: the pixels of the source that
            the model sees, to draw on. `None` for a sequence.
        scale: Tuple of floats, source units per unit of the input along each
            axis of pixels (or steps of a sequence).
        offset: Tuple of floats, where the input begins in the source along
            these axes.
        source_size: Tuple of integers, the length of the source along all
            axes, frames first for a video.
        frames: Integer array, the numbers of the frames in the video. `None`
            without an axis of frames.
        name: String, the file, or what else it was taken from. Defaults to
            `"array"`.
        channels_first: Boolean, whether channels come before the positions
            in `inputs`. Defaults to `False`.
    """

    inputs: np.ndarray
    pictures: np.ndarray | None
    scale: tuple
    offset: tuple
    source_size: tuple
    frames: np.ndarray | None = None
    name: str = "array"
    channels_first: bool = False

    @property
    def sizes(self):
        """The length of the input along each axis of positions."""
        first = 1 + self.channels_first
        return self.inputs.shape[first : first + len(self.source_size)]

    def to_source(self, axis, start, stop):
        """Returns where an interval of the input lies in the source.

        Args:
            axis: Integer, an axis of positions; of a video 0 is that of the
                frames.
            start: Float, where the interval begins, in frames or pixels of
                the input.
            stop: Float, where it ends.

        Returns:
            Tuple `(start, stop)` in frames or pixels of the source. Frames
            are integers: the first one, and the one after the last. A clip
            that wraps around the end of its video stops before it starts.
        """
        if self.frames is not None and axis == 0:
            numbers = self.frames[self.inside(start, stop)]
            return int(numbers[0]), int(numbers[-1]) + 1
        place = axis - (self.frames is not None)
        scale, offset = self.scale[place], self.offset[place]
        return offset + scale * start, offset + scale * stop

    def inside(self, start, stop):
        """Returns the frames of the input in an interval, one at least.

        Args:
            start: Float, where the interval begins, in frames of the input.
            stop: Float, where it ends.

        Returns:
            Slice of the frames of the input whose middle lies in it.
        """
        last = len(self.frames) - 1
        first = min(max(math.ceil(start - 0.5), 0), last)
        return slice(
            first, min(max(math.ceil(stop - 0.5), first + 1), last + 1)
        )

    def frames_in_words(self, start, stop):
        """Returns which frames of the source an interval of the input holds.

        Args:
            start: Float, where the interval begins, in frames of the input.
            stop: Float, where it ends.

        Returns:
            String, such as `"frame 4"`, `"frames 4 to 12"`, or `"frames 9, 0"`
            where the clip wraps around the end of the video.
        """
        numbers = self.frames[self.inside(start, stop)]
        if len(numbers) == 1:
            return f"frame {numbers[0]}"
        if (np.diff(numbers) < 0).any():
            return f"frames {', '.join(map(str, numbers))}"
        return f"frames {numbers[0]} to {numbers[-1]}"

    def from_source(self, axis, place):
        """Returns where a place of the source lies in the input.

        Args:
            axis: Integer, an axis of positions.
            place: Integer, the number of a frame or pixel of the source.

        Returns:
            Float, the middle of that frame or pixel in units of the input;
            of a frame that the clip leaves out, that of the nearest one.
        """
        if self.frames is not None and axis == 0:
            return int(np.abs(self.frames - place).argmin()) + 0.5
        axis -= self.frames is not None
        return (place + 0.5 - self.offset[axis]) / self.scale[axis]


def as_it_is(array, channels_first=False, name="array"):
    """Makes a clip of an array that a model takes, its own source.

    Args:
        array: Array `(1, *positions, channels)`, or `(1, steps)` of indices.
        channels_first: Boolean, whether channels come before the positions.
            Defaults to `False`.
        name: String, what it was taken from. Defaults to `"array"`.

    Returns:
        A `Clip`.
    """
    inputs = np.asarray(array)
    last = np.moveaxis(inputs, 1, -1) if channels_first else inputs
    rank = max(last.ndim - 2, 1)
    sizes = last.shape[1 : 1 + rank]
    return Clip(
        inputs,
        _stretched(last[0]) if rank > 1 else None,
        scale=(1.0,) * min(rank, 2),
        offset=(0.0,) * min(rank, 2),
        source_size=sizes,
        frames=np.arange(sizes[0]) if rank == 3 else None,
        name=name,
        channels_first=channels_first,
    )


def _stretched(x):
    """Floats of any range and channels as RGB, for the eye alone."""
    x = np.asarray(x, "float32")
    x = x if x.shape[-1] == 3 else np.repeat(x.mean(-1, keepdims=True), 3, -1)
    low, high = np.percentile(x, (1, 99))
    x = (x - low) / max(high - low, 1e-12)
    return (np.clip(x, 0.0, 1.0) * 255 + 0.5).astype("uint8")

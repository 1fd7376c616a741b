"""What a model takes: which frames, of which size, normalized how."""

import dataclasses

import numpy as np

from nonlocal_keras.data import sampling
from nonlocal_keras.data import views
from nonlocal_keras.data.scaling import Scaling


@dataclasses.dataclass(frozen=True)
class ClipSpec:
    """What a model takes: the clip and its normalization.

    Attributes:
        frames: Integer, frames per clip.
        stride: Integer, distance between frames of the clip; `None` for one
            frame out of each of `frames` equal parts of the video.
        size: Integer, side of the square crop in pixels.
        short_side: Tuple `(low, high)`: for training the shorter side of the
            frame is scaled to a uniform integer of that range; for testing
            to `low`.
        flip: Boolean, whether training mirrors half of the clips.
        mean, std: Tuples of 3 floats: `(rgb / 255 - mean) / std`.
        resize: Tuple `(width, height)` to which frames of any size are
            stretched before they are scaled; `None` keeps their aspect ratio.
        fps: Number of frames per second for which `stride` is meant: a clip
            counts time, as PySlowFast does, and spans the same seconds of any
            video. `None` counts frames.
    """

    frames: int = 8
    stride: int = 8
    size: int = 224
    short_side: tuple = (256, 320)
    flip: bool = True
    mean: tuple = (0.45, 0.45, 0.45)
    std: tuple = (0.225, 0.225, 0.225)
    resize: tuple | None = None
    fps: float | None = None

    def __post_init__(self):
        low, high = self.short_side
        if not self.size <= low <= high:
            raise ValueError(
                "`short_side` must be a range (low, high) of at least `size`. "
                f"Received: short_side={self.short_side}, size={self.size}"
            )
        if self.resize is not None and (
            len(self.resize) != 2 or min(self.resize) < 1
        ):
            raise ValueError(
                "`resize` must be (width, height) in pixels, e.g. (340, 256), "
                f"or None. Received: resize={self.resize}"
            )
        if self.fps is not None and (self.stride is None or not self.fps > 0):
            raise ValueError(
                "`fps` must be a number above 0 for clips with a `stride`, or "
                "None for clips that count frames. Received: "
                f"fps={self.fps}, stride={self.stride}"
            )

    @classmethod
    def from_config(cls, config):
        """Makes the specification that a model or a zoo record states.

        Args:
            config: Dictionary of the fields; `short_side` may be one integer.
        """
        config = dict(config)
        side = config.get("short_side", cls.short_side)
        if isinstance(side, int):
            config["short_side"] = (side, side)
        for name in ("short_side", "mean", "std", "resize"):
            if config.get(name) is not None:
                config[name] = tuple(config[name])
        return cls(**config)

    def scaling(self, short_side=None, nearest=False):
        """Gives the function from the size of a frame to that of the model.

        Args:
            short_side: Integer, the shorter side in pixels. `None` for that
                of the test.
            nearest: Boolean, whether the longer side is rounded, not cut off.
        """
        side = self.short_side[0] if short_side is None else short_side
        return Scaling(side, self.resize, nearest)

    def preprocess(self, frames, fps=None):
        """Gives the clip in the middle of a video as a model takes it.

        Args:
            frames: uint8 RGB array `(frames, height, width, 3)`: a whole
                video, or just the frames of the clip.
            fps: Number, the frames per second of that video, for a
                specification whose clips count time. `None` if it is that of
                the specification.

        Returns:
            float32 array `(1, frames, size, size, 3)`: scaled to the shorter
            side, cropped in the centre, normalized.

        Raises:
            ValueError: If `frames` have another type or shape.
        """
        import keras

        frames = _checked(frames)
        if len(frames) != self.frames:
            (indices,) = views.view_indices(
                "vnl",
                1,
                self.frames,
                self.stride,
                len(frames),
                self.fps,
                self.fps if fps is None else fps,
            )
            frames = frames[indices]
        width, height = self.scaling()(frames.shape[2], frames.shape[1])
        if (height, width) != frames.shape[1:3]:
            frames = keras.ops.image.resize(
                keras.ops.cast(frames, "float32"),
                (height, width),
                interpolation="bilinear",
                data_format="channels_last",
            )
        ((top, left),) = sampling.crop_offsets(1, height, width, self.size)
        crop = frames[:, top : top + self.size, left : left + self.size]
        return keras.ops.convert_to_numpy(self.normalize(crop))[None]

    def normalize(self, clips):
        """Gives float32 clips from uint8 clips, on tensors or arrays."""
        import keras

        return self.standardize(keras.ops.cast(clips, "float32"))

    def standardize(self, pixels):
        """Gives `(pixels / 255 - mean) / std` of floats of any library."""
        return (pixels / 255.0 - np.float32(self.mean)) / np.float32(self.std)


def _checked(frames):
    """Gives frames as an array, or the error that says what they must be."""
    try:
        array = np.asarray(frames)
        received = f"{array.dtype} of shape {array.shape}"
    except ValueError:
        array, received = None, "frames of different sizes"
    if (
        array is None
        or array.dtype != np.uint8
        or array.ndim != 4
        or array.shape[-1] != 3
        or not array.size
    ):
        raise ValueError(
            "`frames` must be uint8 RGB of shape (frames, height, width, 3), "
            "as nonlocal_keras.data.read_frames gives them. "
            f"Received: {received}"
        )
    return array

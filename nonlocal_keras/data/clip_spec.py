"""What a model takes: which frames, of which size, normalized how."""

import dataclasses

import numpy as np

from nonlocal_keras.data import sampling
from nonlocal_keras.data import views
from nonlocal_keras.data.scaling import Scaling


@dataclasses.dataclass(frozen=True)
class ClipSpec:
    """What a model takes: the clip and its normalization.

    It is spelled here alone: recipes of training extend it, and its serial
    form (`to_config`) is the `preprocessing` of a model and, with `channels`,
    the `input` of a zoo record.

    Attributes:
        frames: Integer, frames per clip. Defaults to `8`.
        stride: Integer, distance between frames of the clip; `None` for one
            frame out of each of `frames` equal parts of the video. Defaults
            to `8`.
        size: Integer, side of the square crop in pixels. Defaults to `224`.
        short_side: Tuple `(low, high)` of integers: for training the shorter
            side of the frame is scaled to a uniform integer of that range;
            for testing to `low`. Defaults to `(256, 320)`.
        flip: Boolean, whether training mirrors half of the clips. Defaults
            to `True`.
        mean: Tuple of 3 floats, of `(rgb / 255 - mean) / std`. Defaults to
            `(0.45, 0.45, 0.45)`.
        std: Tuple of 3 floats, see `mean`. Defaults to
            `(0.225, 0.225, 0.225)`.
        resize: Tuple `(width, height)` of integers to which frames of any
            size are stretched before they are scaled; `None` keeps their
            aspect ratio. Defaults to `None`.
        fps: Float, frames per second for which `stride` is meant: a clip
            counts time, as PySlowFast does, and spans the same seconds of any
            video. `None` counts frames. Defaults to `None`.
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
        """Returns the specification that a model or a zoo record states.

        Args:
            config: Dictionary as `to_config` returns it; what it leaves out
                is as by default. `short_side` may also be a range.
        """
        config = dict(config)
        side = config.get("short_side", cls.short_side)
        if isinstance(side, int):
            config["short_side"] = (side, side)
        for name in ("short_side", "mean", "std", "resize"):
            if config.get(name) is not None:
                config[name] = tuple(config[name])
        return cls(**config)

    def to_config(self):
        """Returns the serial form: what a model needs after its training.

        Example:

        >>> spec = nonlocal_keras.data.ClipSpec(frames=32, stride=2)
        >>> spec.to_config()["short_side"]
        256

        Returns:
            Dictionary of `frames`, `stride`, `size`, `short_side` of the test
            (Integer), `mean` and `std` (lists), and where they are set
            `resize` (list) and `fps`, all of them JSON. The range of
            `short_side` and `flip`, which are of training, are left out.
        """
        config = {
            "frames": self.frames,
            "stride": self.stride,
            "size": self.size,
            "short_side": self.short_side[0],
            "mean": list(self.mean),
            "std": list(self.std),
        }
        if self.resize is not None:
            config["resize"] = list(self.resize)
        if self.fps is not None:
            config["fps"] = self.fps
        return config

    def with_size(self, size):
        """Returns the same clips with crops of another size.

        Args:
            size: Integer, side of the crops in pixels; the shorter side of
                the frames grows where they would not fit in.
        """
        low, high = (max(size, side) for side in self.short_side)
        return dataclasses.replace(self, size=size, short_side=(low, high))

    def scaling(self, short_side=None, nearest=False):
        """Returns the function from the size of a frame to the scaled one.

        Args:
            short_side: Integer, the shorter side in pixels. `None` for that
                of the test. Defaults to `None`.
            nearest: Boolean, whether the longer side is rounded, not cut off.
                Defaults to `False`.

        Returns:
            A `nonlocal_keras.data.scaling.Scaling`.
        """
        side = self.short_side[0] if short_side is None else short_side
        return Scaling(side, self.resize, nearest)

    def preprocess(self, frames, fps=None):
        """Returns the clip in the middle of a video as a model takes it.

        Args:
            frames: uint8 RGB array `(frames, height, width, 3)`: a whole
                video, or just the frames of the clip.
            fps: Float, the frames per second of that video, for a
                specification whose clips count time. `None` if it is that of
                the specification. Defaults to `None`.

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
        """Returns float32 clips of uint8 clips, tensors or arrays."""
        from keras import ops

        return self.standardize(
            ops.cast(clips, "float32"), ops.convert_to_tensor
        )

    def standardize(self, pixels, convert=np.asarray):
        """Returns `(pixels / 255 - mean) / std` of floats of any library.

        Args:
            pixels: Tensor or array of floats whose last axis is RGB.
            convert: Function from an array to a tensor of that library, for
                one that takes no arrays of NumPy, as PyTorch on a GPU.
                Defaults to `numpy.asarray`.
        """
        mean, std = (convert(np.float32(x)) for x in (self.mean, self.std))
        return (pixels / 255.0 - mean) / std


def _checked(frames):
    """Returns frames as an array; raises what they must be otherwise."""
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

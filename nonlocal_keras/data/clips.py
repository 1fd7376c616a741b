"""Clips of a list of videos, a pure function of seed and number.

Clip number `k` of training is decided by `(seed, k)` alone: which video, which
frames, which crop. A run that is killed therefore goes on exactly where it
was, from any step, without a state of the pipeline to save.
"""

import dataclasses
import functools
import threading

import numpy as np
from absl import logging

from nonlocal_keras.data import decode
from nonlocal_keras.data import sampling
from nonlocal_keras.data.scaling import scaled
from nonlocal_keras.data.video_file import VideoError


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
    """

    frames: int = 8
    stride: int = 8
    size: int = 224
    short_side: tuple = (256, 320)
    flip: bool = True
    mean: tuple = (0.45, 0.45, 0.45)
    std: tuple = (0.225, 0.225, 0.225)

    def __post_init__(self):
        low, high = self.short_side
        if not self.size <= low <= high:
            raise ValueError(
                "`short_side` must be a range (low, high) of at least `size`. "
                f"Received: short_side={self.short_side}, size={self.size}"
            )

    @classmethod
    def from_config(cls, config):
        """Makes the specification that a model or a zoo record states.

        Args:
            config: Dictionary of the fields; `short_side` may be one integer.
        """
        config = dict(config)
        side = config.get("short_side", cls.short_side)
        return cls(
            **{
                **config,
                "short_side": (side, side) if isinstance(side, int) else side,
                "mean": tuple(config.get("mean", cls.mean)),
                "std": tuple(config.get("std", cls.std)),
            }
        )

    def preprocess(self, frames):
        """Gives the clip in the middle of a video as a model takes it.

        Args:
            frames: uint8 RGB array `(frames, height, width, 3)`: a whole
                video, or just the frames of the clip.

        Returns:
            float32 array `(1, frames, size, size, 3)`: scaled to the shorter
            side, cropped in the centre, normalized.

        Raises:
            ValueError: If `frames` have another type or shape.
        """
        import keras

        frames = np.asarray(frames)
        if frames.dtype != np.uint8 or frames.ndim != 4 or not frames.size:
            raise ValueError(
                "`frames` must be uint8 of shape (frames, height, width, 3), "
                "as nonlocal_keras.data.read_frames gives them. "
                f"Received: {frames.dtype} of shape {frames.shape}"
            )
        if len(frames) != self.frames:
            (start,) = sampling.view_starts(
                1, self.frames, self.stride, len(frames)
            )
            frames = frames[
                sampling.clip_indices(
                    start, self.frames, self.stride, len(frames)
                )
            ]
        width, height = scaled(
            frames.shape[2], frames.shape[1], self.short_side[0]
        )
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


class ClipReader:
    """Reads clips of a `VideoList`; skips, counts and names broken videos.

    Args:
        videos: A `VideoList`.
        spec: A `ClipSpec`.
        seed: Integer, seed of the training clips.
        cache_bytes: Integer. Decoded videos stay in memory up to that many
            bytes, for small data sets read many times. Defaults to none.

    Raises:
        ValueError: If not one of the videos can be read.
    """

    def __init__(self, videos, spec, seed=0, cache_bytes=0):
        self.videos, self.spec, self.seed = videos, spec, seed
        self.skipped = {}
        self._cache, self._room = {}, cache_bytes
        self._lock = threading.Lock()
        self._order = functools.lru_cache(maxsize=2)(self._permutation)
        if not any(self._readable(i) for i in range(len(videos))):
            first = next(iter(self.skipped.items()))
            raise ValueError(
                f"Not one of the {len(videos)} videos can be read; the first "
                f"failed with: {first[1]}"
            )

    def training_clip(self, number):
        """Gives training clip `number`: uint8 `(T, H, W, 3)` and its label.

        A broken video is replaced by the next one of its epoch.
        """
        epoch, position = divmod(int(number), len(self.videos))
        for offset in range(len(self.videos)):
            # A generator of its own, so that a broken video draws nothing
            # from the clips after it.
            rng = np.random.default_rng([self.seed, int(number), offset])
            index = self._order(epoch)[(position + offset) % len(self.videos)]
            clip = self._try(index, self._random_clip, rng)
            if clip is not None:
                return clip, np.int32(self.videos.labels[index])
        raise ValueError("Not one of the videos can be read any more")

    def test_views(self, index, clips=1, crops=1):
        """Gives all views of video `index`: uint8 `(views, T, H, W, 3)`.

        Returns `None` for a broken video.
        """
        return self._try(index, self._views, clips, crops)

    def _permutation(self, epoch):
        rng = np.random.default_rng([self.seed, epoch])
        return rng.permutation(len(self.videos))

    def _try(self, index, function, *args):
        path = self.videos.paths[index]
        if path in self.skipped:
            return None
        try:
            return function(path, *args)
        except VideoError as error:
            with self._lock:
                if path not in self.skipped:
                    self.skipped[path] = str(error)
                    logging.warning(
                        "Skipping video %d of %d so far: %s",
                        len(self.skipped),
                        len(self.videos),
                        error,
                    )
            return None

    def _readable(self, index):
        first = self._try(index, lambda path: decode.read_frames(path, [0]))
        return first is not None

    def _random_clip(self, path, rng):
        spec = self.spec
        low, high = spec.short_side
        side = int(rng.integers(low, high + 1))
        total = self._count(path)
        start = sampling.random_start(rng, spec.frames, spec.stride, total)
        indices = sampling.clip_indices(start, spec.frames, spec.stride, total)
        frames = self._read(path, indices, total, side)
        _, height, width, _ = frames.shape
        top = int(rng.integers(0, height - spec.size + 1))
        left = int(rng.integers(0, width - spec.size + 1))
        frames = frames[:, top : top + spec.size, left : left + spec.size]
        if spec.flip and rng.integers(2):
            frames = frames[:, :, ::-1]
        return np.ascontiguousarray(frames)

    def _views(self, path, clips, crops):
        spec, total = self.spec, self._count(path)
        starts = sampling.view_starts(clips, spec.frames, spec.stride, total)
        indices = np.concatenate(
            [
                sampling.clip_indices(start, spec.frames, spec.stride, total)
                for start in starts
            ]
        )
        # All clips at once: the file is decoded in one pass.
        frames = self._read(path, indices, total, spec.short_side[0])
        _, height, width, _ = frames.shape
        whole = frames.reshape(-1, spec.frames, height, width, 3)
        corners = sampling.crop_offsets(crops, height, width, spec.size)
        views = [
            clip[:, top : top + spec.size, left : left + spec.size]
            for clip in whole
            for top, left in corners
        ]
        if len(corners) < crops:
            views += [view[:, :, ::-1] for view in views]
        return np.stack(views)

    def _count(self, path):
        frames = self._cache.get((path, self.spec.short_side[0]))
        return decode.count_frames(path) if frames is None else len(frames)

    def _read(self, path, indices, total, side):
        frames = self._cache.get((path, side))
        if frames is not None:
            return frames[indices]
        if self._room <= 0:
            return decode.read_frames(path, indices, side)
        frames = decode.read_frames(path, range(total), side)
        with self._lock:
            if (path, side) not in self._cache and frames.nbytes <= self._room:
                self._cache[path, side] = frames
                self._room -= frames.nbytes
        return frames[indices]

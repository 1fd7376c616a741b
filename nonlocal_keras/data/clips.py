"""Clips of a list of videos, a pure function of seed and number.

Clip number `k` of training is decided by `(seed, k)` alone: which video, which
frames, which crop. A run that is killed therefore goes on exactly where it
was, from any step, without a state of the pipeline to save.
"""

import functools
import threading

import numpy as np
from absl import logging

from nonlocal_keras.data import decode
from nonlocal_keras.data import sampling
from nonlocal_keras.data import views
from nonlocal_keras.data.video_file import VideoError


def frame_rate(path, spec):
    """Returns the frame rate of a video, for clips that count time.

    Args:
        path: String or path of a video file.
        spec: A `ClipSpec`.

    Returns:
        Float, frames per second; `None` for clips that count frames.

    Raises:
        VideoError: If clips count time, and the file does not tell its rate.
    """
    if spec.fps is None:
        return None
    rate = decode.video_info(path).frame_rate
    if not rate:
        raise VideoError(
            f"{path}: the file does not tell its frame rate, which clips "
            f"that count time (fps={spec.fps}) need"
        )
    return rate


class ClipReader:
    """Reads clips of a `VideoList`; skips, counts and names broken videos.

    Args:
        videos: A `VideoList`.
        spec: A `ClipSpec`.
        seed: Integer, seed of the training clips. Defaults to `0`.
        cache_bytes: Integer. Decoded videos stay in memory up to that many
            bytes, for small data sets read many times. Defaults to `0`.

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
            problem = next(iter(self.skipped.values()))
            if len(videos) > 1:
                problem = (
                    f"Not one of the {len(videos)} videos can be read; the "
                    f"first failed with: {problem}"
                )
            raise ValueError(problem)

    def training_clip(self, number):
        """Returns a training clip and its label.

        Args:
            number: Integer, number of the clip in the run. A broken video is
                replaced by the next one of its epoch.

        Returns:
            Tuple of a uint8 array `(frames, size, size, 3)` and an int32
            label.

        Raises:
            ValueError: If not one of the videos can be read any more.
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

    def test_views(self, index, clips=1, crops=1, rule="vnl", size=None):
        """Returns all views of a video.

        Args:
            index: Integer, position in the list of videos.
            clips: Integer, clips per video; one stands in its middle.
                Defaults to `1`.
            crops: Integer, crops per clip: 1, 3 or 10. Defaults to `1`.
            rule: String, where clips and crops lie: see
                `nonlocal_keras.data.view_indices`. Defaults to `"vnl"`.
            size: Integer, side of the crops in pixels. `None` for that of
                the specification. Defaults to `None`.

        Returns:
            uint8 array `(views, frames, size, size, 3)`: the views of the
            first clip, then those of the second, and so on. `None` for a
            broken video.
        """
        spec = self.spec if size is None else self.spec.with_size(size)
        return self._try(index, self._views, spec, clips, crops, rule)

    def _permutation(self, epoch):
        rng = np.random.default_rng([self.seed, epoch])
        return rng.permutation(len(self.videos))

    def _try(self, index, function, *args):
        path = self.videos.paths[index]
        # Also if it failed before: a clip must not depend on those that were
        # read before it. What is no video at all fails at once.
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
        total, rate = self._count(path), frame_rate(path, self.spec)
        clip = (spec.frames, spec.stride, total, rate and rate / spec.fps)
        start = sampling.random_start(rng, *clip)
        indices = sampling.clip_indices(start, *clip)
        frames = self._read(path, indices, total, spec.scaling(side))
        _, height, width, _ = frames.shape
        top = int(rng.integers(0, height - spec.size + 1))
        left = int(rng.integers(0, width - spec.size + 1))
        frames = frames[:, top : top + spec.size, left : left + spec.size]
        if spec.flip and rng.integers(2):
            frames = frames[:, :, ::-1]
        return np.ascontiguousarray(frames)

    def _views(self, path, spec, clips, crops, rule):
        total = self._count(path)
        indices = views.view_indices(
            rule,
            clips,
            spec.frames,
            spec.stride,
            total,
            spec.fps,
            frame_rate(path, self.spec),
        )
        scaling = spec.scaling(nearest=views.rounds_to_nearest(rule))
        # All clips at once: the file is decoded in one pass.
        frames = self._read(path, indices.ravel(), total, scaling)
        _, height, width, _ = frames.shape
        whole = frames.reshape(-1, spec.frames, height, width, 3)
        corners = views.view_corners(rule, crops, height, width, spec.size)
        found = [
            clip[:, top : top + spec.size, left : left + spec.size]
            for clip in whole
            for top, left in corners
        ]
        if len(corners) < crops:
            found += [view[:, :, ::-1] for view in found]
        return np.stack(found)

    def _count(self, path):
        frames = self._cache.get((path, self.spec.scaling()))
        return decode.count_frames(path) if frames is None else len(frames)

    def _read(self, path, indices, total, scaling):
        frames = self._cache.get((path, scaling))
        if frames is not None:
            return frames[indices]
        info = decode.video_info(path)
        width, height = scaling(info.width, info.height)
        if total * height * width * 3 > self._room:
            return decode.read_frames(path, indices, scaling)
        frames = decode.read_frames(path, range(total), scaling)
        with self._lock:
            key = (path, scaling)
            if key not in self._cache and frames.nbytes <= self._room:
                self._cache[key] = frames
                self._room -= frames.nbytes
        return frames[indices]

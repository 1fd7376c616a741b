"""Which frames a video file has, kept in memory once they are counted."""

import array
import bisect
import collections
import dataclasses
import os
import threading

from absl import logging

from nonlocal_keras.data import foreign_file
from nonlocal_keras.data import video_file

# Memory of all indices together, in bytes; the least recently used go first.
CACHE_BYTES = 2**26


@dataclasses.dataclass(frozen=True)
class FrameIndex:
    """The frames of a video file in the order in which they are shown.

    Attributes:
        frames: Integer, number of frames.
        width: Integer, width in pixels of the first frame as it is shown; all
            others are scaled to it.
        height: Integer, its height.
        frame_rate: Float, average number of frames per second; `None` if the
            file does not tell.
        orientation: Tuple of 3 booleans: how frames are turned to be shown;
            see `picture.orientation`. Defaults to `(False, False, False)`.
        times: Sequence of increasing integers, the time stamps of the frames;
            `None` where frames have none or not their own, so that they can
            only be counted from the start. Defaults to `None`.
        keys: Tuple of increasing tuples `(frame, time, size)` of the packets
            from which decoding may begin. Defaults to `()`.
        damage: String that says what cannot be decoded, or `None`. Defaults
            to `None`.
    """

    frames: int
    width: int
    height: int
    frame_rate: float | None
    orientation: tuple = (False, False, False)
    times: range | array.array | None = None
    keys: tuple = ()
    damage: str | None = None

    def key_before(self, frame):
        """Returns the last packet from which a frame can be decoded.

        Args:
            frame: Integer, number of the frame.

        Returns:
            One of `keys`, or `None`.
        """
        place = bisect.bisect_right(self.keys, (frame, float("inf")))
        return self.keys[place - 1] if place else None

    @property
    def nbytes(self):
        """Integer, about the memory of the index."""
        each = 8 if isinstance(self.times, array.array) else 0
        return 1000 + each * self.frames + 200 * len(self.keys)


class IndexCache:
    """Indices of files by path, time of change and size, within a memory.

    What is no video is remembered as well, so that it fails at once the next
    time.

    Args:
        build: Function from a path to its `FrameIndex`.
        limit: Integer, bytes of all indices together. Defaults to
            `CACHE_BYTES`.
    """

    def __init__(self, build, limit=CACHE_BYTES):
        self._build, self._limit, self._used = build, limit, 0
        self._kept = collections.OrderedDict()
        self._lock = threading.Lock()
        # A file is counted once, also when several threads ask for it.
        self._locks = [threading.Lock() for _ in range(64)]

    def __call__(self, path):
        found = foreign_file.require(path, "video", video_file.VideoError)
        key = (os.path.abspath(path), found.st_mtime_ns, found.st_size)
        with self._locks[hash(key) % len(self._locks)]:
            with self._lock:
                index = self._kept.get(key)
                if index is not None:
                    self._kept.move_to_end(key)
            if index is None:
                index = self._build_or_error(path)
                self._keep(key, index)
        if isinstance(index, Exception):
            raise video_file.VideoError(str(index))
        return index

    def _build_or_error(self, path):
        try:
            index = self._build(path)
        except video_file.VideoError as error:
            return error
        if index.damage:
            logging.warning("%s: the video is damaged; %s", path, index.damage)
        return index

    def _keep(self, key, index):
        # A fault of the machine, such as too many open files, may pass.
        cause = getattr(index, "__cause__", None)
        if isinstance(cause, (OSError, MemoryError)):
            return
        with self._lock:
            self._kept[key] = index
            self._used += _nbytes(index)
            while self._used > self._limit:
                self._used -= _nbytes(self._kept.popitem(last=False)[1])


def _nbytes(index):
    return getattr(index, "nbytes", 1000)

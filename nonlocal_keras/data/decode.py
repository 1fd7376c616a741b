"""Reads chosen frames of a video file with PyAV."""

import bisect
import dataclasses
import functools
import itertools

import numpy as np
from absl import logging

from nonlocal_keras.data import picture
from nonlocal_keras.data import video_file
from nonlocal_keras.data.counting import MIN_SHARE
from nonlocal_keras.data.counting import index_frames
from nonlocal_keras.data.video_file import VideoError

# Frames that are rather decoded than jumped over: a jump costs as much.
JUMP = 16


@dataclasses.dataclass(frozen=True)
class VideoInfo:
    """What is known of a video without reading its frames.

    Attributes:
        frames: Integer, number of frames that decode and are shown.
        frame_rate: Float, average number of frames per second; `None` if the
            file does not tell.
        width: Integer, width in pixels of the frames as they are shown.
        height: Integer, their height.
    """

    frames: int
    frame_rate: float | None
    width: int
    height: int


def video_info(path):
    """Returns the number, rate and size of the frames of a video.

    Example:

    >>> nonlocal_keras.data.video_info("clip.mp4")
    VideoInfo(frames=64, frame_rate=25.0, width=320, height=240)

    The frames are those that decode and are shown, whatever the header says.
    They are counted once per process and file.

    Args:
        path: String or path of a video file.

    Returns:
        A `VideoInfo`.

    Raises:
        VideoError: If the file is missing, no video, or so damaged that most
            of it does not decode.
    """
    index = index_frames(path)
    return VideoInfo(index.frames, index.frame_rate, index.width, index.height)


def count_frames(path):
    """Counts the frames of a video; see `video_info`.

    Args:
        path: String or path of a video file.

    Returns:
        Integer.

    Raises:
        VideoError: As `video_info`.
    """
    return index_frames(path).frames


def read_frames(path, indices, short_side=None):
    """Decodes chosen frames as RGB, as a player shows them.

    Frames are turned as the file's display matrix says. Their pixels are taken
    as square, also where the file says otherwise. A video whose size changes
    is scaled to that of its first frame. Decoding begins at the last key frame
    before each wanted frame where that gives the same frames as decoding from
    the start.

    Example:

    >>> frames = nonlocal_keras.data.read_frames("clip.mp4", [0, 8, 16])
    >>> frames.shape
    (3, 240, 320, 3)

    Args:
        path: String or path of a video file.
        indices: Sequence of integers, numbers of frames from 0, in any
            order, repeated or not.
        short_side: Integer, the shorter side in pixels after scaling; the
            longer side keeps the aspect ratio. A function of the width and
            height of a frame, such as `ClipSpec.scaling()`, gives any other
            size. `None` for no scaling. Defaults to `None`.

    Returns:
        uint8 array of shape `(len(indices), height, width, 3)`.

    Raises:
        VideoError: If a frame cannot be decoded.
    """
    import av

    index = index_frames(path)
    indices = np.asarray(indices, int)
    wanted = np.unique(indices)
    if wanted.size and not 0 <= wanted[0] <= wanted[-1] < index.frames:
        outside = [i for i in indices if not 0 <= i < index.frames]
        raise VideoError(
            f"{path}: the video has no frame {outside[0]}; it has "
            f"{index.frames}, counted from 0"
        )
    size = picture.target_size(path, index.width, index.height, short_side)
    clip = np.empty((len(wanted), size[1], size[0], 3), np.uint8)
    # One for the whole clip: a new one per frame would cost its threads.
    reformatter = av.video.reformatter.VideoReformatter()
    places = {int(i): place for place, i in enumerate(wanted)}

    def keep(number, frame):
        with video_file.errors_named(path, f"frame {number} is no picture"):
            clip[places[number]] = picture.to_rgb(
                reformatter, frame, *size, index.orientation
            )

    if not _by_jumps(path, index, list(places), keep):
        _from_start(path, index, list(places), keep)
    return clip[np.searchsorted(wanted, indices)]


def _by_jumps(path, index, wanted, keep):
    """Decodes from key frames on; `False` where that is not sure."""
    runs = []
    for number in wanted:
        key = index.key_before(number)
        if key is None:
            return False
        if not runs or key[0] > runs[-1][1][-1] + JUMP:
            runs.append((key, [number]))
        else:
            runs[-1][1].append(number)
    with video_file.open_video(path) as (container, stream):
        for key, numbers in runs:
            # Program and transport streams have no table of times; a search
            # there ends somewhat after the time.
            earlier = index.key_before(key[0] - 1)
            if not any(
                _run(container, stream, index, since, numbers, keep)
                for since in ((key, earlier) if earlier else (None,))
            ):
                return False
    return True


def _run(container, stream, index, since, numbers, keep):
    """Decodes from a key on; `False` if others come than these frames.

    Without a key, `since` is `None`, decoding goes on where the file stands.
    """
    starts = {key[1:]: key[0] for key in index.keys}

    def begins(packet):
        return (packet.pts, packet.size) in starts

    try:
        if since:
            container.seek(since[1], stream=stream)
    except Exception:  # A file that cannot be searched.
        return False
    expected, wanted = None, set(numbers)
    for packet, frames, error in video_file.decoded(
        container, stream, begin=begins
    ):
        if expected is None:
            expected = starts.get((packet.pts, packet.size))
            # Not where it should be: this container searches too roughly.
            if expected is None or expected > numbers[0]:
                return False
            first = index.times[expected]
        if error is not None:
            return False
        for frame in frames:
            if frame.pts is not None and frame.pts < first:
                continue  # Shown before the key, on frames before the key.
            if frame.is_corrupt or frame.pts != index.times[expected]:
                return False
            if expected in wanted:
                keep(expected, frame)
            if expected == numbers[-1]:
                return True
            expected += 1
    return False


def _from_start(path, index, wanted, keep):
    """Decodes from the start.

    A frame that was promised and does not come is shown as a player shows it:
    as the frame before it. That is damage inside of a packet, which counting
    packets does not see.
    """
    left, before, lost = list(reversed(wanted)), None, 0
    with video_file.open_video(path) as (container, stream):
        decoded = video_file.decoded(container, stream)
        frames = itertools.chain.from_iterable(part for _, part, _ in decoded)
        for number, frame in enumerate(frames):
            if index.times is not None and frame.pts is not None:
                number = bisect.bisect_left(index.times, frame.pts)
            while left and left[-1] < number:
                keep(left.pop(), before or frame)
                lost += 1
            if left and left[-1] == number:
                keep(left.pop(), frame)
            before = frame
            if not left:
                break
        lost += len(left)
        while left and before is not None:
            keep(left.pop(), before)
    if lost > (1 - MIN_SHARE) * len(wanted) or left:
        raise VideoError(
            f"{path}: {lost} of {len(wanted)} frames cannot be decoded"
        )
    if lost:
        _warn_of_lost_frames(path)


@functools.lru_cache(maxsize=10_000)  # Once for each file.
def _warn_of_lost_frames(path):
    logging.warning(
        "%s: the video is damaged; frames that cannot be decoded are shown as "
        "the frame before them",
        path,
    )

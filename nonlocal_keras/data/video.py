"""Reads chosen frames of a video file with PyAV."""

import numpy as np

from nonlocal_keras.data.scaling import scaled


class VideoError(ValueError):
    """A video file that cannot be decoded; the message names it."""


def count_frames(path):
    """Counts the frames of a video.

    Args:
        path: String or path of a video file.

    Returns:
        Integer, from the header if it is there, else by reading the packets.

    Raises:
        VideoError: If the file is missing, empty, truncated or no video.
    """
    with _open(path) as container:
        stream = _video_stream(container, path)
        total = stream.frames or _count_packets(container, stream, path)
    if not total:
        raise VideoError(f"{path}: the video has no frame")
    return total


def read_frames(path, indices, short_side=None):
    """Decodes chosen frames as RGB.

    Example:

    >>> frames = nonlocal_keras.data.read_frames("clip.mp4", [0, 8, 16])
    >>> frames.shape
    (3, 256, 340, 3)

    Args:
        path: String or path of a video file.
        indices: Sequence of frame indices, in any order, repeated or not.
        short_side: Integer, the shorter side in pixels after scaling; the
            longer side keeps the aspect ratio. A function of the width and
            height of a frame, such as `ClipSpec.scaling()`, gives any other
            size. `None` for no scaling.

    Returns:
        uint8 array of shape `(len(indices), height, width, 3)`.

    Raises:
        VideoError: If a frame cannot be decoded.
    """
    import av  # Slow to import, and no layer needs it.

    indices = [int(i) for i in indices]
    wanted, frames = set(indices), {}
    # One for the whole clip: a new one per frame would cost its threads.
    scaler = av.video.reformatter.VideoReformatter()
    with _open(path) as container:
        stream = _video_stream(container, path)
        for index, frame in enumerate(_decode(container, stream, path)):
            if index in wanted:
                frames[index] = _to_rgb(scaler, frame, short_side)
            if len(frames) == len(wanted):
                break
    missing = sorted(wanted - set(frames))
    if missing:
        raise VideoError(
            f"{path}: the video ends before frame {missing[0]}; it is "
            "truncated or its header counts too many frames"
        )
    return np.stack([frames[i] for i in indices])


def _open(path):
    import av

    try:
        return av.open(str(path))
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(f"{path}: not a readable video ({error})") from error


def _video_stream(container, path):
    if not container.streams.video:
        raise VideoError(f"{path}: the file has no video stream")
    stream = container.streams.video[0]
    # One clip per thread scales; threads inside a clip cost their start.
    stream.thread_type, stream.thread_count = "NONE", 1
    return stream


def _count_packets(container, stream, path):
    import av

    try:
        return sum(1 for packet in container.demux(stream) if packet.size)
    except av.error.FFmpegError as error:
        raise VideoError(f"{path}: cannot be read ({error})") from error


def _decode(container, stream, path):
    import av

    try:
        yield from container.decode(stream)
    except av.error.FFmpegError as error:
        raise VideoError(f"{path}: cannot be decoded ({error})") from error


def _to_rgb(scaler, frame, short_side):
    width, height = frame.width, frame.height
    if callable(short_side):
        width, height = short_side(width, height)
    elif short_side is not None:
        width, height = scaled(width, height, short_side)
    frame = scaler.reformat(
        frame, width, height, format="rgb24", interpolation="BILINEAR"
    )
    return frame.to_ndarray()

"""Counts the frames of a video file: those that decode and are shown.

The number in a header is no evidence: AVI files count frames that do not
decode, edit lists hide some, files are cut. Where every packet promises one
frame, the packets are counted. In any doubt the file is decoded from its
start.
"""

import array
import bisect

from nonlocal_keras.data import box_tables
from nonlocal_keras.data import packets
from nonlocal_keras.data import picture
from nonlocal_keras.data import video_file
from nonlocal_keras.data.frame_index import FrameIndex
from nonlocal_keras.data.frame_index import IndexCache

# If less than this share of the packets decodes, the file is refused.
MIN_SHARE = 0.5
# Pixels that are decoded at most to count one file: five hours of 640 x 360
# at 30 frames per second, about half an hour on one core.
MAX_DECODED_PIXELS = 2**37
# Samples that a file may declare. A sample takes a byte or more, but files of
# old QuickTime count compressed sound as if it were not.
DECLARED_PER_BYTE, MIN_DECLARED = 4, 1_000_000
# Containers that store the time of every packet.
TIMED = ("mov", "matroska")
# Frames between two keys of an index, for codecs that have nothing but keys.
KEY_DISTANCE = 8


def count(path):
    """Returns the `FrameIndex` of a file, counted anew.

    Args:
        path: String or path of a video file.

    Raises:
        VideoError: If it is no video, or too damaged.
    """
    with video_file.errors_named(path, "not a readable video"):
        with open(path, "rb") as file:
            declared = box_tables.declared_samples(file)
            size = file.seek(0, 2)
    if declared > max(MIN_DECLARED, DECLARED_PER_BYTE * size):
        raise video_file.VideoError(
            f"{path}: not a readable video (it declares {declared} samples in "
            f"{size} bytes)"
        )
    with video_file.open_video(path) as (container, stream):
        index = _by_packets(container, stream)
    if index is None:
        with video_file.open_video(path) as (container, stream):
            index = _by_decoding(container, stream, path)
    return index


def _by_packets(container, stream):
    """Indexes without decoding; `None` where that is not sure."""
    if container.format.name.split(",")[0] not in TIMED:
        return None
    promise, first = _promises(stream), None
    times, shown, keys, last = [], [], [], None
    for packet, frames, error in video_file.decoded(
        container, stream, until_frame=True
    ):
        first = first or next(iter(frames), None)
        if packet is not None and not packet.size and packet.dts is None:
            continue  # The last one, which only flushes the decoder.
        if error or packet.is_corrupt or None in (packet.pts, packet.dts):
            return None
        promised = promise(packet)
        begun = promised.clean if last is None else packet.dts > last
        if not promised.one_frame or not begun:
            return None
        last = packet.dts
        times.append(packet.pts)
        if not packet.is_discard:
            shown.append(packet.pts)
        if promised.clean:
            keys.append((packet.pts, packet.size))
    shown.sort()
    # Two of one time, or frames before the first key frame, may be dropped.
    unsure = not shown or len(set(times)) < len(times) or min(times) < times[0]
    if unsure or first is None or first.pts != shown[0]:
        return None
    return _index(stream, first, shown, keys)


def _by_decoding(container, stream, path):
    promise, first, last = _promises(stream), None, None
    times, keys, failed, flawed, pixels = [], [], 0, 0, 0
    for packet, frames, error in video_file.decoded(container, stream):
        cut = packet is not None and packet.is_corrupt
        if packet is not None and packet.size:
            failed += error is not None
            flawed += cut and error is None
            if packet.pts is not None and promise(packet).clean:
                keys.append((packet.pts, packet.size))
        for frame in frames:
            first = first or frame
            times.append(frame.pts)
            flawed += frame.is_corrupt and not cut
            pixels += frame.width * frame.height
        last = error or last
        if pixels > MAX_DECODED_PIXELS:
            raise video_file.VideoError(
                f"{path}: the video is too long to be decoded only to count "
                f"its frames (more than {MAX_DECODED_PIXELS} pixels); put it "
                "into an MP4 or MKV file, or cut it"
            )
    if not times or len(times) < MIN_SHARE * (len(times) + failed):
        reason = f"; the last error was: {last}" if last else ""
        raise video_file.VideoError(
            f"{path}: the video cannot be decoded; {len(times)} frames come "
            f"out, and {failed} packets fail{reason}"
        ) from last
    damage = None
    if last or flawed:
        damage = (
            f"{failed} packets cannot be decoded and {flawed} frames have "
            f"flaws; {len(times)} frames are used"
        )
    return _index(stream, first, times, keys, damage)


def _promises(stream):
    context = stream.codec_context
    return packets.reader(context.codec.canonical_name, context.extradata)


def _index(stream, first, times, keys, damage=None):
    orientation = picture.orientation(first)
    width, height = picture.shown_size(first, orientation)
    found = len(times)
    if None in times or any(a >= b for a, b in zip(times, times[1:])):
        times, keys = None, []
    return FrameIndex(
        frames=found,
        width=width,
        height=height,
        frame_rate=_rate(stream, times),
        orientation=orientation,
        times=times and _compact(times),
        # What damage leaves of a frame may depend on all frames before it.
        keys=() if damage else tuple(_thinned(times, keys)),
        damage=damage,
    )


def _rate(stream, times):
    """Returns the rate that the file tells, if its times agree."""
    told = float(stream.average_rate or 0)
    if times and len(times) > 1:
        span = (times[-1] - times[0]) * float(stream.time_base)
        measured = (len(times) - 1) / span
        if abs(told - measured) > 0.1 * measured:
            return measured
    return told or None


def _compact(times):
    """Returns the times, a `range` where frames have a constant rate."""
    step = times[1] - times[0] if len(times) > 1 else 1
    even = range(times[0], times[0] + step * len(times), step)
    return even if times == list(even) else array.array("q", times)


def _thinned(times, keys):
    last = -KEY_DISTANCE
    for time, size in keys:
        frame = bisect.bisect_left(times, time)
        if frame < len(times) and frame >= last + KEY_DISTANCE:
            yield frame, time, size
            last = frame


# The function from the path of a file to its `FrameIndex`, from memory if it is
# there. Raises `VideoError` for what is no video, or too damaged.
index_frames = IndexCache(count)

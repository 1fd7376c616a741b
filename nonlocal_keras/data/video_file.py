"""Opens the main stream of a video file, whoever made the file.

A file is input from strangers. It may make the decoder open nothing but the
file itself, allocate no picture beyond `MAX_PIXELS`, and fail only with a
`VideoError`.
"""

import contextlib
import os

from nonlocal_keras.data import foreign_file

# 8K is half of it. Decoders refuse more before they allocate it.
MAX_PIXELS = 2**26

# Formats that hold their pictures themselves. What is missing here on purpose
# reads other files or addresses (playlists: hls, dash, concat, imf, sdp;
# patterns: image2), runs scripts (vapoursynth) or is a device (lavfi, v4l2).
FORMATS = (
    "3gp apng asf av1 avi avs2 avs3 bink cavsvideo cdxl dhav dirac dnxhd dv evc"
    " flic flv gif gxf h261 h263 h264 hevc ipu ivf ivr kux live_flv m4v"
    " matroska mjpeg mlv mov mpeg mpegts mpegvideo mxf nsv nut nuv obu ogg pva"
    " rm roq smk swf ty vc1 vc1test vivo vvc webm wtv xmv yuv4mpegpipe"
).split()


class VideoError(ValueError):
    """A video file that cannot be decoded; the message names it."""


@contextlib.contextmanager
def open_video(path):
    """Opens a file and yields its container and main video stream.

    The main stream is the one that ffmpeg chooses; the picture of a cover is
    none.

    Args:
        path: String or path of a video file.

    Raises:
        VideoError: If the file is missing, or no video.
    """
    import av  # Slow to import, and no layer needs it.

    foreign_file.require(path, "video", VideoError)
    with errors_named(path, "not a readable video"):
        container = av.open(
            # With a protocol in front, a colon in a name is only a colon.
            "file:" + os.path.abspath(path),
            **how_to_decode_titles("replace"),
            options=_decoder_options(),
            container_options={
                "protocol_whitelist": "file",
                "format_whitelist": ",".join(FORMATS),
            },
        )
    with container:
        yield container, _main_stream(container, path)


def how_to_decode_titles(errors):
    """Returns the arguments of `av.open` for titles that are no UTF-8.

    Before its version 19, PyAV raises an error for such titles unless it is
    told otherwise; since then it takes no such argument.

    Args:
        errors: String, what `bytes.decode` takes by that name.
    """
    import av

    before = int(av.__version__.partition(".")[0]) < 19
    return {"metadata_errors": errors} if before else {}


@contextlib.contextmanager
def errors_named(path, what):
    """Turns whatever PyAV raises into a `VideoError` with the file's name.

    Around calls of PyAV alone: its errors are of many classes, from its own to
    those of Python for text, arithmetic and memory.

    Args:
        path: String or path of the file.
        what: String, what is wrong if it raises.
    """
    try:
        yield
    except Exception as error:
        raise VideoError(
            f"{path}: {what} ({type(error).__name__}: {error})"
        ) from error


def decoded(container, stream, begin=None, until_frame=False):
    """Decodes a stream as far as it can be decoded.

    A packet that fails is left behind, as players do. An error between packets
    ends the stream; what the decoder still holds comes out.

    Args:
        container: Container that `open_video` yields.
        stream: Stream that `open_video` yields.
        begin: Function that says of a packet whether decoding begins with it.
            `None` for the first one. Defaults to `None`.
        until_frame: Boolean, whether packets after the first frame are only
            read. Defaults to `False`.

    Yields:
        Tuples of a packet, the list of its frames and its error or `None`. The
        packet is `None` if there is no further one because of the error.
    """
    packets, begun, frames = container.demux(stream), begin is None, []
    while True:
        try:
            packet = next(packets, None)
        except Exception as error:
            yield None, _frames(stream, None)[0] if begun else [], error
            return
        if packet is None:
            return
        begun = begun or begin(packet)
        if not begun:
            continue
        decode = not (until_frame and frames)
        frames, error = _frames(stream, packet) if decode else (frames, None)
        yield packet, frames, error


def _frames(stream, packet):
    try:
        return stream.decode(packet), None
    except Exception as error:
        return [], error


def _decoder_options():
    return {"max_pixels": str(MAX_PIXELS), "threads": "1"}


def _main_stream(container, path):
    from av.stream import Disposition

    streams = [s for s in container.streams.video if s.codec_context]
    moving = [
        s for s in streams if not s.disposition & Disposition.attached_pic
    ]
    if not moving:
        reason = "its only picture is a cover" if streams else "no video stream"
        raise VideoError(f"{path}: not a readable video ({reason})")

    def score(stream):
        default = bool(stream.disposition & Disposition.default)
        return stream.width * stream.height + 5_000_000 * default

    stream = max(moving, key=score)  # The rule of ffmpeg.
    if stream.width * stream.height > MAX_PIXELS:
        raise VideoError(
            f"{path}: frames of {stream.width} x {stream.height} pixels are "
            f"not decoded; at most {MAX_PIXELS} pixels are"
        )
    # One clip per thread decodes; threads inside cost their start, and hold
    # frames back.
    stream.thread_type, stream.thread_count = "NONE", 1
    stream.codec_context.options = _decoder_options()
    return stream

"""Small video files for tests."""

import av
import numpy as np

from nonlocal_keras.data import video_file

# Codec and options by the suffix of a file, with a key frame every 10 frames.
KINDS = {
    ".mp4": ("libx264", {"bf": "2", "x264-params": "open-gop=1"}),
    ".mov": ("prores_ks", {}),
    ".mkv": ("libx265", {"x265-params": "log-level=none:bframes=3"}),
    ".webm": ("libvpx-vp9", {"cpu-used": "8", "deadline": "realtime"}),
    ".avi": ("mpeg4", {"bf": "2"}),
    ".mpg": ("mpeg2video", {"bf": "2"}),
    ".ts": ("libx264", {"bf": "2"}),
    ".flv": ("flv", {}),
    ".wmv": ("wmv2", {}),
    ".3gp": ("h263", {}),
    ".gif": ("gif", {}),
    ".h264": ("libx264", {}),
}


def write_video(path, frames=12, height=36, width=48, value=None, **options):
    """Writes an H.264 file whose frame `i` is a grey of `8 * i`, or `value`."""
    greys = [8 * i if value is None else value for i in range(frames)]
    images = [np.full((height, width, 3), grey, "uint8") for grey in greys]
    return write_images(path, images, codec="libx264", crf="1", **options)


def moving_images(frames, height=144, width=176):
    """Draws noise of 8 x 8 pixels that moves."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (height // 8, width // 8, 3), "uint8")
    image = noise.repeat(8, axis=0).repeat(8, axis=1)
    return [np.roll(image, (i, 3 * i), (0, 1)) for i in range(frames)]


def write_kind(path, frames=40):
    """Writes a moving pattern with the codec that goes with the suffix."""
    codec, options = KINDS[path.suffix]
    return write_images(path, moving_images(frames), codec, **options)


def write_images(
    path,
    images,
    codec="libx264",
    rate=10,
    setup=None,
    container=None,
    **options,
):
    """Encodes RGB images.

    Args:
        path: Path of the file; its suffix is the container.
        images: List of uint8 arrays `(height, width, 3)`.
        codec: String, name of the encoder.
        rate: Integer, frames per second.
        setup: Function that changes the opened container and its stream.
        container: Dictionary of options of the container.
        **options: Options of the encoder, as text.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, _ = images[0].shape
    with av.open(
        str(path),
        "w",
        options=container or {},
        **video_file.how_to_decode_titles("surrogateescape"),
    ) as output:
        stream = output.add_stream(codec, rate=rate)
        stream.width, stream.height = width, height
        formats = stream.codec_context.codec.video_formats
        stream.pix_fmt = formats[0].name if formats else "yuv420p"
        if any(known.name == "yuv420p" for known in formats or ()):
            stream.pix_fmt = "yuv420p"
        stream.options = {"g": "10", "threads": "1", **options}
        if setup:
            setup(output, stream)
        for image in images:
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def remux(source, path, change=None, **options):
    """Copies the packets of a file into another container.

    Args:
        source, path: Paths.
        change: Function from a packet to the one that is written, or `None`.
        **options: Options of the container.
    """
    with (
        av.open(str(source)) as old,
        av.open(str(path), "w", options=options) as new,
    ):
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if packet.dts is None:
                continue
            packet = change(packet) if change else packet
            if packet is not None:
                packet.stream = stream
                new.mux(packet)
    return path


def spoiled(packet):
    """Gives a packet of the same time whose content is noise."""
    noise = np.random.default_rng(packet.dts).bytes(packet.size)
    new = av.Packet(noise)
    new.pts, new.dts, new.time_base = packet.pts, packet.dts, packet.time_base
    new.is_keyframe = packet.is_keyframe
    return new


def plain_frames(path):
    """Decodes a whole file with PyAV alone: uint8 RGB, from the start."""
    with av.open(str(path)) as container:
        return [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]


def write_classes(root, classes=("a", "b"), each=3, brighter=0, **options):
    """Writes `each` videos per class in Kinetics layout, no two of them equal.

    Those of another split are equal unless they are some greys brighter.
    """
    for position, name in enumerate(classes):
        for index in range(each):
            write_video(
                root / name / f"{index}.mp4",
                value=40 + 120 * position + index + brighter,
                **options,
            )
    return root


def truncate(path, keep=0.5):
    """Cuts the end of a file off."""
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])


def overwrite(path, start, content):
    """Writes bytes over a place of a file, given as a share of its length."""
    data = bytearray(path.read_bytes())
    place = int(start * len(data))
    data[place : place + len(content)] = content
    path.write_bytes(bytes(data))


def touch(root, *names):
    """Makes empty files, for what asks for names alone."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

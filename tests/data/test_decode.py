"""Which frames of a video file are read, and how they are shown."""

import av
import numpy as np
import pytest

from nonlocal_keras import data
from tests.support import videos


@pytest.fixture
def clip(tmp_path):
    return videos.write_video(tmp_path / "clip.mp4", frames=12)


def greys(path):
    """The grey of each frame, which counts up by 8."""
    frames = data.read_frames(path, range(data.count_frames(path)))
    return np.round(frames.mean(axis=(1, 2, 3)) / 8).astype(int).tolist()


def test_counts_the_frames(clip):
    assert data.count_frames(clip) == 12


def test_tells_number_rate_and_size_of_the_frames(clip):
    assert data.video_info(clip) == data.VideoInfo(12, 10.0, 48, 36)


def test_reads_the_frames_that_were_asked_for_in_their_order(clip):
    frames = data.read_frames(clip, [7, 0, 7, 3])
    assert frames.shape == (4, 36, 48, 3)
    means = frames.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(means, [56, 0, 56, 24], atol=2)


def test_scales_the_shorter_side(clip):
    assert data.read_frames(clip, [0], short_side=18).shape == (1, 18, 24, 3)
    assert data.read_frames(clip, [0], short_side=54).shape == (1, 54, 72, 3)


@pytest.mark.parametrize("outside", [12, -1])
def test_a_frame_that_is_not_there_is_an_error_that_names_it(clip, outside):
    with pytest.raises(data.VideoError, match=f"clip.mp4.*no frame {outside}"):
        data.read_frames(clip, [3, outside])


# What is shown


# Colors of the corners, clockwise from the top left.
CORNERS = ("red", "green", "blue", "white")
RGB = {
    "red": (250, 0, 0),
    "green": (0, 250, 0),
    "blue": (0, 0, 250),
    "white": (250, 250, 250),
}


def write_corners(path, **turn):
    image = np.zeros((32, 48, 3), "uint8")
    image[:16, :24], image[:16, 24:] = RGB["red"], RGB["green"]
    image[16:, 24:], image[16:, :24] = RGB["blue"], RGB["white"]

    def setup(_, stream):
        if turn:
            stream.set_display_rotation(**turn)

    return videos.write_images(path, [image] * 2, setup=setup)


def corners(path):
    (frame,) = data.read_frames(path, [1])
    seen = [frame[4, 4], frame[4, -4], frame[-4, -4], frame[-4, 4]]
    names = [
        min(RGB, key=lambda n: np.abs(np.subtract(RGB[n], pixel)).sum())
        for pixel in seen
    ]
    return tuple(names), frame.shape[:2]


# Angles count against the clock, as ffmpeg's do.
@pytest.mark.parametrize(
    ("turn", "expected", "shape"),
    [
        ({}, "red green blue white", (32, 48)),
        ({"degrees": 90}, "green blue white red", (48, 32)),
        ({"degrees": 180}, "blue white red green", (32, 48)),
        ({"degrees": -90}, "white red green blue", (48, 32)),
        ({"degrees": 0, "hflip": True}, "green red white blue", (32, 48)),
        ({"degrees": 0, "vflip": True}, "white blue green red", (32, 48)),
    ],
)
def test_frames_are_turned_as_the_file_says(tmp_path, turn, expected, shape):
    path = write_corners(tmp_path / "turned.mp4", **turn)
    assert corners(path) == (tuple(expected.split()), shape)
    info = data.video_info(path)
    assert (info.height, info.width) == shape


def test_a_turned_video_is_scaled_as_it_is_shown(tmp_path):
    path = write_corners(tmp_path / "turned.mov", degrees=90)
    assert data.read_frames(path, [0], 64).shape == (1, 96, 64, 3)


def test_a_size_that_changes_is_scaled_to_the_first(tmp_path):
    raw = tmp_path / "both.h264"
    parts = [
        videos.write_video(tmp_path / "a.h264", 5, 36, 48),
        videos.write_video(tmp_path / "b.h264", 4, 64, 32, value=80),
    ]
    raw.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = data.read_frames(raw, range(9))
    assert frames.shape == (9, 36, 48, 3)
    np.testing.assert_allclose(frames[5:].mean(axis=(1, 2, 3)), 80, atol=2)


def test_pixels_count_as_square(tmp_path):
    def wide(_, stream):
        stream.codec_context.sample_aspect_ratio = 2

    images = [np.zeros((32, 48, 3), "uint8")] * 2
    path = videos.write_images(tmp_path / "wide.mp4", images, setup=wide)
    with av.open(str(path)) as container:
        assert container.streams.video[0].sample_aspect_ratio == 2
    assert data.read_frames(path, [0]).shape == (1, 32, 48, 3)


# Which stream


def write_streams(path, sizes, cover=None):
    """Writes a grey stream per size; `cover` is the place of a picture."""
    with av.open(str(path), "w") as output:
        streams = []
        for place, (height, width) in enumerate(sizes):
            codec = "png" if place == cover else "libx264"
            stream = output.add_stream(codec, rate=10)
            stream.width, stream.height = width, height
            stream.pix_fmt = "rgb24" if place == cover else "yuv420p"
            if place == cover:
                stream.disposition = av.stream.Disposition.attached_pic
            streams.append(stream)
        for place, stream in enumerate(streams):
            for _ in range(1 if place == cover else 5):
                image = np.zeros((stream.height, stream.width, 3), "uint8")
                frame = av.VideoFrame.from_ndarray(image)
                output.mux(stream.encode(frame))
            output.mux(stream.encode())
    return path


def test_the_larger_of_two_streams_is_the_video(tmp_path):
    path = write_streams(tmp_path / "two.mkv", [(32, 32), (48, 64)])
    assert data.read_frames(path, [4]).shape == (1, 48, 64, 3)


def test_a_cover_beside_a_video_is_not_the_video(tmp_path):
    sizes = [(256, 256), (48, 64)]
    path = write_streams(tmp_path / "cover.mp4", sizes, cover=0)
    assert data.count_frames(path) == 5
    assert data.read_frames(path, [4]).shape == (1, 48, 64, 3)


def test_a_cover_alone_is_no_video(tmp_path):
    path = write_streams(tmp_path / "song.m4a.mp4", [(64, 64)], cover=0)
    with pytest.raises(data.VideoError, match="song.*only picture is a cover"):
        data.count_frames(path)


def test_sound_alone_is_no_video(tmp_path):
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("aac", rate=8000)
        silence = np.zeros((1, 1024), "float32")
        frame = av.AudioFrame.from_ndarray(silence, "fltp", "mono")
        frame.sample_rate = 8000
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    with pytest.raises(data.VideoError, match="song.mp4.*no video stream"):
        data.count_frames(path)


# Which frames


def test_a_header_that_counts_too_many_is_not_believed(tmp_path):
    path = videos.write_kind(tmp_path / "clip.avi")
    content = path.read_bytes()
    for at in (content.index(b"avih") + 24, content.index(b"strh") + 40):
        assert content[at : at + 4] == (40).to_bytes(4, "little")
        content = content[:at] + (41).to_bytes(4, "little") + content[at + 4 :]
    path.write_bytes(content)
    assert data.count_frames(path) == 40


def test_frames_before_an_edit_are_hidden(tmp_path):
    source = videos.write_video(tmp_path / "whole.mp4", frames=25, g="10")

    def earlier(packet):
        shift = round(0.6 / packet.time_base)
        packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
        return packet

    path = videos.remux(
        source,
        tmp_path / "edited.mp4",
        earlier,
        avoid_negative_ts="disabled",
        use_editlist="1",
    )
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 25
    assert greys(path) == list(range(6, 25))


def test_a_cut_file_has_the_frames_that_are_left(tmp_path, caplog):
    source = videos.write_kind(tmp_path / "whole.mp4")
    path = videos.remux(source, tmp_path / "c.mp4", movflags="faststart")
    whole = data.read_frames(path, range(40))
    videos.truncate(path, 0.6)
    with caplog.at_level("WARNING"):
        total = data.count_frames(path)
        data.read_frames(path, [total - 1])
    assert 10 < total < 40
    np.testing.assert_array_equal(
        data.read_frames(path, range(total - 3)), whole[: total - 3]
    )
    assert caplog.text.count("c.mp4: the video is damaged; 1 packets") == 1


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".avi", ".ts", ".flv"])
def test_a_cut_file_of_another_kind_is_read_to_its_end(tmp_path, suffix):
    path = videos.write_kind(tmp_path / f"clip{suffix}")
    videos.truncate(path, 0.7)
    total = data.count_frames(path)
    assert 10 < total < 40
    assert len(data.read_frames(path, range(total))) == total


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".avi"])
def test_damage_in_the_middle_costs_few_frames(tmp_path, suffix, caplog):
    path = videos.write_kind(tmp_path / f"clip{suffix}")
    videos.overwrite(path, 0.5, bytes(6000))
    with caplog.at_level("WARNING"):
        total = data.count_frames(path)
        frames = data.read_frames(path, range(total))
    assert 25 <= total <= 40 and len(frames) == total
    # A reader of Matroska goes on after damage without a word.
    assert ("damaged" in caplog.text) == (suffix in (".mp4", ".avi"))


def write_spoiled(tmp_path, spoil, suffix=".mp4"):
    source = videos.write_video(tmp_path / "whole.mp4", frames=30)
    number = iter(range(30))
    return videos.remux(
        source,
        tmp_path / f"spoiled{suffix}",
        lambda p: videos.spoiled(p) if spoil(next(number)) else p,
    )


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_packet_of_noise_is_left_out(tmp_path, suffix):
    path = write_spoiled(tmp_path, lambda n: n in (11, 17), suffix)
    assert data.count_frames(path) == 28


def test_a_file_of_which_most_does_not_decode_is_refused(tmp_path):
    path = write_spoiled(tmp_path, lambda n: n > 10)
    message = "spoiled.mp4: the video cannot be decoded.*19 packets fail"
    with pytest.raises(data.VideoError, match=message):
        data.count_frames(path)

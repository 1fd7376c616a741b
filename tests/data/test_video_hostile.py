"""Files that are no videos, or mean harm: frames or a `VideoError`."""

import os
import resource
import socket
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from nonlocal_keras import data
from nonlocal_keras.data import counting
from tests.support import videos


@pytest.fixture
def clip(tmp_path):
    return videos.write_video(tmp_path / "clip.mp4", frames=12)


def refused(path, message):
    with pytest.raises(data.VideoError, match=message):
        data.count_frames(path)
    with pytest.raises(data.VideoError, match=message):
        data.read_frames(path, [0])


def test_an_empty_file_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "empty.mp4"
    path.touch()
    refused(path, "empty.mp4")


def test_a_file_without_its_table_is_an_error_that_names_it(clip):
    videos.truncate(clip)
    refused(clip, "clip.mp4")


def test_a_text_file_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "notes.mp4"
    path.write_text("not a video\n" * 100)
    refused(path, "notes.mp4")


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    refused(tmp_path / "gone.mp4", "gone.mp4.*No such file")


def test_a_name_that_no_file_can_have_is_an_error():
    refused("a\0b.mp4", "b.mp4: not a readable video")


def test_a_folder_is_an_error(tmp_path):
    refused(tmp_path, "not a regular file")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    refused(tmp_path / "pipe.mp4", "pipe.mp4.*not a regular file")


# What is read, although it looks odd


@pytest.mark.parametrize(
    "name", ["12:30:05.mp4", "http:a.mp4", "a%03d.mp4", "-i.mp4", "ä é.mp4"]
)
def test_a_file_with_an_odd_name_is_read(clip, name, monkeypatch):
    monkeypatch.chdir(clip.parent)
    clip.rename(clip.parent / name)
    assert data.count_frames(name) == 12
    assert len(data.read_frames(name, [11])) == 1


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_a_file_with_an_odd_title_is_read(tmp_path, suffix):
    def title(container, _):
        container.metadata["title"] = b"caf\xe9".decode(
            errors="surrogateescape"
        )

    images = [np.zeros((32, 48, 3), "uint8")] * 3
    path = tmp_path / f"titled{suffix}"
    videos.write_images(path, images, setup=title)
    assert b"caf\xe9" in path.read_bytes()
    assert data.count_frames(path) == 3


# What would open something else


def test_an_address_is_refused_without_being_asked():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        host = f"127.0.0.1:{server.getsockname()[1]}"
        for scheme in ("http", "rtsp", "tcp"):
            refused(f"{scheme}://{host}/a.mp4", "addresses are not opened")
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("prefix", ["file:", "concat:", "subfile,,:", "data:,"])
def test_a_protocol_is_no_file(clip, prefix):
    refused(f"{prefix}{clip}", "not opened|No such file")


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{}'\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\n"
        "m=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'>"
        "<BaseURL>{}</BaseURL></MPD>",
    ],
    ids=["hls", "concat", "sdp", "dash"],
)
def test_a_playlist_opens_no_other_file(clip, text):
    path = clip.parent / "list.mp4"
    path.write_text(text.format(clip))
    refused(path, "list.mp4: not a readable video")


# What would take all memory, or never end


def peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_frames_of_four_billion_pixels_are_not_allocated(tmp_path):
    before = peak_memory()
    path = tmp_path / "huge.gif"
    videos.write_kind(path, frames=2)
    content = bytearray(path.read_bytes())
    content[6:10] = b"\xff\xff\xff\xff"
    path.write_bytes(bytes(content))
    refused(path, "huge.gif: the video cannot be decoded")
    assert peak_memory() - before < 2e8


def test_a_table_of_samples_that_are_not_there_is_not_allocated(clip):
    before = peak_memory()
    content = bytearray(clip.read_bytes())
    at = content.index(b"stsz") + 8
    content[at : at + 8] = struct.pack(">II", 1, 50_000_000)
    clip.write_bytes(bytes(content))
    refused(clip, "it declares 50000000 samples in")
    assert peak_memory() - before < 2e8


def test_tables_that_lie_in_each_other_without_end_are_left(tmp_path):
    path = tmp_path / "deep.mp4"
    boxes = [struct.pack(">I4s", 8 * n, b"moov") for n in range(5000, 0, -1)]
    path.write_bytes(b"".join(boxes))
    refused(path, "deep.mp4: not a readable video")


def test_a_strip_is_not_scaled_beyond_all_measure(tmp_path):
    images = [np.zeros((16, 6000, 3), "uint8")] * 2
    path = videos.write_images(tmp_path / "strip.mp4", images)
    assert data.read_frames(path, [1], 32).shape == (1, 32, 12000, 3)
    with pytest.raises(data.VideoError, match="strip.mp4.*scaled to 96000 x"):
        data.read_frames(path, [1], 256)


def test_counting_by_decoding_has_an_end(tmp_path, monkeypatch):
    path = videos.write_kind(tmp_path / "long.avi")
    monkeypatch.setattr(counting, "MAX_DECODED_PIXELS", 30 * 144 * 176)
    refused(path, "long.avi: the video is too long to be decoded only to count")


# Any bytes


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    return {
        suffix: videos.write_kind(folder / f"clip{suffix}", 20).read_bytes()
        for suffix in videos.KINDS
    }


def frames_or_error(path):
    """Reads a file; fails for any error but a `VideoError` that names it."""
    try:
        total = data.count_frames(path)
        frames = data.read_frames(path, range(min(total, 50)), 24)
        last = data.read_frames(path, [total - 1, 0], 24)
    except data.VideoError as error:
        assert str(path) in str(error)
    else:
        assert len(frames) == min(total, 50) and frames.shape[3] == 3
        assert last.shape == (2, *frames.shape[1:])


edits = st.lists(
    st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=40)),
    min_size=1,
    max_size=6,
)
many = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@many
@given(st.sampled_from(sorted(videos.KINDS)), edits, st.floats(0.2, 1))
def test_damaged_bytes_give_frames_or_an_error(
    tmp_path, originals, suffix, edits, keep
):
    content = bytearray(originals[suffix])
    for place, noise in edits:
        start = int(place * len(content))
        content[start : start + len(noise)] = noise
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(bytes(content[: int(len(content) * keep)]))
    frames_or_error(path)


@many
@given(st.binary(max_size=4000), st.sampled_from(sorted(videos.KINDS)))
def test_any_bytes_give_frames_or_an_error(tmp_path, originals, noise, suffix):
    for head in (0, 64):
        path = tmp_path / f"noise{suffix}"
        path.write_bytes(originals[suffix][:head] + noise)
        frames_or_error(path)

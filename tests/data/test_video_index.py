"""Frames are counted once, and decoded from a key frame near to them."""

import functools
import os
import threading

import av
import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from nonlocal_keras import data
from nonlocal_keras.data import counting
from nonlocal_keras.data import frame_index
from nonlocal_keras.data import video_file
from tests.support import videos

FRAMES = 40


@pytest.fixture(scope="module")
def kinds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    paths = {s: videos.write_kind(folder / f"a{s}") for s in videos.KINDS}
    closed = videos.write_images(
        folder / "closed.mp4", videos.moving_images(FRAMES), bf="2"
    )
    return {**paths, "closed": closed}


NAMES = [*videos.KINDS, "closed"]


@pytest.mark.parametrize("name", NAMES)
def test_every_kind_of_file_has_the_frames_that_it_was_given(kinds, name):
    assert data.count_frames(kinds[name]) == FRAMES
    # A raw stream tells no rate; ffmpeg takes 25.
    rate = 25 if name == ".h264" else 10
    assert data.video_info(kinds[name]).frame_rate == pytest.approx(rate, 0.02)


plain_frames = functools.cache(videos.plain_frames)
indices = st.one_of(
    st.lists(st.integers(0, FRAMES - 1), min_size=1, max_size=6),
    st.builds(
        lambda start, stride: [(start + stride * i) % FRAMES for i in range(8)],
        st.integers(0, FRAMES - 1),
        st.integers(1, 8),
    ),
)


@pytest.mark.parametrize("name", NAMES)
@settings(
    deadline=None,
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(chosen=indices)
def test_chosen_frames_are_those_of_decoding_from_the_start(
    kinds, name, chosen
):
    whole = plain_frames(kinds[name])
    np.testing.assert_array_equal(
        data.read_frames(kinds[name], chosen), [whole[i] for i in chosen]
    )


@pytest.fixture
def decoded(monkeypatch):
    """Counts the packets that are decoded from now on."""
    counts, original = [], video_file._frames

    def counted(stream, packet):
        counts.append(packet)
        return original(stream, packet)

    monkeypatch.setattr(video_file, "_frames", counted)
    return counts


# An H.264 with open groups has one place only where decoding may begin;
# the others are GIF, H.263 and a stream without times.
SEARCHABLE = [
    name for name in NAMES if name not in (".mp4", ".gif", ".3gp", ".h264")
]


@pytest.mark.parametrize("name", SEARCHABLE)
def test_a_frame_at_the_end_costs_no_frames_from_the_start(
    kinds, name, decoded
):
    data.count_frames(kinds[name])
    decoded.clear()
    data.read_frames(kinds[name], [FRAMES - 1])
    # One group of ten, or two where the search is rough, and what waits.
    assert len(decoded) <= 25


def test_far_frames_are_jumped_to_and_near_ones_decoded(tmp_path, decoded):
    images = videos.moving_images(200, height=32, width=48)
    path = videos.write_images(tmp_path / "long.mp4", images, bf="0")
    data.count_frames(path)
    decoded.clear()
    frames = data.read_frames(path, [0, 100, 199])
    assert len(decoded) <= 3 + 20
    whole = videos.plain_frames(path)
    np.testing.assert_array_equal(frames, [whole[i] for i in (0, 100, 199)])


def test_packets_are_counted_where_each_promises_a_frame(tmp_path, decoded):
    images = videos.moving_images(60, height=32, width=48)
    for name, codec in [("a.mp4", "libx264"), ("b.webm", "libvpx-vp9")]:
        decoded.clear()
        path = videos.write_images(tmp_path / name, images, codec)
        assert data.count_frames(path) == 60
        assert len(decoded) < 60 / 2


def test_other_files_are_decoded_once_to_count_them(kinds, decoded):
    for _ in range(3):
        assert counting.count(kinds[".avi"]).frames == FRAMES
    assert len(decoded) == 3 * (FRAMES + 1)
    decoded.clear()
    for _ in range(3):
        data.count_frames(kinds[".avi"])
    assert len(decoded) <= FRAMES + 1


def test_a_file_is_counted_once_by_all_threads(tmp_path):
    path, calls = videos.write_video(tmp_path / "a.mp4"), []
    index = frame_index.IndexCache(lambda p: calls.append(p) or entry())
    threads = [threading.Thread(target=index, args=(path,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1


def entry(frames=10):
    return frame_index.FrameIndex(frames, 48, 36, 10.0)


def test_a_file_that_has_changed_is_counted_again(tmp_path):
    path = videos.write_video(tmp_path / "a.mp4", frames=12)
    assert data.count_frames(path) == 12
    videos.write_video(path, frames=7)
    os.utime(path, (1, 1))
    assert data.count_frames(path) == 7


def test_what_is_no_video_is_found_out_once(tmp_path):
    path, calls = tmp_path / "no.mp4", []
    path.write_text("no video")

    def build(name):
        calls.append(name)
        raise data.VideoError(f"{name}: no video")

    index = frame_index.IndexCache(build)
    for _ in range(3):
        with pytest.raises(data.VideoError, match="no.mp4: no video"):
            index(path)
    assert len(calls) == 1


def test_a_fault_that_may_pass_is_not_remembered(tmp_path):
    path, calls = videos.write_video(tmp_path / "a.mp4"), []

    def build(name):
        calls.append(name)
        if len(calls) == 1:
            with video_file.errors_named(name, "not a readable video"):
                raise OSError("too many open files")
        return entry()

    index = frame_index.IndexCache(build)
    with pytest.raises(data.VideoError, match="too many open files"):
        index(path)
    assert index(path).frames == 10


def test_indices_keep_within_their_memory(tmp_path):
    paths = [videos.write_video(tmp_path / f"{i}.mp4", 2) for i in range(6)]
    calls = []
    index = frame_index.IndexCache(
        lambda path: calls.append(path) or entry(), limit=3500
    )
    for path in paths:
        index(path)
    index(paths[-1])
    assert len(index._kept) == 3 and len(calls) == 6
    index(paths[0])
    assert len(calls) == 7


@pytest.mark.parametrize(
    "error", [UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "x"), OverflowError()]
)
def test_every_error_of_the_decoder_names_the_file(
    tmp_path, monkeypatch, error
):
    path = videos.write_video(tmp_path / "a.mp4")

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(av, "open", fail)
    message = f"a.mp4: not a readable video.*{type(error).__name__}"
    with pytest.raises(data.VideoError, match=message):
        data.count_frames(path)


def test_a_flawed_frame_does_not_depend_on_what_else_is_read(tmp_path):
    images = videos.moving_images(12)
    path = videos.write_images(
        tmp_path / "cut.avi", images, "mjpeg", strict="unofficial"
    )
    content = path.read_bytes()
    last = content.rindex(b"00dc", 0, content.rindex(b"idx1"))
    path.write_bytes(content[: last + 1500])
    total = data.count_frames(path)
    assert total == 12 and counting.index_frames(path).damage
    whole = data.read_frames(path, range(total))
    for chosen in ([11], [3, 11], [10, 11]):
        np.testing.assert_array_equal(
            data.read_frames(path, chosen), whole[chosen]
        )


def test_a_frame_lost_to_hidden_damage_shows_the_one_before(
    tmp_path, monkeypatch, caplog
):
    path = videos.write_video(tmp_path / "a.mp4", frames=30, bf="0", g="30")
    index = counting.index_frames(path)
    assert index.damage is None
    original = video_file._frames

    def lossy(stream, packet):
        frames, error = original(stream, packet)
        lost = [f for f in frames if f.pts == index.times[11]]
        return [f for f in frames if f not in lost], error

    monkeypatch.setattr(video_file, "_frames", lossy)
    with caplog.at_level("WARNING"):
        frames = data.read_frames(path, [9, 11, 13])
    means = frames.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(means, [72, 80, 104], atol=2)
    assert "a.mp4: the video is damaged; frames that" in caplog.text
    with pytest.raises(data.VideoError, match="a.mp4: 1 of 1 frames cannot"):
        data.read_frames(path, [11])

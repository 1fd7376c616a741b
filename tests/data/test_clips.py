import dataclasses

import numpy as np
import pytest

from nonlocal_keras import data
from tests.support import videos

SPEC = data.ClipSpec(frames=4, stride=2, size=24, short_side=(24, 32))


@pytest.fixture
def root(tmp_path):
    return videos.write_classes(tmp_path / "train", frames=10)


def reader(root, **options):
    return data.ClipReader(data.list_videos(root), SPEC, **options)


def take(dataset, number):
    batches = list(dataset.take(number).as_numpy_iterator())
    return [x for x, _ in batches], [y for _, y in batches]


def test_batches_have_the_shape_and_normalization_of_the_spec(root):
    (clips,), (labels,) = take(
        data.training_dataset(reader(root), batch_size=3), 1
    )
    assert clips.shape == (3, 4, 24, 24, 3) and clips.dtype == np.float32
    expected = (np.where(labels == 0, 40, 160) / 255 - 0.45) / 0.225
    np.testing.assert_allclose(
        clips.mean(axis=(1, 2, 3, 4)), expected, atol=0.05
    )


def test_a_dataset_from_step_2_goes_on_exactly(root):
    whole, labels = take(data.training_dataset(reader(root), 2), 4)
    rest, rest_labels = take(
        data.training_dataset(reader(root), 2, start_step=2), 2
    )
    np.testing.assert_array_equal(rest, whole[2:])
    np.testing.assert_array_equal(rest_labels, labels[2:])


def test_another_seed_gives_other_clips(root):
    a, _ = take(data.training_dataset(reader(root, seed=1), 6), 1)
    b, _ = take(data.training_dataset(reader(root, seed=2), 6), 1)
    assert np.abs(a[0] - b[0]).max() > 0.1


def test_every_video_is_seen_once_per_epoch(root):
    order = reader(root)._order
    assert sorted(order(0)) == list(range(6))
    assert list(order(0)) != list(order(1))


def test_the_cache_changes_nothing(root):
    plain, cached = reader(root), reader(root, cache_bytes=10_000_000)
    for _ in range(2):  # The second time from memory.
        for number in range(6):
            a, b = plain.training_clip(number), cached.training_clip(number)
            np.testing.assert_array_equal(a[0], b[0])
    assert cached._cache


def test_the_cache_keeps_within_its_bytes(root):
    limited = reader(root, cache_bytes=30_000)
    for number in range(12):
        limited.training_clip(number)
    assert sum(f.nbytes for f in limited._cache.values()) <= 30_000


def test_a_broken_video_is_skipped_counted_and_named(root, caplog):
    videos.truncate(root / "a" / "1.mp4")
    broken = reader(root)
    with caplog.at_level("WARNING"):
        labels = [int(broken.training_clip(n)[1]) for n in range(12)]
    assert len(broken.skipped) == 1 and len(labels) == 12
    assert "a/1.mp4" in caplog.text and "Skipping video 1 of 6" in caplog.text


def test_a_broken_video_leaves_the_other_clips_as_they_were(root):
    whole = [reader(root).training_clip(n) for n in range(6)]
    index = int(reader(root)._order(0)[2])
    path = data.list_videos(root).paths[index]
    videos.truncate(root / path.split("/")[-2] / path.split("/")[-1])
    broken = reader(root)
    for number in (0, 1, 3, 4, 5):
        np.testing.assert_array_equal(
            broken.training_clip(number)[0], whole[number][0]
        )


def test_a_clip_does_not_depend_on_failures_before_it(root, monkeypatch):
    """A run that goes on from a step sees none of the failures before it."""
    original = data.decode.read_frames

    def fragile(path, indices, *args):
        if str(path).endswith("a/1.mp4") and np.max(indices) > 7:
            raise data.VideoError(f"{path}: damaged towards its end")
        return original(path, indices, *args)

    monkeypatch.setattr(data.decode, "read_frames", fragile)
    going_on = reader(root)
    clips = [going_on.training_clip(n) for n in range(30)]
    assert list(going_on.skipped) == [str(root / "a" / "1.mp4")]
    for number in (29, 17, 5):
        (a, label), (b, same) = (
            clips[number],
            reader(root).training_clip(number),
        )
        assert label == same
        np.testing.assert_array_equal(a, b)


def test_a_damaged_video_is_used_and_named_once(tmp_path, caplog):
    source = videos.write_kind(tmp_path / "whole.mp4")
    path = tmp_path / "train" / "a" / "cut.mp4"
    path.parent.mkdir(parents=True)
    videos.remux(source, path, movflags="faststart")
    videos.truncate(path, 0.7)
    with caplog.at_level("WARNING"):
        opened = reader(tmp_path / "train")
        clips = [opened.training_clip(n)[0] for n in range(5)]
    assert len(clips) == 5 and not opened.skipped
    assert caplog.text.count("cut.mp4: the video is damaged") == 1


def test_a_video_larger_than_the_cache_is_not_decoded_whole(root, monkeypatch):
    calls, read = [], data.decode.read_frames
    limited = reader(root, cache_bytes=1000)
    monkeypatch.setattr(
        data.decode, "read_frames", lambda *a: calls.append(a) or read(*a)
    )
    limited.training_clip(0)
    assert len(calls) == 1 and len(calls[0][1]) == SPEC.frames


def test_a_data_set_without_a_readable_video_is_an_error(root):
    for path in root.glob("*/*"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="Not one of the 6 videos can be read"):
        reader(root)


def test_views_of_a_broken_video_are_none(root):
    (root / "b" / "0.mp4").write_bytes(b"x" * 1000)
    opened = reader(root)
    index = [p.endswith("b/0.mp4") for p in opened.videos.paths].index(True)
    assert opened.test_views(index) is None
    assert opened.test_views(0, clips=2, crops=3).shape == (6, 4, 24, 24, 3)


def stretched(root, **options):
    spec = data.ClipSpec(
        frames=4, stride=2, size=24, short_side=(24, 32), resize=(40, 24)
    )
    return data.ClipReader(data.list_videos(root), spec, **options)


def test_frames_are_stretched_in_training_and_test(tmp_path):
    root = tmp_path / "upright"
    videos.write_video(root / "a" / "0.mp4", frames=9, height=96, width=48)
    opened = stretched(root)
    assert opened.test_views(0, crops=3).shape == (3, 4, 24, 24, 3)
    read = opened._read(opened.videos.paths[0], [0], 9, opened.spec.scaling())
    assert read.shape == (1, 24, 40, 3)
    clip, _ = opened.training_clip(0)
    assert clip.shape == (4, 24, 24, 3)
    frames = data.read_frames(opened.videos.paths[0], range(9))
    whole = opened.spec.preprocess(frames)
    assert whole.shape == (1, 4, 24, 24, 3)


def test_a_stretched_frame_shows_what_a_crop_of_the_aspect_leaves_out():
    # Upright, white above and below: a crop of the kept aspect is all black.
    frames = np.zeros((4, 96, 48, 3), "uint8")
    frames[:, :20] = frames[:, -20:] = 255
    spec = data.ClipSpec(frames=4, stride=2, size=24, short_side=(24, 24))
    assert np.unique(spec.preprocess(frames)).size == 1
    wide = data.ClipSpec(
        frames=4, stride=2, size=24, short_side=(24, 24), resize=(40, 24)
    )
    clip = wide.preprocess(frames)[0, 0, :, :, 0]
    assert (clip[0] > 2).all() and (clip[12] < -1).all()


def timed(root, fps, **options):
    spec = data.ClipSpec(
        frames=4, stride=2, size=24, short_side=(24, 24), fps=fps
    )
    return data.ClipReader(data.list_videos(root), spec, **options)


def grey_of(views):
    """Frame `i` of `write_video` is a grey of `8 * i`."""
    return np.round(views.mean(axis=(2, 3, 4)) / 8).astype(int).tolist()


def test_views_count_time_where_fps_says_so(tmp_path):
    # 10 frames per second.
    videos.write_video(tmp_path / "a" / "0.mp4", frames=24)
    assert grey_of(timed(tmp_path, 10).test_views(0, 2)) == [
        [0, 2, 4, 7],
        [12, 14, 16, 19],
    ]
    # A stride that is meant for 5 frames per second spans twice as many.
    assert grey_of(timed(tmp_path, 5).test_views(0, 2, rule="pyslowfast")) == [
        [0, 5, 10, 15],
        [4, 9, 14, 19],
    ]


def test_training_clips_count_time_where_fps_says_so(tmp_path):
    videos.write_video(tmp_path / "a" / "0.mp4", frames=24)
    for number in range(5):
        clip, _ = timed(tmp_path, 5, seed=number).training_clip(0)
        (grey,) = grey_of(clip[None])
        assert grey[3] - grey[0] == 15 and grey[3] < 24


def test_a_video_without_a_frame_rate_is_skipped_where_time_counts(
    tmp_path, monkeypatch
):
    videos.write_video(tmp_path / "a" / "0.mp4", frames=24)
    opened = timed(tmp_path, 5)
    known = data.decode.video_info
    monkeypatch.setattr(
        data.decode,
        "video_info",
        lambda path: dataclasses.replace(known(path), frame_rate=None),
    )
    assert opened.test_views(0) is None
    (reason,) = opened.skipped.values()
    assert "0.mp4: the file does not tell its frame rate" in reason


def test_preprocess_takes_the_frame_rate_of_the_frames():
    grey = np.arange(40, dtype="uint8")[:, None, None, None]
    frames = grey * np.ones((1, 24, 24, 3), "uint8")
    one = spec(short_side=(24, 24), fps=30)

    def chosen(**options):
        clip = one.preprocess(frames, **options)[0, :, 0, 0, 0]
        return np.round((clip * 0.225 + 0.45) * 255).tolist()

    assert chosen() == [16, 18, 20, 23]
    assert chosen(fps=30) == chosen()
    assert chosen(fps=60) == [12, 17, 22, 27]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"resize": (340,)}, "`resize` must be .width, height.*340"),
        ({"resize": (0, 256)}, "`resize` must be .width, height"),
        ({"fps": 0}, "`fps` must be a number above 0.*fps=0, stride=8"),
        ({"fps": float("nan")}, "`fps` must be a number above 0.*nan"),
        ({"fps": 30, "stride": None}, "`fps` must be.*stride=None"),
    ],
)
def test_fields_that_make_no_clip_are_refused(fields, words):
    with pytest.raises(ValueError, match=words):
        data.ClipSpec(**fields)


def test_a_specification_is_made_of_json():
    made = data.ClipSpec.from_config(
        {"short_side": 256, "resize": [340, 256], "fps": 30, "std": [1, 1, 1]}
    )
    assert made == data.ClipSpec(
        short_side=(256, 256), resize=(340, 256), fps=30, std=(1, 1, 1)
    )


def test_a_crop_larger_than_the_frame_is_refused():
    with pytest.raises(ValueError, match="`short_side`.*size=64"):
        data.ClipSpec(size=64, short_side=(48, 48))


def test_half_of_ten_crops_are_mirrored(root):
    views = reader(root).test_views(0, clips=2, crops=10)
    assert views.shape == (20, 4, 24, 24, 3)
    np.testing.assert_array_equal(views[10:], views[:10, :, :, ::-1])


def test_all_clips_of_a_video_are_decoded_in_one_pass(root, monkeypatch):
    calls, read = [], data.decode.read_frames
    opened = reader(root)
    monkeypatch.setattr(
        data.decode, "read_frames", lambda *a: calls.append(a) or read(*a)
    )
    one = opened.test_views(0, clips=1)
    views = opened.test_views(0, clips=3)
    assert len(calls) == 2 and len(views) == 3 and len(one) == 1


def spec(**options):
    return data.ClipSpec(frames=4, stride=2, size=24, **options)


def test_preprocess_takes_the_middle_clip_and_the_centre():
    frames = np.arange(20, dtype="uint8")[:, None, None, None] * np.ones(
        (1, 24, 40, 3), "uint8"
    )
    clip = spec(short_side=(24, 24)).preprocess(frames)
    assert clip.shape == (1, 4, 24, 24, 3) and clip.dtype == np.float32
    grey = (clip[0, :, 0, 0, 0] * 0.225 + 0.45) * 255
    np.testing.assert_allclose(grey, [6, 8, 10, 12], atol=1e-3)


def test_preprocess_takes_the_frames_of_a_clip_as_they_are():
    frames = np.random.default_rng(0).integers(0, 256, (4, 24, 24, 3), "uint8")
    one = spec(short_side=(24, 24))
    expected = np.asarray(one.normalize(frames))
    np.testing.assert_allclose(one.preprocess(frames)[0], expected, atol=1e-6)


def test_preprocess_scales_the_shorter_side():
    frames = np.full((4, 60, 90, 3), 77, "uint8")
    clip = spec(short_side=(30, 40)).preprocess(frames)
    expected = (77 / 255 - 0.45) / 0.225
    np.testing.assert_allclose(clip, np.full_like(clip, expected), rtol=1e-5)


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((4, 24, 24, 3), "float32"),
        np.zeros((24, 24, 3), "uint8"),
        np.zeros((0, 24, 24, 3), "uint8"),
        np.zeros((4, 24, 24, 4), "uint8"),
        np.zeros((4, 3, 24, 24), "uint8"),
        [np.zeros((24, 24, 3), "uint8"), np.zeros((32, 24, 3), "uint8")],
        ["a.jpg", "b.jpg"],
    ],
    ids="float image empty rgba channels_first ragged names".split(),
)
def test_preprocess_refuses_what_are_no_frames(frames):
    with pytest.raises(ValueError, match="`frames` must be uint8 RGB of shape"):
        spec(short_side=(24, 24)).preprocess(frames)

"""What a signature takes of a request, before it makes anything of it."""

import io

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from nonlocal_keras import models
from nonlocal_keras.data import ClipSpec
from nonlocal_keras.export import limits
from nonlocal_keras.export import pixels

SPEC = ClipSpec(frames=4, stride=2, size=16, short_side=(20, 20))
WIDE = ClipSpec(frames=4, stride=2, size=224, short_side=(256, 256))


@tf.function(
    input_signature=[tf.TensorSpec((None, None), "string")], autograph=False
)
def clips_of_jpeg(frames):
    return pixels.clips_of_jpeg(frames, SPEC)


def picture(height=24, width=32, mode="RGB"):
    places = np.linspace(0, 255, height * width * 3).reshape(height, width, 3)
    return Image.fromarray(places.astype("uint8")).convert(mode)


def encoded(image, kind="JPEG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def ask(*images):
    return clips_of_jpeg(tf.constant([images]))


def refused(words, *images):
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        ask(*images)


# === Encoded pictures ===


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "WEBP", "TIFF"])
def test_pictures_of_other_kinds_are_refused_with_their_place(kind):
    good, other = encoded(picture()), encoded(picture(), kind)
    refused(
        r"must be JPEG files, which begin with the bytes FF D8 FF.*"
        r"signature `video`.*\[video\] \[0\] \[frame\] \[2\]",
        good,
        good,
        other,
        good,
    )


def test_the_place_is_counted_in_what_was_sent():
    good = encoded(picture())
    # Of 16 frames the clip has number 4, 6, 8 and 10.
    images = [good] * 8 + [b"no picture"] + [good] * 7
    refused(r"\[frame\] \[8\]", *images)
    images = [b"never looked at"] + [good] * 15
    assert ask(*images).shape == (1, 4, 16, 16, 3)


@pytest.mark.parametrize("broken", [b"", b"\xff", b"\xff\xd8"])
def test_a_file_of_no_length_is_no_picture(broken):
    refused("must be JPEG files", broken)


@pytest.mark.parametrize("kept", [3, 100, -200, -2])
def test_a_picture_that_is_cut_off_is_refused(kept):
    refused("JPEG", encoded(picture(100, 100))[:kept])


@pytest.mark.parametrize("mode", ["L", "CMYK", "YCbCr"])
@pytest.mark.parametrize("progressive", [False, True])
def test_grey_and_cmyk_pictures_become_what_pillow_makes(mode, progressive):
    file = encoded(picture(mode=mode), progressive=progressive, quality=95)
    image = np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))
    np.testing.assert_allclose(
        ask(file), SPEC.preprocess(image[None]), atol=1e-5
    )


def test_the_pixels_are_counted_before_they_are_decoded():
    # Decoding it would be another error, since there are too few.
    file = bytearray(encoded(picture()))
    at = file.index(b"\xff\xc0") + 5
    file[at : at + 4] = (60000).to_bytes(2, "big") * 2
    refused(
        r"pictures of at most 33,554,432 pixels.*\[60000 60000 3\]", bytes(file)
    )


def test_the_pixels_of_a_request_are_counted_together(monkeypatch):
    monkeypatch.setattr(limits, "DECODED_PIXELS", 4 * 24 * 32 - 1)
    good = encoded(picture())
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"(?s)3,071 pixels together.*3072"
    ):
        pixels.clips_of_jpeg(tf.constant([[good] * 4]), SPEC)
    # A frame that comes four times into a short clip is decoded once.
    clip = pixels.clips_of_jpeg(tf.constant([[good]]), SPEC)
    assert clip.shape == (1, 4, 16, 16, 3)


@hypothesis.settings(deadline=None, max_examples=40)
@hypothesis.given(st.data())
def test_any_bytes_give_a_clip_or_an_error_of_the_client(data):
    file = bytearray(encoded(picture()))
    if data.draw(st.booleans(), "damaged, not drawn"):
        for _ in range(data.draw(st.integers(1, 8))):
            at = data.draw(st.integers(2, len(file) - 1))
            file[at] = data.draw(st.integers(0, 255))
    else:
        file = data.draw(st.sampled_from([b"", limits.JPEG]))
        file += data.draw(st.binary(max_size=200))
    try:
        clip = ask(bytes(file))
    except tf.errors.InvalidArgumentError:
        return
    assert -2.01 < np.min(clip) <= np.max(clip) < 2.45


# === Memory ===


@pytest.mark.parametrize(
    "shape", [(1, 4, 1, 200_000, 3), (1, 4, 200_000, 1, 3), (1, 1, 1, 1, 3)]
)
def test_thin_frames_take_no_memory(shape):
    # Scaled whole to 256 pixels, a row would become 157 GB.
    clip = pixels.clips(tf.zeros(shape, "uint8"), WIDE)
    assert clip.shape == (1, 4, 224, 224, 3)


@pytest.mark.parametrize("size", [(3, 500), (500, 3), (17, 19), (256, 256)])
def test_a_crop_is_that_of_the_scaled_frame_to_the_bit(size):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, *size, 3), "uint8")
    height, width = (max(int(n * (20 / min(size)) + 1e-6), 20) for n in size)
    scaled = tf.image.resize(images, (height, width))
    top, left = (height - 16) // 2, (width - 16) // 2
    np.testing.assert_array_equal(
        pixels._crop(tf.constant(images), SPEC),
        scaled[:, top : top + 16, left : left + 16],
    )


def test_videos_are_as_few_as_their_clips_are_large():
    assert limits.most_videos(SPEC) == limits.VIDEOS
    large = ClipSpec(frames=32, size=256)
    assert limits.most_videos(large) == 16
    # One is always taken.
    huge = ClipSpec(frames=64, size=1024, short_side=(1024, 1024))
    assert limits.most_videos(huge) == 1


def test_more_videos_are_refused_with_the_number():
    pictures = tf.zeros((limits.VIDEOS + 1, 1, 1, 1, 3), "uint8")
    words = "(?s)1 to 64 videos of at least one frame.*65, 1, 1, 1, 3"
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        pixels.clips(pictures, SPEC)


def test_frames_of_too_many_pixels_are_refused(monkeypatch):
    monkeypatch.setattr(limits, "FRAME_PIXELS", 12)
    assert pixels.clips(tf.zeros((1, 2, 3, 4, 3), "uint8"), SPEC).shape[0] == 1
    words = "(?s)frames of at most 12 pixels.*1, 2, 3, 5, 3"
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        pixels.clips(tf.zeros((1, 2, 3, 5, 3), "uint8"), SPEC)


# === Sizes that a model leaves free ===


@pytest.mark.parametrize("family", ["vnl_8x8", "pyslowfast", "mmaction2"])
def test_the_least_clips_are_those_that_the_layers_take(family):
    backbone = models.video_resnet(
        "i3d",
        14,
        family=family,
        stem_width=4,
        non_local={"res4": (0,)},
        input_shape=(None, None, 48, 3),
    )
    model = models.VideoClassifier(backbone, 3)
    frames, height, width = limits.least_sizes(model)
    assert frames > 1 and height > 1 and width == 48
    assert model(np.zeros((1, frames, height, width, 3))).shape == (1, 3)
    for shape in ((frames - 1, height), (frames, height - 1)):
        with pytest.raises(ValueError):
            model(np.zeros((1, *shape, width, 3)))

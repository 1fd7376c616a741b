"""Pre-processing inside a graph is that of `ClipSpec.preprocess`."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from nonlocal_keras.data import ClipSpec
from nonlocal_keras.export import pixels

SPEC = ClipSpec(
    frames=4,
    stride=2,
    size=16,
    short_side=(20, 20),
    mean=(0.4, 0.5, 0.6),
    std=(0.2, 0.3, 0.4),
)
SPREAD = ClipSpec(frames=4, stride=None, size=16, short_side=(16, 16))
STRETCHED = ClipSpec(
    frames=4, stride=2, size=16, short_side=(20, 20), resize=(27, 20)
)
TIMED = ClipSpec(frames=4, stride=3, size=16, short_side=(20, 20), fps=30)
# Frames, height, width: whole videos, just a clip, too short, too small,
# upright, and already scaled.
SIZES = [
    (30, 36, 48),
    (4, 37, 53),
    (3, 48, 36),
    (9, 11, 13),
    (8, 20, 27),
    (1, 20, 20),
]


def video(frames, height, width):
    rng = np.random.default_rng(frames)
    return rng.integers(0, 256, (frames, height, width, 3), "uint8")


@pytest.mark.parametrize(
    "spec",
    [SPEC, SPREAD, STRETCHED, TIMED],
    ids=["stride", "spread", "stretched", "timed"],
)
def test_frames_of_any_number_and_size_give_the_clip_of_preprocess(spec):
    @tf.function(input_signature=[tf.TensorSpec([None] * 4 + [3], "uint8")])
    def clips(frames):
        return pixels.clips(frames, spec)

    for size in SIZES:
        frames = video(*size)
        np.testing.assert_allclose(
            clips(tf.constant(frames[None])),
            spec.preprocess(frames),
            atol=1e-5,
            err_msg=str(size),
        )


def encoded(frames):
    return [tf.io.encode_jpeg(frame, quality=95).numpy() for frame in frames]


def test_jpeg_frames_give_the_clip_of_the_decoded_frames():
    images = encoded(video(30, 36, 48))
    decoded = np.stack([np.asarray(Image.open(io.BytesIO(x))) for x in images])
    np.testing.assert_allclose(
        pixels.clips_of_jpeg(tf.constant([images]), SPEC),
        SPEC.preprocess(decoded),
        atol=1e-5,
    )


def test_jpeg_frames_of_a_batch_may_differ_in_size():
    sizes = [(4, 36, 48), (4, 50, 30)]
    both = pixels.clips_of_jpeg(
        tf.constant([encoded(video(*size)) for size in sizes]), SPEC
    )
    for clip, size in zip(both, sizes):
        alone = pixels.clips_of_jpeg(tf.constant([encoded(video(*size))]), SPEC)
        np.testing.assert_array_equal(clip, alone[0])


def test_a_video_without_frames_is_an_error_that_says_so():
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least one"):
        pixels.clips(tf.zeros((1, 0, 20, 20, 3), "uint8"), SPEC)

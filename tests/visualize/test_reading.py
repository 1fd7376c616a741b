"""Files become what a model takes, and it is known where that lies."""

import keras
import numpy as np
import pytest
from PIL import Image

from nonlocal_keras import NonLocal1D
from nonlocal_keras import NonLocal2D
from nonlocal_keras import visualize
from nonlocal_keras.data import ClipReader
from nonlocal_keras.data import ClipSpec
from nonlocal_keras.data import VideoList
from tests.support import small
from tests.support import videos


def video_model(**changes):
    spec = ClipSpec(frames=4, stride=2, size=32, short_side=(32, 32))
    config = {**spec.to_config(), **changes}
    return small.classifier(preprocessing=config)


def image_model(height, width):
    inputs = keras.Input((height, width, 3))
    return keras.Model(inputs, NonLocal2D()(inputs))


def test_a_clip_is_that_of_a_prediction(tmp_path):
    path = tmp_path / "a.mp4"
    videos.write_images(path, videos.moving_images(20, 64, 96))
    model = video_model()
    clip = visualize.read_clip(path, model)
    spec = ClipSpec.from_config(model.preprocessing)
    reader = ClipReader(VideoList([str(path)], [0], ("unknown",)), spec)
    (expected,) = keras.ops.convert_to_numpy(
        spec.normalize(reader.test_views(0))
    )
    np.testing.assert_array_equal(clip.inputs[0], expected)
    assert clip.frames.tolist() == [6, 8, 10, 12]


def test_pixels_lead_to_the_source_through_scale_and_crop(tmp_path):
    path = videos.write_video(tmp_path / "a.mp4", 20, height=64, width=96)
    clip = visualize.read_clip(path, video_model())
    # 64 x 96 becomes 32 x 48, of which columns 8 to 40 are seen.
    assert (clip.scale, clip.offset) == ((2.0, 2.0), (0.0, 16.0))
    assert clip.to_source(2, 0, 32) == (16.0, 80.0)
    assert clip.pictures.shape == (4, 64, 64, 3)


def test_a_stretched_video_has_a_scale_along_each_axis(tmp_path):
    path = videos.write_video(tmp_path / "a.mp4", 20, height=64, width=96)
    clip = visualize.read_clip(path, video_model(resize=(32, 32)))
    assert clip.scale == (2.0, 3.0)
    assert clip.to_source(2, 0, 32) == (0.0, 96.0)


@pytest.mark.parametrize(
    "frame, expected",
    [
        (None, [16, 18, 20, 22]),
        (20, [16, 18, 20, 22]),
        (3, [3, 5, 7, 9]),
        (39, [32, 34, 36, 38]),
    ],
)
def test_the_clip_moves_to_the_frame_that_is_asked(tmp_path, frame, expected):
    path = videos.write_video(tmp_path / "a.mp4", 40, value=40)
    clip = visualize.read_clip(path, video_model(), frame=frame)
    assert clip.frames.tolist() == expected


def test_a_video_shorter_than_the_clip_wraps_around(tmp_path):
    path = videos.write_video(tmp_path / "a.mp4", 5)
    clip = visualize.read_clip(path, video_model(), frame=4)
    assert clip.frames.tolist() == [0, 2, 4, 1]
    assert clip.to_source(0, 2, 4) == (4, 2)


def test_a_frame_that_the_video_has_not_is_refused(tmp_path):
    path = videos.write_video(tmp_path / "a.mp4", 10)
    with pytest.raises(ValueError, match="frames go from 0 to 9"):
        visualize.read_clip(path, video_model(), frame=10)


def test_an_image_is_scaled_and_cropped_to_what_the_model_takes(tmp_path):
    pixels = np.zeros((60, 92, 3), "uint8")
    pixels[20:30, 45:60] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    model = image_model(30, 30)
    clip = visualize.read_clip(tmp_path / "a.png", model, pixels="0-1")
    assert clip.inputs.shape == (1, 30, 30, 3)
    assert clip.offset == (0.0, 16.0) and clip.scale == (2.0, 2.0)
    bright = np.argwhere(clip.inputs[0, ..., 0] > 0.9)
    for axis, (start, stop) in enumerate([(20, 30), (45, 60)]):
        low, high = bright[:, axis].min(), bright[:, axis].max() + 1
        assert np.allclose(
            clip.to_source(axis, low, high), (start, stop), atol=2
        )


@pytest.mark.parametrize(
    "pixels, white",
    [("0-255", 255.0), ("0-1", 1.0), ("tf", 1.0), ("caffe", 151.061)],
)
def test_pixels_become_inputs_by_the_mode(tmp_path, pixels, white):
    Image.new("RGB", (8, 8), "white").save(tmp_path / "a.png")
    model = image_model(None, None)
    clip = visualize.read_clip(tmp_path / "a.png", model, pixels=pixels)
    assert clip.inputs.max() == pytest.approx(white, abs=1e-3)


def test_a_model_of_any_size_takes_the_size_that_is_asked(tmp_path):
    Image.new("RGB", (90, 60)).save(tmp_path / "a.png")
    model = image_model(None, None)
    whole = visualize.read_clip(tmp_path / "a.png", model, pixels="tf")
    assert whole.sizes == (60, 90)
    half = visualize.read_clip(tmp_path / "a.png", model, pixels="tf", size=30)
    assert half.sizes == (30, 45)
    with pytest.raises(ValueError, match="this one takes 8 x 8"):
        visualize.read_clip(
            tmp_path / "a.png", image_model(8, 8), pixels="tf", size=30
        )


def test_an_image_without_a_mode_is_not_guessed(tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="`pixels` must be one of"):
        visualize.read_clip(tmp_path / "a.png", image_model(8, 8))


def test_an_array_is_taken_as_it_is(tmp_path):
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, NonLocal1D()(inputs))
    np.save(tmp_path / "a.npy", np.ones((7, 4)))
    with pytest.raises(ValueError, match="arrays are taken as they are"):
        visualize.read_clip(tmp_path / "a.npy", model, size=8)
    clip = visualize.read_clip(tmp_path / "a.npy", model)
    assert clip.inputs.shape == (1, 7, 4)
    assert clip.sizes == clip.source_size == (7,)


@pytest.mark.parametrize(
    "array, words",
    [
        (np.array([None]), "no Python objects"),
        (np.array(["a"]), "of numbers"),
        (np.ones(3), "of shape"),
    ],
)
def test_an_array_of_another_kind_is_refused(tmp_path, array, words):
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, NonLocal1D()(inputs))
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match=words):
        visualize.read_clip(tmp_path / "a.npy", model)


def test_a_file_of_another_kind_than_the_model_takes_is_refused(tmp_path):
    path = videos.write_video(tmp_path / "a.mp4")
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, NonLocal1D()(inputs))
    with pytest.raises(ValueError, match="must be a .npy file"):
        visualize.read_clip(path, model)
    with pytest.raises(ValueError, match="must know its preprocessing"):
        visualize.read_clip(path, small.classifier())
    with pytest.raises(ValueError, match="are for images"):
        visualize.read_clip(path, video_model(), pixels="tf")

import pytest

from nonlocal_keras import data
from nonlocal_keras.data.scaling import Scaling
from tests.support import videos


def test_the_shorter_side_gets_the_length_and_the_longer_one_is_cut_off():
    # 256 / 272 * 480 = 451.76
    assert Scaling(256)(480, 272) == (451, 256)
    assert Scaling(256)(272, 480) == (256, 451)


def test_mmaction2_rounds_the_longer_side_to_the_nearest_pixel():
    # mmcv.rescale_size: int(480 * 256 / 272 + 0.5)
    assert Scaling(256, nearest=True)(480, 272) == (452, 256)


@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), (50, 50)])
def test_stretched_frames_have_one_size(size):
    assert Scaling(256, resize=(340, 256))(*size) == (340, 256)
    # Training scales the stretched frame.
    assert Scaling(320, resize=(340, 256))(*size) == (425, 320)


def test_frames_are_read_at_the_size_of_a_function(tmp_path):
    path = videos.write_video(tmp_path / "a.mp4", frames=2)
    frames = data.read_frames(path, [1], Scaling(32, resize=(40, 32)))
    assert frames.shape == (1, 32, 40, 3)

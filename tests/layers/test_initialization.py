import threading

import keras
import numpy as np
import pytest

from nonlocal_keras import layers
from nonlocal_keras.layers import initialization
from nonlocal_keras.layers.video_conv import VideoConv3D

pytestmark = pytest.mark.any_backend

SHAPE = (None, 4, 8, 8, 6)


def made():
    conv, block = VideoConv3D(4, 3), layers.NonLocal3D()
    conv.build(SHAPE)
    block.build(SHAPE)
    return [conv.kernel, block.theta.kernel, block.w_z.kernel]


def largest(weights):
    return [
        float(np.abs(keras.ops.convert_to_numpy(weight)).max())
        for weight in weights
    ]


def test_no_random_weights_are_zeros():
    with initialization.no_random_weights():
        assert largest(made()) == [0, 0, 0]


def test_weights_are_random_again_afterwards():
    with initialization.no_random_weights():
        pass
    assert min(largest(made())) > 0


def test_other_threads_keep_their_random_weights():
    found = []
    with initialization.no_random_weights():
        thread = threading.Thread(target=lambda: found.extend(made()))
        thread.start()
        thread.join()
    assert min(largest(found)) > 0


def test_the_configuration_is_as_it_was():
    with initialization.no_random_weights():
        conv = VideoConv3D(4, 3)
        conv.build(SHAPE)
    again = VideoConv3D.from_config(conv.get_config())
    again.build(SHAPE)
    assert largest([again.kernel])[0] > 0

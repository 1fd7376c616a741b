"""A position lies where what it depends on lies, layer by layer."""

import keras
import numpy as np
import pytest
from keras import layers

from nonlocal_keras.layers import VideoConv3D
from nonlocal_keras.layers import VideoMaxPool3D
from nonlocal_keras.visualize.axes import Axis
from nonlocal_keras.visualize.axes import joined
from nonlocal_keras.visualize.layer_axes import find_rule

LENGTH = 48
ONES = {"kernel_initializer": "ones", "use_bias": False}

CHAINS = {
    "conv-same-odd": [layers.Conv1D(1, 3, padding="same", **ONES)],
    "conv-same-stride": [layers.Conv1D(1, 5, 2, padding="same", **ONES)],
    "conv-even": [layers.Conv1D(1, 4, 2, padding="same", **ONES)],
    "conv-valid": [layers.Conv1D(1, 5, 3, **ONES)],
    "conv-causal": [layers.Conv1D(1, 3, padding="causal", **ONES)],
    "conv-dilated": [
        layers.Conv1D(1, 3, dilation_rate=2, padding="same", **ONES)
    ],
    "transposed-same": [
        layers.Conv1DTranspose(1, 4, 2, padding="same", **ONES)
    ],
    "transposed-valid": [layers.Conv1DTranspose(1, 5, 3, **ONES)],
    "max": [layers.MaxPooling1D(3, 2)],
    "mean-same": [layers.AveragePooling1D(2, 2, padding="same")],
    "padded": [layers.ZeroPadding1D((3, 1)), layers.Conv1D(1, 3, 2, **ONES)],
    "cropped": [layers.Cropping1D((3, 2))],
    "upsampled": [layers.UpSampling1D(3)],
    "stem": [
        layers.ZeroPadding1D(3),
        layers.Conv1D(1, 7, 2, **ONES),
        layers.ZeroPadding1D(1),
        layers.MaxPooling1D(3, 2),
        layers.Conv1D(1, 3, 2, padding="same", **ONES),
    ],
}


def dependence(chain, length):
    """Which inputs each output depends on, `(inputs, outputs)` of booleans."""
    x = np.eye(length, dtype="float32")[..., None]
    for layer in chain:
        x = layer(x)
    return np.abs(keras.ops.convert_to_numpy(x)[..., 0]) > 0


@pytest.mark.parametrize("name", CHAINS)
def test_a_cell_is_centred_on_what_it_depends_on(name):
    chain = CHAINS[name]
    depends = dependence(chain, LENGTH)
    (axis,) = follow(chain, LENGTH)
    assert axis.size == depends.shape[1]
    # An output between two inputs depends on one of them alone.
    slack = 0.5 if axis.step < 1 else 0.0
    middles = np.array([np.mean(axis.cell(i)) for i in range(axis.size)])
    half = axis.field / 2
    inner = np.flatnonzero((middles >= half) & (middles <= LENGTH - half))
    assert len(inner) >= 3
    for i in inner:
        found = np.flatnonzero(depends[:, i])
        start, stop = found[0], found[-1] + 1
        assert abs(middles[i] - (start + stop) / 2) <= slack
        assert stop - start <= axis.field


def follow(chain, *lengths):
    axes = [Axis(n) for n in lengths]
    for layer in chain:
        axes = find_rule(layer)(layer, axes)
    return axes


@pytest.mark.parametrize(
    "layer",
    [
        VideoConv3D(1, (3, 7, 7), (2, 2, 2), **ONES),
        VideoConv3D(1, (1, 3, 3), dilation_rate=(1, 2, 2), **ONES),
        VideoMaxPool3D((2, 3, 3), (2, 2, 2)),
        VideoMaxPool3D((1, 3, 3), (1, 2, 2), (0, 1, 1)),
    ],
    ids=["strides", "dilation", "pool", "padded-pool"],
)
def test_layers_of_clips_are_followed_along_every_axis(layer):
    sizes = (6, 12, 14)
    axes = follow([layer], *sizes)
    for along, size in enumerate(sizes):
        x = np.zeros((size, *sizes, 1), "float32")
        for i in range(size):
            np.moveaxis(x[i], along, 0)[i] = 1.0
        y = keras.ops.convert_to_numpy(layer(x))[..., 0]
        others = tuple(a + 1 for a in range(3) if a != along)
        depends = np.abs(y).max(axis=others) > 0  # (inputs, outputs)
        assert depends.shape[1] == axes[along].size
        middle = axes[along].size // 2
        found = np.flatnonzero(depends[:, middle])
        expected = (found[0] + found[-1] + 1) / 2
        assert np.mean(axes[along].cell(middle)) == expected


def test_what_mixes_axes_cannot_be_followed():
    for layer in (layers.Permute((2, 1, 3)), layers.Flatten()):
        assert find_rule(layer)(layer, [Axis(4), Axis(8)]) is None


def test_a_resized_map_spans_the_same_pixels():
    rows, columns = follow([layers.Resizing(8, 3)], 4, 6)
    assert rows.cell(7)[1] == 4.0
    assert columns.cell(2)[1] == 6.0


def test_branches_of_other_strides_have_no_common_axis():
    assert joined([Axis(4), Axis(4, step=2.0)]) is None
    # One position is broadcast.
    assert joined([Axis(4), Axis(1, step=4.0)]) == Axis(4)


def test_branches_that_lie_apart_have_no_common_axis():
    assert joined([Axis(4), Axis(4, start=2.0)]) is None
    near = joined([Axis(4, field=3.0), Axis(4, start=1.0, field=1.0)])
    assert (near.start, near.field) == (0.5, 3.0)


def test_the_nearest_position_of_a_place_beyond_the_cells_is_at_the_end():
    axis = Axis(2, step=16.0, start=-7.5)
    assert axis.nearest(31.5) == 1
    assert axis.nearest(8.4) == 0

"""Models that every target of an export must take, or refuse."""

import keras
import pytest

from nonlocal_keras import models
from tests.support import checkpoint_writers as w

EVERY_BLOCK = pytest.mark.parametrize(
    "options",
    [
        {"pairwise": "gaussian", "pool_size": (1, 2, 2)},
        {"pairwise": "dot_product", "normalization": "affine"},
        {"pairwise": "concatenation", "normalization": None},
        {"pool_size": (2, 2, 2), "pool_first": True},
        {"frame_groups": 2},
        {"attend_axes": (0,)},
    ],
    ids=str,
)
EVERY_BACKBONE = pytest.mark.parametrize(
    "arguments",
    [
        {"places": None, **w.DENSE},
        {"places": None, **w.I3D, **w.DENSE},
        {"inflate": "3x3x3", **w.I3D, **w.PADDED},
        w.STRIDED,
        w.SHIFTED,
    ],
    ids=str,
)


def foreign():
    """A classifier on a backbone that is no `VideoResNet`."""
    inputs = keras.Input((4, 8, 8, 3))
    backbone = keras.Model(inputs, keras.layers.Conv3D(4, 3)(inputs))
    return models.VideoClassifier(backbone, 3)

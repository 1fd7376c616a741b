"""The feature pyramid: sizes, and what flows from coarse to fine."""

import numpy as np
import pytest

from nonlocal_keras.models.detection import fpn
from tests.support.backends import numpy
from tests.support.random_weights import randomize

STAGES = ("res2", "res3", "res4", "res5")


def stages(*sizes):
    rng = np.random.default_rng(0)
    shapes = [(1, *size, 2) for size in sizes]
    return {
        stage: rng.normal(size=shape).astype("float32")
        for stage, shape in zip(STAGES, shapes)
    }


def pyramid():
    return randomize(fpn.feature_pyramid((2, 2, 2, 2), 4, "float32"))


@pytest.mark.any_backend
def test_levels_have_the_sizes_of_the_stages_and_half_of_the_last():
    levels = pyramid()(stages((18, 24), (9, 12), (5, 6), (3, 3)))
    assert [tuple(x.shape[1:]) for x in levels] == [
        (18, 24, 4),
        (9, 12, 4),
        (5, 6, 4),
        (3, 3, 4),
        (2, 2, 4),
    ]
    np.testing.assert_array_equal(
        numpy(levels[4]), numpy(levels[3])[:, ::2, ::2]
    )


def test_a_coarse_stage_reaches_the_finest_level_where_it_lies():
    model, x = pyramid(), stages((16, 16), (8, 8), (4, 4), (2, 2))
    before = numpy(model(x)[0])
    x["res5"][:, 0, 0] += 1
    changed = np.abs(numpy(model(x)[0]) - before).max(axis=(0, 3)) > 1e-6
    # A quarter of the map, and one position more by the last convolution.
    assert changed[:9, :9].all()
    assert not changed[9:].any()
    assert not changed[:, 9:].any()

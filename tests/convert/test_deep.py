"""Deep networks and long clips come back, with blocks of two channels."""

import numpy as np
import pytest

from tests.support import checkpoint_cases as cases
from tests.support import checkpoint_writers as w

pytestmark = pytest.mark.slow

FIVE = {"res3": (1, 3), "res4": (6, 13, 20)}
TEN = {"res3": (0, 1, 2, 3), "res4": (2, 6, 10, 14, 18, 22)}
I3D_101 = {
    "stem_kernel": (5, 7, 7),
    "temporal_kernels": {
        "res2": (3, 3, 3),
        "res3": (3, 1, 3, 1),
        "res4": (3, 1) * 11 + (3,),
        "res5": (1, 3, 1),
    },
    "stage_blocks": (3, 4, 23, 3),
    "stem_width": 2,
}


@pytest.mark.parametrize("places", [FIVE, TEN], ids=["nl5", "nl10"])
@pytest.mark.parametrize("mxnet", [True, False], ids=["mxnet", "torch"])
def test_resnet_101_of_gluoncv_comes_back(tmp_path, places, mxnet):
    network = {**w.PADDED_STRIDED, **I3D_101, "frames": 16, "places": places}
    expected, model, report = cases.round_trip(
        tmp_path, cases.gluoncv(mxnet), "gluoncv", {"depth": 101}, network
    )
    clip = w.clip(expected)
    np.testing.assert_allclose(
        w.logits(model, clip), w.logits(expected, clip), rtol=1e-4, atol=1e-5
    )
    assert "I3D ResNet-101" in report.model


def test_resnet_101_of_lfb_comes_back(tmp_path):
    network = {
        **w.PADDED,
        **cases.AFFINE,
        **I3D_101,
        "frames": 32,
        "places": FIVE,
    }
    network |= {
        "stage_strides": (1, 2, 2, 1),
        "options": {**cases.FOUR_GROUPS, **cases.AFFINE},
    }
    expected, model, _ = cases.round_trip(
        tmp_path, cases.caffe2(), "lfb", {}, network
    )
    clip = w.clip(expected)
    np.testing.assert_allclose(
        w.logits(model, clip), w.logits(expected, clip), rtol=1e-4, atol=1e-5
    )


def test_128_frames_of_the_release_come_back(tmp_path):
    network = {**w.STRIDED, **cases.AFFINE, **w.I3D, "frames": 128}
    network["options"] = {**cases.FOUR_GROUPS, **cases.NO_NORM}
    expected, model, report = cases.round_trip(
        tmp_path, cases.caffe2(), "vnl", {"frames": 128}, network
    )
    clip = w.clip(expected)
    np.testing.assert_allclose(
        w.logits(model, clip), w.logits(expected, clip), rtol=1e-4, atol=1e-5
    )
    assert report.family == "vnl_128x1"

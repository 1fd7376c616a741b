"""Random networks of every kind, written by hand and converted back."""

import numpy as np
import pytest

from tests.support import checkpoint_cases as cases
from tests.support import checkpoint_writers as w


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name, marks=[pytest.mark.slow] if name in cases.VARIATIONS else []
        )
        for name in cases.CASES
    ],
)
def test_network_comes_back(tmp_path, name):
    expected, model, report = cases.round_trip(tmp_path, *cases.CASES[name])
    clip = w.clip(expected)
    np.testing.assert_allclose(
        w.logits(model, clip), w.logits(expected, clip), rtol=1e-4, atol=1e-5
    )
    assert model.backbone.non_local == expected.backbone.non_local
    assert report.fresh == []
    assert len(report.with_status("used")) == len(model.weights)

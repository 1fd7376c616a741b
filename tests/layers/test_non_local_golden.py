"""The layers against mmcv's NonLocal1d, 2d and 3d, on their own weights."""

import numpy as np
import pytest

from tests.support import paths
from tests.support.backends import numpy
from tests.support.non_local_cases import LAYERS
from tests.support.non_local_cases import POOLS

pytestmark = pytest.mark.any_backend

PARTS = {"g": "g", "theta": "theta", "phi": "phi", "conv_out": "w_z"}
STATISTICS = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}


def load():
    """Gives `(rank, case, arrays)` for every case of the three files."""
    found = {}
    for rank in LAYERS:
        with np.load(paths.GOLDEN / f"mmcv_nonlocal{rank}d.npz") as file:
            for key in sorted(file):
                # concatenation/scale=0/sub=0/x, .../w/g.conv.weight
                *case, name = key.split("/")
                case = rank, "/".join(case[:3])
                found.setdefault(case, {})[name] = file[key]
    return [(*case, arrays) for case, arrays in found.items()]


CASES = load()


def layer_of(rank, case):
    pairwise, scale, sub = case.split("/")
    # mmcv scales the embedded form only, and pools after its convolutions.
    scaled = pairwise == "embedded_gaussian" and scale == "scale=1"
    return LAYERS[rank](
        pairwise=pairwise,
        scale=None if scaled else 1.0,
        pool_size=POOLS[rank] if sub == "sub=1" else None,
        output_bias=False,
    )


def assign(layer, key, value):
    """Puts one tensor, such as `g.0.conv.weight`, where it belongs."""
    part, *_, kind, name = key.split(".")
    if part == "concat_project":
        layer.w_f.assign(value.reshape(-1))
    elif kind == "bn":
        getattr(layer.norm, STATISTICS[name]).assign(value)
    elif name == "weight":
        kernel = value.reshape(value.shape[:2]).T  # OI1.. -> IO
        getattr(layer, PARTS[part]).kernel.assign(kernel)
    else:
        getattr(layer, PARTS[part]).bias.assign(value)


@pytest.mark.parametrize(
    "rank, case, arrays", CASES, ids=[f"{r}d-{c}" for r, c, _ in CASES]
)
def test_matches_mmcv(rank, case, arrays):
    weights = dict(arrays)
    x, y = (np.moveaxis(weights.pop(name), 1, -1) for name in "xy")
    layer = layer_of(rank, case)
    layer.build(x.shape)
    assert len(weights) == len(layer.weights)
    for key, value in weights.items():
        assign(layer, key, value)
    np.testing.assert_allclose(numpy(layer(x)), y, atol=1e-5)


def test_files_hold_every_pairwise_form_at_every_rank():
    forms = {(rank, case.split("/")[0]) for rank, case, _ in CASES}
    assert len(forms) == 3 * 4

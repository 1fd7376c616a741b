"""Inputs of the operation, and what float64 makes of them.

The worker of PyTorch leaves the expected numbers of some rows in a file, with
which both workers compare all ways.
"""

import numpy as np

from benchmarks.op import cases as op_cases

NAMES = ("theta", "phi", "g")
# Rows of which outputs and gradients are compared, the first and last too.
ROWS = 512
# Queries of one tile of the reference.
TILE = 2048


def draw(case):
    """Draws the float32 arrays of a case, of one sample each, with `dy`."""
    return op_cases.draw({**case, "part": "operation", "training": True})


def rows(case):
    n = case["positions"]
    return np.unique(np.linspace(0, n - 1, ROWS).astype("int64"))


def path(folder, case):
    name = (case["pairwise"], str(case["positions"]), case["precision"])
    return folder / ("_".join(name) + ".npz")


def scale(case):
    embedded = case["pairwise"] == "embedded_gaussian"
    return op_cases.WIDTH**-0.5 if embedded else 1.0


def expect(file, case, tensors):
    """Writes the output and the gradients of some rows, from float64.

    The equations are written as in the paper, a tile of queries at a time,
    and PyTorch derives the gradients.

    Args:
        file: `pathlib.Path` of the `.npz` file.
        case: Dictionary.
        tensors: Dictionary of tensors of PyTorch on the device, as they are
            rounded for the case.
    """
    import torch

    inputs = {
        name: x.detach().double().requires_grad_()
        for name, x in tensors.items()
    }
    phi, g = inputs["phi"], inputs["g"]
    y = torch.empty_like(inputs["dy"])
    for part in torch.arange(case["positions"]).split(TILE):
        theta, dy = (inputs[name][:, part] for name in ("theta", "dy"))
        tile = _pairs(case, theta, phi, inputs.get("w_f")) @ g
        tile.backward(dy.detach())
        y[:, part] = tile.detach()
    found = {"y": y, **{name: inputs[name].grad for name in NAMES}}
    chosen = torch.from_numpy(rows(case))
    np.savez(
        file,
        **{n: x[0].detach()[chosen].cpu().numpy() for n, x in found.items()},
    )


def _pairs(case, theta, phi, w_f):
    """Returns `f(x_i, x_j) / C(x)` of all pairs."""
    import torch

    if case["pairwise"] == "concatenation":
        first, second = w_f.split(op_cases.WIDTH)
        pairs = (theta @ first)[:, :, None] + (phi @ second)[:, None]
        return torch.relu(pairs) / phi.shape[1]
    pairs = theta @ phi.transpose(1, 2)
    if case["pairwise"] == "dot_product":
        return pairs / phi.shape[1]
    return torch.softmax(scale(case) * pairs, dim=-1)


def differences(file, outputs):
    """Returns how far outputs are from what was expected, by name.

    Args:
        file: Path of the expected rows.
        outputs: Dictionary of arrays of the same rows.

    Returns:
        Dictionary of name to the length of the difference over the length of
        what was expected; `None` if nobody has left a file.
    """
    if not file.exists():
        return None
    with np.load(file) as expected:
        return {
            name: _difference(np.asarray(value, "float64"), expected[name])
            for name, value in outputs.items()
        }


def _difference(a, b):
    error = np.linalg.norm(a - b) / np.linalg.norm(b)
    return float(error) if np.isfinite(error) else float("inf")


def lacks_memory(case, way, free_gb):
    """Returns the GB that a way needs at once, if that is too much."""
    if way not in ("mmcv", "matrix"):
        return None
    half = 2 if case["precision"] == "bfloat16" and way == "mmcv" else 1
    needed = op_cases.needed_gb(case, joins_pairs=way == "mmcv") / half
    return needed if needed > 0.9 * free_gb else None

"""Pairs of a checkpoint and the logits that its own program gives.

Shared by the programs of this folder, which run in environments of their own
and agree on files alone: `NAME.npz` with the clip and the logits, both with
the channels second, and `NAME.json` with what the converter is told.
"""

import json
import pathlib
import re

import numpy as np


def clip(frames, size, seed=0):
    """Draws a clip `(1, 3, frames, size, size)`."""
    draw = np.random.RandomState(seed)
    return draw.normal(size=(1, 3, frames, size, size)).astype("float32")


def draw(name, shape, rng, deviation=0.01):
    """Draws a weight by the end of its name, statistics included.

    Kernels keep the variance of what passes through them, but for those of
    classifiers and of non-local blocks, which are drawn with the deviation
    that the projects start them with. Where that makes the numbers explode,
    as a chain of dot products does, give a smaller `deviation`.
    """
    if name.endswith(("running_var", "gamma")) or _is_scale(name, shape):
        last = re.search(r"(bn3|conv3\.bn|norm_c)\.(weight|gamma)$", name)
        # Residual branches add up: small ones keep the sum small.
        return rng.uniform(0.5, 1.5, shape) * (0.2 if last else 1)
    if len(shape) < 2:
        return rng.normal(0, 0.1, shape)
    if "non_local" in name or "nonlocal" in name:
        return rng.normal(0, deviation, shape)
    if len(shape) == 2:
        return rng.normal(0, 0.01, shape)
    return rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)


def _is_scale(name, shape):
    return name.endswith("weight") and len(shape) == 1


def write(folder, name, clip, logits, source, **overrides):
    """Writes the two files beside the checkpoint."""
    folder = pathlib.Path(folder)
    np.savez(folder / f"{name}.npz", clip=clip, logits=logits)
    told = {"source": source, "overrides": overrides}
    (folder / f"{name}.json").write_text(json.dumps(told))
    print(name, "logits of", np.abs(logits).mean(), flush=True)

"""What both workers of whole models share: ours, and what is expected."""

import functools
import os

import numpy as np

from benchmarks.model import cases as model_cases


def checkpoint(folder, case):
    """Returns the path of a checkpoint of PySlowFast, drawn if need be."""
    path = folder / f"{case['model']}.pth"
    if not path.exists():
        from benchmarks.model import peers as model_peers

        net, _ = model_peers.pyslowfast(case)
        model_peers.draw(net)
        told = {"project": "pyslowfast", "checkpoint": path}
        model_peers.save(net, told)
    return path


@functools.lru_cache
def _converted(checkpoint, frames, size, policy):
    """Returns our model of a checkpoint of PySlowFast, and its weights."""
    from nonlocal_keras import convert

    model, _ = convert.convert(
        checkpoint,
        "pyslowfast",
        input_shape=(frames, size, size, 3),
        dtype=policy,
        # Both sides drop nothing, so that their losses can be compared.
        dropout=0.0,
    )
    return model, model.get_weights()


@functools.lru_cache
def _optimized(checkpoint, frames, size, dtype):
    import nonlocal_keras

    model, weights = _converted(checkpoint, frames, size, "float32")
    model.set_weights(weights)
    return nonlocal_keras.optimize_for_inference(model, dtype=dtype)


def ours(case, checkpoint):
    """Returns our model up to its logits, as it was converted.

    Args:
        case: Dictionary.
        checkpoint: `pathlib.Path` of a checkpoint of PySlowFast.
    """
    key = checkpoint, case["frames"], case["size"]
    half = case["precision"] == "bfloat16"
    if not model_cases.is_training(case):
        return _optimized(*key, "bfloat16" if half else None).logits
    policy = "mixed_bfloat16" if half else "float32"
    model, weights = _converted(*key, policy)
    # A case before this one may have trained it.
    model.set_weights(weights)
    return model.logits


def expected_path(folder, case):
    name = "_".join(str(case[key]) for key in ("frames", "batch", "work"))
    return folder / f"expected_{name}.npz"


def expect(file, case, value):
    """Writes logits, or the loss of the first step; whole or not at all."""
    part = file.with_suffix(f".{os.getpid()}.npz")
    name = "loss" if model_cases.is_training(case) else "logits"
    np.savez(part, **{name: value})
    os.replace(part, file)


def differences(file, found):
    """Returns the length of a difference over that expected, by name."""
    if not file.exists():
        return None
    with np.load(file) as expected:
        return {
            name: float(
                np.linalg.norm(value - expected[name])
                / np.linalg.norm(expected[name])
            )
            for name, value in found.items()
        }


def profiled(desk):
    """Returns the first inference and training step in half precision."""
    if desk.ways is not None:
        return []
    chosen = {}
    for case in desk.cases:
        if case["precision"] == "bfloat16":
            chosen.setdefault(case["work"], case)
    return list(chosen.values())

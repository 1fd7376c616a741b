"""The cases of the benchmark of whole models, and the clip both sides see."""

import numpy as np

CLASSES = 400
MODELS = ("c2d", "nl_c2d", "i3d", "nl_i3d")
# GluonCV has no C2D of 3D kernels; its models were trained on 32 frames.
PROJECTS = {
    "pyslowfast": {"models": MODELS, "frames": 8},
    "gluoncv": {"models": ("i3d", "nl_i3d"), "frames": 32},
}
# The matrix product that says what the machine can do, of size MATMUL^3.
MATMUL = 4096


def cases():
    """Returns all cases, as dictionaries; `work` says what is done.

    `"inference"` and `"training"` are timed; of `"long"`, one training step
    on 128 frames, only memory is compared.
    """
    found = []
    for project, has in PROJECTS.items():
        for model in has["models"]:
            common = {
                "project": project,
                "model": model,
                "frames": has["frames"],
            }
            for size in (224, 256):
                for batch in (1, 4):
                    told = {**common, "size": size, "batch": batch}
                    found.append({"work": "inference", **told})
                    if size == 224:
                        found.append({"work": "training", **told})
    long = {"frames": 128, "model": "nl_i3d", "size": 224, "batch": 1}
    found += [{"work": "long", "project": p, **long} for p in PROJECTS]
    return found


def clip(case):
    """Returns the clips of a case, `(batch, frames, size, size, 3)`."""
    rng = np.random.RandomState(0)
    shape = case["batch"], case["frames"], case["size"], case["size"], 3
    return rng.standard_normal(shape).astype("float32")


def labels(case):
    return np.arange(case["batch"]) % CLASSES


def is_training(case):
    return case["work"] in ("training", "long")

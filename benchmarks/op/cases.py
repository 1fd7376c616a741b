"""The cases of the benchmark of one block, and what both sides draw for them.

Shared by both workers, which run under different Pythons: the same seed gives
them the same numbers, and the comparison of the outputs shows that it did.
"""

import math

import numpy as np

CHANNELS, WIDTH = 512, 256
PAIRWISE = ("embedded_gaussian", "gaussian", "dot_product", "concatenation")
# Frames, rows and columns of the maps: res4 and res3 of 8x8 clips, and maps
# of which each has four times the positions of the one before.
MAPS = {
    784: (4, 14, 14),
    3136: (4, 28, 28),
    12544: (16, 28, 28),
    50176: (16, 56, 56),
    200704: (16, 112, 112),
}
# The whole block is measured where the paper has it.
BLOCK_MAPS = (784, 3136, 12544)
POOL = (1, 2, 2)


def cases():
    """Returns all cases, as dictionaries, those of few positions first.

    `part` is `"operation"` (queries, keys and values are given, equation 1)
    or `"block"` (with projections, pooling, normalization and residual).
    """
    return [
        {
            "part": part,
            "pairwise": pairwise,
            "positions": positions,
            "sub_sample": sub_sample,
            "training": training,
        }
        for part in ("operation", "block")
        for positions in (MAPS if part == "operation" else BLOCK_MAPS)
        for sub_sample in (True, False)
        for pairwise in PAIRWISE
        for training in (False, True)
    ]


def keys(case):
    return case["positions"] // (math.prod(POOL) if case["sub_sample"] else 1)


def matrix_gb(case):
    """Returns the size of the matrix of affinities in float32."""
    return 4 * case["positions"] * keys(case) / 1e9


def needed_gb(case, joins_pairs):
    """Returns what a form with the matrix holds at the same time, at least.

    Softmax and ReLU read one matrix and write another. For the backward pass
    outputs are kept, and as many gradients come; the joined pairs have their
    gradient when what they were joined of is gone.

    Args:
        case: Dictionary.
        joins_pairs: Boolean, whether the concatenation repeats queries and
            keys for every pair and joins them, as equation 5 is written.
    """
    matrices = 1 if case["pairwise"] == "dot_product" else 2
    if case["pairwise"] == "concatenation" and joins_pairs:
        return 4 * WIDTH * matrix_gb(case)
    return matrices * matrix_gb(case) * (2 if case["training"] else 1)


def channels_of_queries(case):
    return CHANNELS if case["pairwise"] == "gaussian" else WIDTH


def draw(case):
    """Draws the arrays of a case, a dictionary, channels last.

    Of an operation `theta`, `phi` and `g`, of a block its input `x`, kernels
    `(in, out)` and statistics; of both `dy`, the gradient of the output, if
    the case is one of training.
    """
    rng = np.random.RandomState(0)

    def normal(*shape, deviation=1.0):
        # Drawn in parts: float64 of the largest maps would be a peak.
        flat = np.empty(math.prod(shape), "float32")
        for part in np.array_split(flat, max(1, flat.size // 2**22)):
            part[:] = rng.normal(0, deviation, part.size)
        return flat.reshape(shape)

    # Without a scale the softmax of x_i . x_j would see x_i only.
    small = 0.2 if case["pairwise"] == "gaussian" else 1.0
    arrays, n = {}, case["positions"]
    if case["pairwise"] == "concatenation":
        arrays["w_f"] = normal(2 * WIDTH, deviation=(2 * WIDTH) ** -0.5)
    if case["part"] == "operation":
        c = channels_of_queries(case)
        arrays["theta"] = normal(1, n, c, deviation=small)
        arrays["phi"] = normal(1, keys(case), c, deviation=small)
        arrays["g"] = normal(1, keys(case), WIDTH)
        if case["training"]:
            arrays["dy"] = normal(1, n, WIDTH)
        return arrays
    arrays["x"] = normal(1, *MAPS[n], CHANNELS, deviation=small)
    for name in ("theta", "phi", "g"):
        if name == "g" or case["pairwise"] != "gaussian":
            arrays[f"{name}.kernel"] = normal(
                CHANNELS, WIDTH, deviation=CHANNELS**-0.5
            )
            arrays[f"{name}.bias"] = normal(WIDTH, deviation=0.1)
    arrays["w_z.kernel"] = normal(WIDTH, CHANNELS, deviation=WIDTH**-0.5)
    arrays["gamma"] = normal(CHANNELS)
    arrays["beta"] = normal(CHANNELS)
    if case["training"]:
        arrays["dy"] = normal(1, *MAPS[n], CHANNELS)
    return arrays

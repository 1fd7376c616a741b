"""What is measured on an accelerator: parts, cases, and ways to do a case.

A case is a dictionary; with its `way` it is a row of the results. Those that
matter most come first, since what a part's seconds do not reach is left out.
"""

from benchmarks.op import cases as op_cases

# Seconds of each part where all are asked for, which is less than 8 minutes;
# those that a part leaves go to the parts after it. No other case begins after
# them, and a process that goes on for `GRACE` more is ended.
PARTS = {
    "operation_torch": 80,
    "models_torch": 100,
    "operation_jax": 60,
    "models_jax": 100,
    "compiled": 65,
    "tests": 60,
}
GRACE = 10
PRECISIONS = ("bfloat16", "float32")
# Products of float32 in models may use the format of 19 bits that matrix
# units have; both sides are told so. Those of the operation may not.
MODEL_PRECISIONS = ("bfloat16", "tf32")
POSITIONS = (3136, 12544, 50176, 784)
FORMS = ("embedded_gaussian", "dot_product", "concatenation", "gaussian")
SOFTMAX = ("embedded_gaussian", "gaussian")
# (frames, clips at a time, what is done)
MODELS = (
    (8, 8, "inference"),
    (8, 8, "training"),
    (8, 1, "inference"),
    (32, 4, "inference"),
    (32, 2, "training"),
)
SMALL_POSITIONS = (64, 144)
SMALL_MODELS = ((8, 1, "inference"), (8, 2, "training"))
SMALL_WIDTH = 8
# Sides of the square products that say what the device can do.
PRODUCT, SMALL_PRODUCT = 8192, 256


def rates(small):
    n = SMALL_PRODUCT if small else PRODUCT
    return [
        {"part": "rates", "precision": precision, "size": n}
        for precision in ("bfloat16", "tf32", "float32")
    ]


def operations(backend, small):
    """Returns cases of equation 1: queries, keys and values are given."""
    return [
        {
            "part": "operation",
            "backend": backend,
            "pairwise": pairwise,
            "positions": positions,
            "sub_sample": False,
            "precision": precision,
            "training": training,
        }
        for precision in PRECISIONS
        for positions in (SMALL_POSITIONS if small else POSITIONS)
        for pairwise in FORMS
        for training in (False, True)
    ]


def operation_ways(case):
    """Returns ours, those of others, and ours with the matrix, in rounds.

    A program of JAX takes seconds to compile, so that the last round is for
    what is of least interest.
    """
    if case["backend"] == "torch":
        fused = ("attention",) if case["pairwise"] in SOFTMAX else ()
        return (("ours", "mmcv", *fused, "matrix"),)
    # JAX's takes values of the width of the queries alone.
    fused = ("attention",) if case["pairwise"] == SOFTMAX[0] else ()
    return (("ours", *fused), ("matrix",))


def models(backend, small):
    return [
        {
            "part": "model",
            "backend": backend,
            "model": "nl_i3d",
            "frames": frames,
            "size": 32 if small else 224,
            "batch": batch,
            "work": work,
            "precision": precision,
            **({"width": SMALL_WIDTH} if small else {}),
        }
        for precision in MODEL_PRECISIONS
        for frames, batch, work in (SMALL_MODELS if small else MODELS)
    ]


def model_ways(case):
    """Returns ours and the other project's ways in rounds, by importance.

    `last` and `first` say where the channels lie in memory, `half` that
    weights are kept in bfloat16 where `last` and `first` cast them at each
    call, and `graph` that kernels are launched by one CUDA graph.
    """
    if case["backend"] == "jax":
        return (("ours",),)
    if case["work"] == "training":
        return (("ours", "peer_last"), (), ("peer_first",))
    half = ("peer_half",) if case["precision"] == "bfloat16" else ()
    return (
        ("ours", "peer_last", *half),
        ("peer_graph",),
        ("peer_first", "ours_graph"),
    )


def compiled(small):
    """Returns cases that `torch.compile` is given, with their ways.

    Each takes a minute, and has a process of its own.
    """
    chosen = [c for c in models("torch", small) if c["precision"] == "bfloat16"]
    return [
        *((case, _compiled_ways("peer", case)) for case in chosen),
        (chosen[0], _compiled_ways("ours", chosen[0])),
    ]


def _compiled_ways(side, case):
    if case["work"] == "training":
        return [f"{side}_compiled"]
    return [f"{side}_compiled", f"{side}_compiled_graph"]


def in_rounds(told, ways):
    """Yields a case and the ways of a round: half precision comes first.

    Args:
        told: List of cases.
        ways: Function from a case to its rounds of ways.
    """
    for precision in dict.fromkeys(case["precision"] for case in told):
        chosen = [case for case in told if case["precision"] == precision]
        rounds = max(len(ways(case)) for case in chosen)
        for number in range(rounds):
            for case in chosen:
                yield from ((case, way) for way in ways(case)[number:][:1])


def tests(backend):
    return [{"part": "tests", "backend": backend}]


def operation_flops(case):
    """Returns the operations of the two products, and of their gradients.

    Those of the form that builds the matrix, whatever is computed: the dot
    product, reassociated, and the sorted concatenation need fewer.
    """
    channels = op_cases.channels_of_queries(case) + op_cases.WIDTH
    if case["pairwise"] == "concatenation":
        channels = op_cases.WIDTH + 1
    times = 3 if case["training"] else 1
    return times * 2 * case["positions"] * op_cases.keys(case) * channels


def label(case):
    """Returns a case in words."""
    return " ".join(str(value) for value in case.values())

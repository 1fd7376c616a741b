"""The worker of the operation under JAX: ours, and JAX's own attention.

Compilation takes longer than what it is for, and only part of it the device:
the programs of some cases are compiled at the same time, then measured one
after the other.
"""

import concurrent.futures
import functools

import jax
import numpy as np

from benchmarks.gpu import cases
from benchmarks.gpu import clock
from benchmarks.gpu import op_inputs
from benchmarks.gpu import profiles
from benchmarks.gpu import worker

# Cases whose programs are compiled at the same time.
TOGETHER = 4


def main():
    desk = worker.begin()
    told = list(cases.in_rounds(desk.cases, cases.operation_ways))
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        for start in range(0, len(told), TOGETHER):
            _measure_some(desk, threads, told[start : start + TOGETHER])


def _measure_some(desk, threads, some):
    begun = []
    for case, ways in some:
        if desk.is_over():
            return
        for way in ways:
            needed = op_inputs.lacks_memory(case, way, _free_gb())
            if needed:
                desk.attempt(case, way, lambda: {"needed_gb": needed})
                continue
            try:
                # Traced in this thread: Keras keeps its state by thread.
                traced = _trace(case, way)
            except Exception as error:
                desk.fail(case, way, error)
                continue
            begun.append((case, way, threads.submit(traced.compile)))
    desk.wait([found for *_, found in begun])
    for case, way, compiling in begun:
        desk.attempt(
            case,
            way,
            lambda: _measure_way(desk, case, worker.compiled(compiling)),
        )
        if way == "ours" and profiles.chooses(case):
            desk.attempt(
                case,
                "profile",
                lambda: _profile(case, worker.compiled(compiling)),
            )


def _measure_way(desk, case, executable):
    arguments = _arguments(case)
    outputs = executable(*arguments[0])
    chosen = op_inputs.rows(case)
    arrays = {
        name: np.asarray(x[0][chosen].astype("float32"))
        for name, x in outputs.items()
    }
    file = op_inputs.path(desk.folder, case)
    return {
        "difference": op_inputs.differences(file, arrays),
        **clock.with_jax(executable, arguments),
    }


def _profile(case, executable):
    arguments = _arguments(case)[0]
    return profiles.with_jax(lambda: executable(*arguments))


@functools.lru_cache(2)
def _drawn(pairwise, positions):
    # It takes longer than most of what is measured with it.
    case = {"pairwise": pairwise, "positions": positions, "sub_sample": False}
    return op_inputs.draw(case)


def _inputs(case):
    """Returns the inputs on the device, rounded for the case, in order."""
    arrays = _drawn(case["pairwise"], case["positions"])
    return [
        jax.numpy.asarray(arrays[name], case["precision"])
        for name in (*op_inputs.NAMES, "dy", "w_f")
        if name in arrays
    ]


def _arguments(case):
    arrays = _inputs(case)
    number = clock.copies(sum(x.nbytes for x in arrays))
    return [tuple(map(jax.numpy.copy, arrays)) for _ in range(number)]


def _trace(case, way):
    shapes = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in _inputs(case)]

    def forward(theta, phi, g, dy, w_f=None):
        return {"y": WAYS[way](case, theta, phi, g, w_f)}

    def forward_and_backward(theta, phi, g, dy, w_f=None):
        y, back = jax.vjp(lambda *x: WAYS[way](case, *x, w_f), theta, phi, g)
        gradients = back(dy.astype(y.dtype))
        return {"y": y, **dict(zip(op_inputs.NAMES, gradients))}

    # Without it products of float32 would be rounded to 19 bits.
    exact = "highest" if case["precision"] == "float32" else "default"
    with jax.default_matmul_precision(exact):
        function = forward_and_backward if case["training"] else forward
        return jax.jit(function).lower(*shapes)


def _ours(implementation):
    def function(case, theta, phi, g, w_f):
        from nonlocal_keras.ops import weighted_sum

        return weighted_sum.weighted_sum(
            theta,
            phi,
            g,
            pairwise=case["pairwise"],
            scale=op_inputs.scale(case),
            w_f=w_f,
            implementation=implementation,
        )

    return function


def _attention(case, theta, phi, g, w_f):
    # The axis of heads: (1, N, 1, C).
    theta, phi, g = (x[:, :, None] for x in (theta, phi, g))
    # Its kernel for GPUs takes half precision alone.
    half = case["precision"] == "bfloat16"
    gpu = jax.default_backend() == "gpu"
    return jax.nn.dot_product_attention(
        theta,
        phi,
        g,
        scale=op_inputs.scale(case),
        implementation="cudnn" if gpu and half else "xla",
    )[:, :, 0]


def _free_gb():
    stats = jax.devices()[0].memory_stats()
    # What it does not tell of a CPU.
    return (stats or {}).get("bytes_limit", 4e9) / 1e9


WAYS = {
    "ours": _ours("auto"),
    "matrix": _ours("matrix"),
    "attention": _attention,
}

if __name__ == "__main__":
    main()

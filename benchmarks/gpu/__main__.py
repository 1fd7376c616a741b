"""The layers and models on an accelerator, under PyTorch and JAX.

    SLOWFAST=~/SlowFast python -m benchmarks.gpu

It needs PyTorch, JAX and NumPy, and what `benchmarks/gpu/wheels.sh` brings
for the rest, but not TensorFlow. It ends within 8 minutes, and every result
is written when it is there. See docs/benchmarks.md.
"""

import argparse
import os
import pathlib
import sys
import tempfile
import time

from benchmarks import machine
from benchmarks import results
from benchmarks import workers
from benchmarks.gpu import cases
from benchmarks.gpu import device
from benchmarks.gpu import processes
from benchmarks.gpu import report

# Parts that need a checkout of PySlowFast.
PEER = ("models_torch", "models_jax", "compiled")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--results",
        type=pathlib.Path,
        default=workers.ROOT / "benchmarks" / "results",
        help="folder of the results",
    )
    parser.add_argument(
        "--log",
        type=pathlib.Path,
        default=workers.ROOT / "build" / "benchmarks" / "gpu.log",
        help="file for what the workers print",
    )
    parser.add_argument(
        "--parts", nargs="+", choices=cases.PARTS, default=list(cases.PARTS)
    )
    parser.add_argument(
        "--seconds", type=float, default=460.0, help="of all parts together"
    )
    parser.add_argument(
        "--small", action="store_true", help="sizes that a CPU can do"
    )
    arguments = parser.parse_args()
    if "SLOWFAST" not in os.environ:
        print(
            "SLOWFAST names no checkout of PySlowFast: whole models, whose "
            "weights are its, are left out.",
            flush=True,
        )
        arguments.parts = [p for p in arguments.parts if p not in PEER]
    run(arguments)


def run(arguments):
    end = time.monotonic() + arguments.seconds
    arguments.log.parent.mkdir(parents=True, exist_ok=True)
    found = results.Results(
        arguments.results,
        "gpu",
        {**machine.describe(machine.threads(), {}), **device.describe()},
        "python -m benchmarks.gpu" + " --small" * arguments.small,
    )
    with tempfile.TemporaryDirectory() as folder:
        for number, part in enumerate(arguments.parts):
            waiting = sum(map(cases.PARTS.get, arguments.parts[number:]))
            left = (end - time.monotonic()) * cases.PARTS[part] / waiting
            if left <= 0:
                print(f"{part}: no time was left", flush=True)
                continue
            begin = time.monotonic()
            works = make(part, folder, arguments)
            processes.run(works, left, lambda *row: add(found, *row))
            took = time.monotonic() - begin
            print(f"{part}: {took:.0f} s", flush=True)
    report.write(found)
    if not found.rows:
        sys.exit(f"No part has left a result; {arguments.log} says why.")


def make(part, folder, arguments):
    """Returns the workers of a part."""
    small = arguments.small

    def work(module, backend, told, ways=None):
        options = {"folder": folder, "ways": ways}
        name = f"benchmarks.gpu.{module}"
        return processes.Work(name, backend, told, options, arguments.log)

    if part == "tests":
        # Both at once: nothing is timed.
        return [
            work("layer_tests", backend, cases.tests(backend))
            for backend in ("torch", "jax")
        ]
    if part == "compiled":
        # Each compiles on cores of its own; they measure in turn.
        return [
            work("model_torch", "torch", [case], ways)
            for case, ways in cases.compiled(small)
        ]
    kind, backend = part.split("_")
    if kind == "operation":
        told = cases.rates(small) if backend == "torch" else []
        told += cases.operations(backend, small)
        return [work(f"op_{backend}", backend, told)]
    return [work(f"model_{backend}", backend, cases.models(backend, small))]


def add(found, case, row):
    found.add(case, **row)
    print(report.line(found.rows[-1]), flush=True)


if __name__ == "__main__":
    os.chdir(workers.ROOT)
    main()

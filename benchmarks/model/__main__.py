"""Whole models against those of PySlowFast and of GluonCV.

    SLOWFAST=~/SlowFast python -m benchmarks.model \
        --peer=build/benchmarks/torch/bin/python

Options choose cases and the folder of the results; see `--help` and
docs/benchmarks.md.
"""

import argparse
import os
import pathlib
import sys
import tempfile

from benchmarks import driver
from benchmarks import machine
from benchmarks import measure
from benchmarks import results
from benchmarks import workers
from benchmarks.model import cases
from benchmarks.model import report

# Rounding to 8 bits at every layer: what is left of the logits is compared,
# so that no other model is timed.
TOLERANCE_BFLOAT16 = 0.1
PAIRS = (
    ("peer", "ours"),
    ("peer", "ours_bfloat16"),
    ("peer_bfloat16", "ours_bfloat16"),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    driver.add_peer_arguments(parser)
    choices = {
        "work": ("inference", "training", "long"),
        "project": tuple(cases.PROJECTS),
        "model": cases.MODELS,
        "size": (224, 256),
        "batch": (1, 4),
    }
    driver.add_choices(parser, choices)
    parser.add_argument(
        "--way",
        choices=("graph", "optimized"),
        default="optimized",
        help="our inference: a model optimized for it, or as it is",
    )
    arguments = parser.parse_args()
    chosen = driver.select_cases(cases.cases(), choices, arguments)
    if "SLOWFAST" not in os.environ:
        print(
            "SLOWFAST names no checkout of PySlowFast: its cases are left out.",
            flush=True,
        )
        chosen = [case for case in chosen if case["project"] != "pyslowfast"]
    run(arguments, chosen)


def run(arguments, chosen):
    path = str(workers.ROOT / "benchmarks" / "parity")
    start = {
        "ours": driver.starter(
            sys.executable, "benchmarks.model.ours", arguments.threads
        ),
        "peer": driver.starter(
            arguments.peer,
            "benchmarks.model.peers",
            arguments.threads,
            PYTHONPATH=path,
        ),
    }
    found = results.Results(
        arguments.results,
        "model",
        machine.describe(arguments.threads, driver.versions(start)),
        "python -m benchmarks.model",
    )
    limit = {"work": "matmul", "size": cases.MATMUL}
    if not (arguments.resume and found.has(limit)):
        seconds, _ = driver.take_turns(_products(start), arguments.budget, ())
        found.add(limit, seconds=seconds)
    with tempfile.TemporaryDirectory() as folder:
        for case in chosen:
            told = {**case, "way": _way(case, arguments.way)}
            if arguments.resume and found.has(told):
                continue
            row = measure_case(start, told, arguments.budget, folder)
            found.add(told, **row)
            print(report.line(found.rows[-1]), flush=True)
            report.write(found)


def _products(start):
    """Returns the machine's own limit, in the libraries of both sides."""
    return {
        f"{side}_{precision}": (
            start[side],
            {"work": "matmul", "precision": precision},
        )
        for side in ("ours", "peer")
        for precision in ("float32", "bfloat16")
    }


def _way(case, inference):
    return {"inference": inference, "training": "graph", "long": "remat"}[
        case["work"]
    ]


def measure_case(start, case, budget, folder):
    """Returns one row: outputs compared, memory of each way, seconds.

    The peer comes first: it leaves the checkpoint that ours is made of.
    """
    folder = pathlib.Path(folder)
    name = f"{case['project']}_{case['model']}.pth"
    told = {**case, "checkpoint": str(folder / name)}
    ways = {
        "peer": (start["peer"], {**told, "precision": "float32"}),
        "ours": (start["ours"], {**told, "precision": "float32"}),
    }
    if case["work"] == "inference":
        for side in ("peer", "ours"):
            half = {**told, "precision": "bfloat16"}
            ways[f"{side}_bfloat16"] = start[side], half
    alone = {
        name: measure.alone(begin(), settings, folder / f"{name}.npz")
        for name, (begin, settings) in ways.items()
    }
    row = {"alone": alone}
    if case["work"] != "long":
        begin, settings = ways["ours"]
        with begin() as worker:
            worker.ask("prepare", case=settings)
            row["tell"] = worker.ask("tell")
    ways = {n: way for n, way in ways.items() if "error" not in alone[n]}
    if "ours" in ways:
        row["difference"] = measure.differences(folder, ways)
    for name, error in row.get("difference", {}).items():
        half = name.endswith("bfloat16")
        if not error <= (TOLERANCE_BFLOAT16 if half else driver.TOLERANCE):
            row["refused"] = f"outputs of {name} differ by {error:.1e}"
            return row
    if case["work"] != "long":
        row["seconds"], row["ratio"] = driver.take_turns(ways, budget, PAIRS)
    return row


if __name__ == "__main__":
    main()

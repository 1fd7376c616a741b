"""Mask R-CNN against that of torchvision, on the same weights.

    python -m benchmarks.detection --peer=build/benchmarks/torch/bin/python

Options choose cases and the folder of the results; see `--help` and
docs/benchmarks.md.
"""

import argparse
import pathlib
import sys
import tempfile

import numpy as np

from benchmarks import driver
from benchmarks import machine
from benchmarks import measure
from benchmarks import results
from benchmarks.detection import cases
from benchmarks.detection import compare
from benchmarks.detection import report

PAIRS = (("peer", "ours"),)
# A step takes seconds, and many of them as long as everything else.
ROUNDS = {"inference": 5, "training": 3}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    driver.add_peer_arguments(parser)
    choices = {"work": tuple(cases.WORK), "size": (512, 800), "batch": (1, 2)}
    driver.add_choices(parser, choices)
    arguments = parser.parse_args()
    run(arguments, driver.select_cases(cases.cases(), choices, arguments))


def run(arguments, chosen):
    start = {
        side: driver.starter(
            python, f"benchmarks.detection.{module}", arguments.threads
        )
        for side, python, module in (
            ("peer", arguments.peer, "peers"),
            ("ours", sys.executable, "ours"),
        )
    }
    found = results.Results(
        arguments.results,
        "detection",
        machine.describe(arguments.threads, driver.versions(start)),
        "python -m benchmarks.detection",
    )
    with tempfile.TemporaryDirectory() as folder:
        for case in chosen:
            if arguments.resume and found.has(case):
                continue
            row = measure_case(start, case, arguments.budget, folder)
            found.add(case, **row)
            print(report.line(found.rows[-1]), flush=True)
            report.write(found)


def measure_case(start, case, budget, folder):
    """Returns one row: outputs compared, memory of each side, seconds.

    The peer comes first: it leaves the checkpoint that ours is made of.
    """
    folder = pathlib.Path(folder)
    told = {**case, "checkpoint": str(folder / "detector.pth")}
    usual = {**told, "samples": "usual"}
    row = {"alone": _alone(start, usual, folder)}
    if any("error" in told for told in row["alone"].values()):
        return row
    if case["work"] == "training":
        # What is learned from is drawn by chance, on each side.
        _alone(start, {**told, "samples": "all"}, folder)
        error = compare.loss_difference(*_outputs(folder))
        row["difference"] = error
        if not error <= compare.LOSS:
            return {**row, "refused": f"losses differ by {error:.1e}"}
    else:
        again, number = compare.found_again(*_outputs(folder))
        row["found"] = [again, number]
        if not again >= compare.SHARE * number > 0:
            return {**row, "refused": f"{again} of {number} found again"}
    ways = {side: (begin, usual) for side, begin in start.items()}
    row["seconds"], row["ratio"] = driver.take_turns(
        ways, budget, PAIRS, ROUNDS[case["work"]]
    )
    with start["ours"]() as worker:
        worker.ask("prepare", case=usual)
        row["tell"] = worker.ask("tell")
    return row


def _alone(start, case, folder):
    """Runs a case once on each side, and keeps its outputs."""
    return {
        side: measure.alone(begin(), case, folder / f"{side}.npz")
        for side, begin in start.items()
    }


def _outputs(folder):
    found = []
    for side in ("peer", "ours"):
        with np.load(folder / f"{side}.npz") as arrays:
            found.append(dict(arrays))
    return found


if __name__ == "__main__":
    main()

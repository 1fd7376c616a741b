"""The non-local operation and block against mmcv's NonLocal3d.

    python -m benchmarks.op --peer=build/benchmarks/torch/bin/python

Options choose cases and the folder of the results; see `--help` and
docs/benchmarks.md.
"""

import argparse
import pathlib
import sys
import tempfile

from benchmarks import driver
from benchmarks import machine
from benchmarks import measure
from benchmarks import results
from benchmarks.op import cases
from benchmarks.op import report

# A run that takes longer is not repeated where nothing is compared.
LONG = 60.0
# Work of fewer seconds is repeated within a run.
SHORT = 0.05
PAIRS = (("mmcv", "ours"), ("matrix", "ours"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    driver.add_peer_arguments(parser)
    choices = {
        "part": ("operation", "block"),
        "pairwise": cases.PAIRWISE,
        "positions": tuple(cases.MAPS),
    }
    driver.add_choices(parser, choices)
    parser.add_argument("--no_training", action="store_true")
    arguments = parser.parse_args()
    chosen = [
        case
        for case in driver.select_cases(cases.cases(), choices, arguments)
        if not (case["training"] and arguments.no_training)
    ]
    run(arguments, chosen)


def run(arguments, chosen):
    start = {
        "ours": driver.starter(
            sys.executable, "benchmarks.op.ours", arguments.threads
        ),
        "mmcv": driver.starter(
            arguments.peer, "benchmarks.op.mmcv", arguments.threads
        ),
    }
    versions = driver.versions(start)
    found = results.Results(
        arguments.results,
        "op",
        machine.describe(arguments.threads, versions),
        "python -m benchmarks.op",
    )
    for case in chosen:
        if arguments.resume and found.has(case):
            continue
        row = measure_case(start, case, arguments.budget)
        found.add(case, **row)
        print(report.line(found.rows[-1]), flush=True)
        report.write(found)


def measure_case(start, case, budget):
    """Returns one row: outputs compared, memory of each side, seconds."""
    ways = {
        "ours": (start["ours"], case),
        "matrix": (start["ours"], {**case, "implementation": "matrix"}),
        "mmcv": (start["mmcv"], case),
    }
    row = {"matrix_gb": cases.matrix_gb(case), "needed_gb": {}}
    free = measure.memory_gb()
    for name in ("matrix", "mmcv"):
        needed = cases.needed_gb(case, joins_pairs=name == "mmcv")
        if needed > 0.8 * free:
            row["needed_gb"][name] = needed
            del ways[name]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        # Outputs are only saved where there is something to compare.
        begun = {name: begin() for name, (begin, _) in ways.items()}
        alone = {
            name: measure.alone(
                begun[name],
                told,
                folder / f"{name}.npz" if len(ways) > 1 else None,
            )
            for name, (_, told) in ways.items()
        }
        ways = {n: way for n, way in ways.items() if "error" not in alone[n]}
        if "ours" in ways:
            row["difference"] = measure.differences(folder, ways)
    row["alone"] = alone
    worst = max(row.get("difference", {}).values(), default=0.0)
    if not worst <= driver.TOLERANCE:
        row["refused"] = f"outputs differ by {worst:.1e}"
        return row
    if len(ways) == 1 and all(a["seconds"] > LONG for a in alone.values()):
        (name,) = ways
        row["seconds"] = {name: measure.spread([alone[name]["seconds"]])}
        return row
    ways = {
        name: (begin, {**told, "repeats": _repeats(alone[name]["seconds"])})
        for name, (begin, told) in ways.items()
    }
    row["seconds"], row["ratio"] = driver.take_turns(ways, budget, PAIRS)
    return row


def _repeats(seconds):
    """Returns how often a run that is timed does the work in a row.

    A layer is a part of a model. What a call of a whole graph costs, half a
    millisecond, is no part of it, so that short work is done several times.
    """
    return 16 if seconds < SHORT else 1


if __name__ == "__main__":
    main()

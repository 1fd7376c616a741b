"""What a non-local block gives a detector where context decides, over seeds.

    python -m benchmarks.longrange_shapes build/benchmarks/longrange_shapes

Trains the recipe `longrange_shapes` once per seed with `train.py`, and tells
the AP of both models, apart for the classes that context alone tells. Runs
that the folder holds are not made again; one that was cut off goes on. See
docs/detection.md.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
from importlib import metadata

from benchmarks import machine
from benchmarks import results
from benchmarks import workers
from nonlocal_keras.data import longrange_shapes

RECIPE = longrange_shapes.NAME
LIBRARIES = ("tensorflow", "keras", "numpy", "faster-coco-eval")
HEADER = ["model", "seeds", "box AP", "mask AP"]
HEADER += ["box AP50, classes by themselves", "box AP50, by context"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="for the runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument(
        "--results",
        type=pathlib.Path,
        default=workers.ROOT / "benchmarks" / "results",
        help="folder of the results",
    )
    run(parser.parse_args())


def run(arguments):
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    reports = [train(folder, seed) for seed in arguments.seeds]
    write(arguments, reports)


def train(folder, seed):
    """Returns the report of a seed, a list with a row per model."""
    report = folder / f"seed-{seed}" / "report.json"
    if not report.exists():
        command = [
            f"--experiment={RECIPE}",
            f"--data={folder / 'data'}",
            f"--model_dir={report.parent}",
            f"--overrides=seed={seed}",
        ]
        # What is registered here is not for the zoo of the user.
        home = {"NONLOCAL_KERAS_HOME": str(folder / "home")}
        subprocess.run(
            [sys.executable, workers.ROOT / "train.py", *command],
            env={**os.environ, **home},
            cwd=folder,
            check=True,
        )
    return json.loads(report.read_text())


def measures(row):
    """Returns what the page tells of a model of one seed.

    Args:
        row: Dictionary, one of the list in `report.json`.
    """
    context = longrange_shapes.CONTEXT_CLASSES
    by_class = row["by_class"]["boxes"]
    told = [v["AP50"] for name, v in by_class.items() if name in context]
    alone = [v["AP50"] for name, v in by_class.items() if name not in context]
    return {
        "box AP": row["numbers"]["boxes"]["AP"],
        "mask AP": row["numbers"]["masks"]["AP"],
        "box AP50, classes by themselves": sum(alone) / len(alone),
        "box AP50, by context": sum(told) / len(told),
    }


def spread(values):
    """Returns the mean in percent with the lowest and the highest."""
    low, mean, high = min(values), sum(values) / len(values), max(values)
    return f"{mean:.1%} ({low:.1%} to {high:.1%})"


def write(arguments, reports):
    seeds = [str(seed) for seed in arguments.seeds]
    versions = {name: metadata.version(name) for name in LIBRARIES}
    found = results.Results(
        arguments.results,
        RECIPE,
        machine.describe(machine.threads(), {"ours": versions}),
        f"python -m benchmarks.longrange_shapes {arguments.folder} "
        f"--seeds {' '.join(seeds)}",
    )
    lines = []
    for rows in zip(*reports, strict=True):
        name = rows[0]["model"]
        measured = [measures(row) for row in rows]
        found.add({"model": name}, seeds=arguments.seeds, measured=measured)
        cells = [spread([m[key] for m in measured]) for key in HEADER[2:]]
        lines.append([f"`{name}`", ", ".join(seeds), *cells])
    page = results.table(HEADER, lines)
    about = f"{found.machine['processor']}, {found.machine['cores']} cores"
    found.write_page("## Where context decides", page, about=about)
    print(page)


if __name__ == "__main__":
    main()

"""What exported files cost and how well they predict, beside TensorFlow.

    python -m benchmarks.export.weights build/benchmarks/weights
    python -m benchmarks.export build/benchmarks/weights

Exports every model to every target, compares each file with the Keras model
on test clips of the weights' task, and lets all of them run in turn. See
docs/benchmarks.md.
"""

import argparse
import pathlib
import sys
import tempfile

from benchmarks import driver
from benchmarks import machine
from benchmarks import plots
from benchmarks import results
from benchmarks.export import cases
from benchmarks.export.cases import COMPARED

HEADER = ["model", "way", "size", "difference", "same class", "accuracy"]
HEADER += ["latency", "keras / way", "optimized / way"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "weights",
        type=pathlib.Path,
        help="folder of the trained models",
    )
    parser.add_argument("--clips", type=int, default=100)
    models = tuple(cases.MODELS)
    parser.add_argument("--model", nargs="+", choices=models, default=models)
    parser.add_argument(
        "--way", nargs="+", choices=cases.WAYS, default=cases.WAYS
    )
    driver.add_arguments(parser, budget=20.0)
    run(parser.parse_args())


def run(arguments):
    begin = driver.starter(
        sys.executable, "benchmarks.export.ours", arguments.threads
    )
    found = results.Results(
        arguments.results,
        "export",
        machine.describe(arguments.threads, driver.versions({"ours": begin})),
        "python -m benchmarks.export",
    )
    for name in arguments.model:
        weights = arguments.weights / f"{name}.keras"
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            told = {"weights": str(weights), "folder": str(folder)}
            rows = {
                way: exported(begin, {**told, "way": way}, arguments.clips)
                for way in cases.ways(arguments.way)
            }
            ways = {way: (begin, {**told, "way": way}) for way in rows}
            seconds, ratios = driver.take_turns(
                ways,
                arguments.budget,
                [(graph, way) for graph in COMPARED for way in ways],
            )
        for way, row in rows.items():
            found.add(
                {"model": name, "way": way},
                clips=arguments.clips,
                seconds=seconds[way],
                ratio={g: ratios[f"{g} / {way}"] for g in COMPARED},
                **row,
            )
        write(found)


def exported(begin, case, clips):
    """Makes a file and lets it predict, in a process of its own."""
    with begin() as worker:
        worker.ask("prepare", case={**case, "make": clips})
        told = worker.ask("tell")
    print(case["way"], told, flush=True)
    return told


def write(found):
    models = list(cases.MODELS)
    found.rows.sort(
        key=lambda row: (
            models.index(row["case"]["model"]),
            cases.WAYS.index(row["case"]["way"]),
        )
    )
    rows = [
        [
            row["case"]["model"],
            row["case"]["way"],
            results.megabytes(row["size"] / 1e6) if row["size"] else "–",
            f"{row['relative']:.1e}",
            f"{row['agreement']:.1%}",
            f"{row['accuracy']:.1%}",
            results.seconds(row["seconds"]["median"]),
            *(results.ratio(row["ratio"][graph]) for graph in COMPARED),
        ]
        for row in found.rows
    ]
    found.write_page("## Exported files", results.table(HEADER, rows))
    _plot(found.rows, found.file.with_suffix(".png"))


def _plot(rows, path):
    figure = plots.new_figure(10, 1.5 + 0.3 * len(rows))
    axes = figure.subplots()
    names = [" ".join(row["case"].values()) for row in rows]
    ratios = [row["ratio"]["keras"]["median"] for row in rows]
    models = list(cases.MODELS)
    colours = [f"C{models.index(row['case']['model'])}" for row in rows]
    axes.barh(names, ratios, color=colours)
    axes.axvline(1.0, color="black", linewidth=1)
    axes.invert_yaxis()
    axes.set(xlabel="times as fast as the Keras model in a graph")
    figure.savefig(path, dpi=120, bbox_inches="tight")


if __name__ == "__main__":
    main()

"""The page and the plot of what was measured on an accelerator.

    python -m benchmarks.gpu.report benchmarks/results

makes both of `gpu.json` again, on any machine with matplotlib.
"""

import argparse
import json
import pathlib

from benchmarks import plots
from benchmarks import results
from benchmarks.gpu import cases
from benchmarks.gpu import figure

OPERATION = ["form", "positions", "precision", "pass", "backend"]
OPERATION += ["ours", "mmcv / ours", "attention / ours", "matrix / ours"]
OPERATION += ["of the limit", "memory: ours", "mmcv", "error: ours", "mmcv"]
MODEL = ["frames x clips", "work", "precision", "backend", "ours"]
MODEL += ["PySlowFast", "its way", "PySlowFast / ours"]
MODEL += ["memory: ours", "PySlowFast", "error: ours", "PySlowFast"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=pathlib.Path)
    folder = parser.parse_args().results
    told = json.loads((folder / "gpu.json").read_text())
    write(results.Results(folder, "gpu", told["machine"], told["command"]))


def line(row):
    """Returns one line about a row, for those who wait."""
    words = cases.label(row["case"])
    if "error" in row:
        return f"{words}: {row['error']}"
    if "needed_gb" in row:
        return f"{words}: needs {row['needed_gb']:.0f} GB"
    if "tests" in row:
        return f"{words}: {row['tests']}"
    if "profile" in row:
        return f"{words}: {results.seconds(row['total'])}"
    return f"{words}: {results.seconds(row['seconds']['median'])}"


def write(found):
    """Writes `gpu.md`, and `gpu.png` where matplotlib is installed."""
    by_part = {}
    for row in found.rows:
        by_part.setdefault(row["case"]["part"], []).append(row)
    limits = {
        row["case"]["precision"]: row.get("flops")
        for row in by_part.get("rates", [])
    }
    sections = []
    for title, header, cells in (
        ("Limits of the device", ["precision", "TFLOP/s", "GB/s"], _limits),
        ("The operation", OPERATION, lambda r: _operations(r, limits)),
        ("Whole models", MODEL, _models),
        ("Tests", ["backend", "passed", "failed", "skipped", "all"], _tests),
    ):
        rows = cells(by_part)
        if rows:
            sections += [f"## {title}", results.table(header, rows)]
    sections += [*_failed_tests(by_part), *_profiles(found.rows)]
    failures = [line(row) for row in found.rows if "error" in row]
    if failures:
        listed = "\n".join(f"- {words}" for words in failures)
        sections += ["## What failed", listed]
    found.write_page(*sections, about=_about(found.machine))
    try:
        figure.draw(found.rows, found.file.with_suffix(".png"))
    except plots.NoMatplotlibError as error:
        print(f"No plot: {error}", flush=True)


def _about(machine):
    python = f"Python {machine['python']}, {machine['processor']}"
    return f"{machine['device']}; {python}, {machine['cores']} cores"


def _limits(by_part):
    return [
        [
            row["case"]["precision"],
            f"{row['flops'] / 1e12:.3g}",
            f"{row['copied'] / 1e9:.0f}",
        ]
        for row in by_part.get("rates", [])
        if "flops" in row
    ]


def _grouped(rows):
    """Returns tuples of a case without its way, and its rows by way."""
    groups = {}
    for row in rows:
        case = dict(row["case"])
        way = case.pop("way")
        groups.setdefault(json.dumps(case), {})[way] = row
    return [(json.loads(case), ways) for case, ways in groups.items()]


def _operations(by_part, limits):
    found = []
    groups = _grouped(by_part.get("operation", []))
    mmcv = {_sizes(case): ways.get("mmcv") for case, ways in groups}
    forms = list(cases.FORMS)
    groups.sort(
        key=lambda g: (
            forms.index(g[0]["pairwise"]),
            g[0]["precision"],
            g[0]["training"],
            g[0]["positions"],
            g[0]["backend"],
        )
    )
    for case, ways in groups:
        ours, limit = ways.get("ours"), limits.get(case["precision"])
        # Under JAX ours is compared with mmcv under PyTorch.
        peer = mmcv.get(_sizes({**case, "backend": "torch"}))
        rate = None
        if limit and _seconds(ours):
            rate = cases.operation_flops(case) / _seconds(ours) / limit
        found.append(
            [
                case["pairwise"],
                f"{case['positions']:,}",
                case["precision"],
                "forward, backward" if case["training"] else "forward",
                case["backend"],
                results.seconds(_seconds(ours)),
                _ratio(peer, ours),
                _ratio(ways.get("attention"), ours),
                _ratio(ways.get("matrix"), ours),
                "–" if rate is None else f"{rate:.0%}",
                _memory(ours),
                _memory(peer),
                _difference(ours),
                _difference(peer),
            ]
        )
    return found


def _sizes(case):
    return tuple(sorted((k, str(v)) for k, v in case.items() if k != "way"))


def _models(by_part):
    groups = _grouped(by_part.get("model", []))
    peers = {_sizes(case): _best(ways, "peer") for case, ways in groups}
    found = []
    for case, ways in groups:
        way, ours = _best(ways, "ours") or (None, None)
        best = peers.get(_sizes({**case, "backend": "torch"}))
        their_way, peer = best or ("–", None)
        found.append(
            [
                f"{case['frames']} x {case['batch']}",
                case["work"],
                case["precision"],
                f"{case['backend']}{(way or '').removeprefix('ours')}",
                results.seconds(_seconds(ours)),
                results.seconds(_seconds(peer)),
                their_way.removeprefix("peer_"),
                _ratio(peer, ours),
                _memory(ours),
                _memory(peer),
                _difference(ours),
                _difference(peer),
            ]
        )
    return found


def _best(ways, side):
    """Returns the fastest way of a side, and its row."""
    timed = [
        (way, row)
        for way, row in ways.items()
        if way.startswith(side) and _seconds(row)
    ]
    return min(timed, key=lambda found: _seconds(found[1]), default=None)


def _tests(by_part):
    return [
        [
            row["case"]["backend"],
            str(row["tests"].get("PASSED", 0)),
            str(row["tests"].get("FAILED", 0) + row["tests"].get("ERROR", 0)),
            str(row["tests"].get("SKIPPED", 0)),
            "yes" if row["complete"] else "no: time was over",
        ]
        for row in by_part.get("tests", [])
        if "tests" in row
    ]


def _failed_tests(by_part):
    for row in by_part.get("tests", []):
        if row.get("failed"):
            names = "\n".join(f"- `{name}`" for name in row["failed"])
            yield f"Failed under {row['case']['backend']}:\n\n{names}"


def _profiles(rows):
    for row in rows:
        if "profile" in row:
            yield f"## Where the time goes: {cases.label(row['case'])}"
            total = row["total"]
            cells = [
                [f"`{name}`", results.seconds(s), f"{s / total:.0%}"]
                for name, s in row["profile"].items()
            ]
            header = ["kernel", "seconds", "of all"]
            yield results.table(header, cells)


def _seconds(row):
    return row["seconds"]["median"] if row and "seconds" in row else None


def _ratio(theirs, ours):
    if theirs and "needed_gb" in theirs:
        return f"needs {theirs['needed_gb']:,.0f} GB"
    if not _seconds(theirs) or not _seconds(ours):
        return "–"
    return f"{_seconds(theirs) / _seconds(ours):.3g}"


def _memory(row):
    return results.megabytes((row or {}).get("extra_mb"))


def _difference(row):
    told = (row or {}).get("difference")
    return f"{max(told.values()):.0e}" if told else "–"


if __name__ == "__main__":
    main()

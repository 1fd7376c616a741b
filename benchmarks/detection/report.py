"""The page and the plot of the benchmark of detectors."""

from benchmarks import plots
from benchmarks import results

SIDES = ("peer", "ours")
TITLES = {
    "inference": "## Inference, images per second",
    "training": "## One training step, images per second",
}


def line(row):
    """Returns one line about a row, for those who wait."""
    name = " ".join(map(str, row["case"].values()))
    if "refused" in row:
        return f"{name}: not timed, {row['refused']}"
    ratio = results.ratio(row.get("ratio", {}).get("peer / ours"))
    memory = ", ".join(f"{side} {_memory(row, side)}" for side in SIDES)
    return f"{name}: peer / ours {ratio}; memory {memory}"


def write(found):
    """Writes `detection.md` and `detection.png` from the rows there are."""
    header = ["short side", "batch", *SIDES, "ratio", "same"]
    header += ["memory: peer", "ours", "process: peer", "ours"]
    sections = []
    for work, title in TITLES.items():
        rows = _rows(found.rows, work)
        if rows:
            table = results.table(header, list(map(_cells, rows)))
            sections += [title, table]
    rows = [row for row in found.rows if "tell" in row]
    if rows:
        sections.append("## Where the time of ours goes, in percent")
        sections.append(_profile(rows))
    found.write_page(*sections)
    _plot(found.rows, found.file.with_suffix(".png"))


def _rows(rows, work):
    rows = [row for row in rows if row["case"]["work"] == work]
    return sorted(rows, key=lambda r: (r["case"]["size"], r["case"]["batch"]))


def _cells(row):
    case = row["case"]
    return [
        str(case["size"]),
        str(case["batch"]),
        *(_images(row, side) for side in SIDES),
        row.get("refused")
        or results.ratio(row.get("ratio", {}).get("peer / ours")),
        _same(row),
        *(_memory(row, side) for side in SIDES),
        *(_memory(row, side, "peak_mb") for side in SIDES),
    ]


def _images(row, side):
    seconds = row.get("seconds", {}).get(side)
    if seconds is None:
        return "–"
    return f"{row['case']['batch'] / seconds['median']:.2f}"


def _same(row):
    if "found" in row:
        return "{} of {}".format(*row["found"])
    if "difference" in row:
        return f"losses within {row['difference']:.0e}"
    return "–"


def _memory(row, side, kind="extra_mb"):
    told = row["alone"][side]
    return told.get("error") or results.megabytes(told[kind])


def _profile(rows):
    kinds = {kind: None for row in rows for kind in row["tell"]["profile"]}
    kinds = [*(kind for kind in kinds if kind != "others"), "others"]
    cells = []
    for row in rows:
        told, case = row["tell"]["profile"], row["case"]
        total = sum(told.values())
        shares = [told.get(kind) for kind in kinds]
        cells.append(
            [case["work"], str(case["size"]), str(case["batch"])]
            + ["" if s is None else f"{100 * s / total:.0f}" for s in shares]
        )
    return results.table(["work", "short side", "batch", *kinds], cells)


def _plot(rows, path):
    rows = [row for work in TITLES for row in _rows(rows, work)]
    rows = [row for row in rows if "seconds" in row]
    figure = plots.new_figure(8, 1.5 + 0.5 * len(rows))
    axes = figure.subplots()
    for j, side in enumerate(SIDES):
        images = [
            row["case"]["batch"] / row["seconds"][side]["median"]
            for row in rows
        ]
        places = [i + 0.4 * j for i in range(len(rows))]
        axes.barh(places, images, 0.4, color=f"C{j}", label=side)
    names = [" ".join(map(str, row["case"].values())) for row in rows]
    axes.set_yticks([i + 0.2 for i in range(len(rows))], names)
    axes.invert_yaxis()
    axes.set(xlabel="images per second", title="Mask R-CNN, ResNet-50 FPN")
    axes.legend()
    figure.savefig(path, dpi=120)

"""The page and the plot of the benchmark of whole models."""

from benchmarks import plots
from benchmarks import results
from benchmarks.model import cases

SIDES = ("peer", "ours", "peer_bfloat16", "ours_bfloat16")


def line(row):
    """Returns one line about a row, for those who wait."""
    name = " ".join(map(str, row["case"].values()))
    if "refused" in row:
        return f"{name}: not timed, {row['refused']}"
    ratios = ", ".join(
        f"{pair} {results.ratio(value)}"
        for pair, value in row.get("ratio", {}).items()
    )
    memory = ", ".join(f"{s} {_memory(row, s)}" for s in row["alone"])
    return f"{name}: {ratios}; memory {memory}"


def write(found):
    """Writes `model.md` and `model.png` from the rows there are."""
    rates = _rates(found.rows)
    sections = [
        "## The limit of the machine",
        f"A matrix product of size {cases.MATMUL}, GFLOP/s:",
        results.table(
            list(rates), [[f"{value:.0f}" for value in rates.values()]]
        ),
    ]
    rows = _rows(found.rows, "inference")
    if rows:
        sections.append("## Inference, clips per second")
        header = [
            *_COMMON,
            *SIDES,
            *_RATIOS,
            "memory: peer",
            "ours",
            "of the limit",
        ]
        cells = [_inference(row, rates) for row in rows]
        sections.append(results.table(header, cells))
        sections.append("## Where the time of ours goes, in percent")
        sections.append(_profile(rows))
    rows = _rows(found.rows, "training")
    if rows:
        sections.append("## One training step, float32")
        header = [*_COMMON, "peer", "ours", "ratio", "memory: peer", "ours"]
        sections.append(results.table(header, list(map(_training, rows))))
    rows = _rows(found.rows, "long")
    if rows:
        sections.append("## Memory of a training step on 128 frames")
        header = [*_COMMON, "memory: peer", "ours", "loss differs by"]
        sections.append(results.table(header, list(map(_long, rows))))
    found.write_page(*sections)
    _plot(found.rows, found.file.with_suffix(".png"))


_COMMON = ["project", "model", "clip", "batch"]
_PAIRS = (
    "peer / ours",
    "peer / ours_bfloat16",
    "peer_bfloat16 / ours_bfloat16",
)
_RATIOS = ["float32", "bfloat16 against float32", "bfloat16"]


def _rates(rows):
    """Returns GFLOP/s of the large product, by side and precision."""
    (limit,) = (row for row in rows if row["case"]["work"] == "matmul")
    flops = 2 * cases.MATMUL**3
    return {
        name: flops / seconds["median"] / 1e9
        for name, seconds in limit["seconds"].items()
    }


def _rows(rows, work):
    rows = [row for row in rows if row["case"]["work"] == work]
    # Those of a model together, whenever they were measured.
    return sorted(rows, key=lambda row: _common(row["case"]))


def _common(case):
    return [
        case["project"],
        case["model"],
        f"{case['frames']} x {case['size']}",
        str(case["batch"]),
    ]


def _inference(row, rates):
    case = row["case"]
    ratios = [row.get("ratio", {}).get(pair) for pair in _PAIRS]
    cells = [*_common(case), *(_clips(row, side) for side in SIDES)]
    if "refused" in row:
        cells += [row["refused"], "–", "–"]
    else:
        cells += map(results.ratio, ratios)
    cells += [_memory(row, "peer"), _memory(row, "ours")]
    if "seconds" not in row:
        return [*cells, "–"]
    # Two operations per multiply-add.
    flops = 2 * row["tell"]["gmacs"] * case["batch"]
    reached = flops / row["seconds"]["ours"]["median"]
    return [*cells, f"{100 * reached / rates['ours_float32']:.0f}%"]


def _training(row):
    case, seconds = row["case"], row.get("seconds", {})
    ratio = row.get("ratio", {}).get("peer / ours")
    return [
        *_common(case),
        *(
            results.seconds(seconds[s]["median"]) if s in seconds else "–"
            for s in ("peer", "ours")
        ),
        row.get("refused") or results.ratio(ratio),
        _memory(row, "peer"),
        _memory(row, "ours"),
    ]


def _long(row):
    error = row.get("difference", {}).get("peer")
    return [
        *_common(row["case"]),
        _memory(row, "peer"),
        _memory(row, "ours"),
        "–" if error is None else f"{error:.0e}",
    ]


def _clips(row, side):
    seconds = row.get("seconds", {}).get(side)
    if seconds is None:
        return "–"
    return f"{row['case']['batch'] / seconds['median']:.2f}"


def _memory(row, side):
    told = row["alone"][side]
    return told.get("error") or results.megabytes(told["extra_mb"])


def _profile(rows):
    rows = [row for row in rows if row["tell"]]
    kinds = {}
    for row in rows:
        kinds.update(row["tell"]["profile"])
    kinds = [*(kind for kind in kinds if kind != "others"), "others"]
    cells = []
    for row in rows:
        told = row["tell"]["profile"]
        total = sum(told.values())
        shares = [told.get(kind) for kind in kinds]
        cells.append(
            _common(row["case"])
            + ["" if s is None else f"{100 * s / total:.0f}" for s in shares]
        )
    return results.table([*_COMMON, *kinds], cells)


def _plot(rows, path):
    rows = [row for row in _rows(rows, "inference") if "seconds" in row]
    figure = plots.new_figure(10, 1.5 + 0.5 * len(rows))
    axes = figure.subplots()
    for i, row in enumerate(rows):
        for j, side in enumerate(SIDES):
            if side in row["seconds"]:
                clips = row["case"]["batch"] / row["seconds"][side]["median"]
                axes.barh(
                    i + 0.2 * j,
                    clips,
                    0.2,
                    color=f"C{j}",
                    label=side if i == 0 else None,
                )
    names = [" ".join(_common(row["case"])) for row in rows]
    axes.set_yticks([i + 0.3 for i in range(len(rows))], names)
    axes.invert_yaxis()
    axes.set(xlabel="clips per second", title="Inference")
    if rows:
        axes.legend()
    figure.savefig(path, dpi=120)

"""The page and the plot of the benchmark of one block."""

from benchmarks import measure
from benchmarks import plots
from benchmarks import results
from benchmarks.op import cases

HEADER = [
    "form",
    "queries x keys",
    "ours",
    "mmcv",
    "mmcv / ours",
    "matrix / ours",
    "memory: ours",
    "mmcv",
    "the matrix",
    "difference",
]


def line(row):
    """Returns one line about a row, for those who wait."""
    case = row["case"]
    name = " ".join(
        [
            case["part"],
            case["pairwise"],
            _size(case),
            "training" if case["training"] else "forward",
        ]
    )
    if "refused" in row:
        return f"{name}: not timed, {row['refused']}"
    return (
        f"{name}: ours {_seconds(row, 'ours')}, mmcv {_seconds(row, 'mmcv')}, "
        f"ratio {results.ratio(row.get('ratio', {}).get('mmcv / ours'))}, "
        f"memory {_memory(row, 'ours')} and {_memory(row, 'mmcv')}"
    )


def write(found):
    """Writes `op.md` and `op.png` from the rows there are."""
    sections = []
    for part in ("operation", "block"):
        for training in (False, True):
            rows = _rows(found.rows, part=part, training=training)
            if rows:
                what = "forward and backward" if training else "forward"
                sections.append(f"## The {part}, {what}")
                cells = [_cells(row) for row in rows]
                sections.append(results.table(HEADER, cells))
    exponents = list(_exponents(found.rows))
    if exponents:
        sections.append("## Exponents in the number of positions")
        header = ["form", "keys", "pass", "time", "memory", "positions"]
        sections.append(results.table(header, exponents))
    found.write_page(*sections)
    _plot(found.rows, found.file.with_suffix(".png"))


def _rows(rows, **wanted):
    """Returns the rows of these cases, in the order of `cases`."""
    found = {str(row["case"]): row for row in rows}
    ordered = [found.get(str(case)) for case in cases.cases()]
    return [
        row
        for row in ordered
        if row and all(row["case"][k] == v for k, v in wanted.items())
    ]


def _cells(row):
    case, ratios = row["case"], row.get("ratio", {})
    errors = row.get("difference", {})
    return [
        case["pairwise"],
        _size(case),
        _seconds(row, "ours"),
        _seconds(row, "mmcv"),
        row.get("refused") or results.ratio(ratios.get("mmcv / ours")),
        results.ratio(ratios.get("matrix / ours")),
        _memory(row, "ours"),
        _memory(row, "mmcv"),
        results.megabytes(1e3 * row["matrix_gb"]),
        f"{errors['mmcv']:.0e}" if "mmcv" in errors else "–",
    ]


def _size(case):
    return f"{case['positions']:,} x {cases.keys(case):,}"


def _seconds(row, side):
    missing = _missing(row, side)
    if missing:
        return missing
    value = row.get("seconds", {}).get(side)
    return results.seconds(value and value["median"])


def _memory(row, side):
    if _missing(row, side):
        return "–"
    return results.megabytes(row["alone"][side]["extra_mb"])


def _missing(row, side):
    """Returns why a side has no numbers, or nothing."""
    if side in row["needed_gb"]:
        return f"needs {row['needed_gb'][side]:,.0f} GB"
    return row["alone"][side].get("error")


def _exponents(rows):
    for pairwise in cases.PAIRWISE:
        for sub_sample in (True, False):
            for training in (False, True):
                chosen = [
                    row
                    for row in _rows(
                        rows,
                        part="operation",
                        pairwise=pairwise,
                        sub_sample=sub_sample,
                        training=training,
                    )
                    if "ours" in row.get("seconds", {})
                ]
                if len(chosen) < 3:
                    continue  # Two points lie on a line whatever they are.
                n = [row["case"]["positions"] for row in chosen]
                times = [row["seconds"]["ours"]["median"] for row in chosen]
                memory = [row["alone"]["ours"]["extra_mb"] for row in chosen]
                yield [
                    pairwise,
                    "sub-sampled" if sub_sample else "all",
                    "forward and backward" if training else "forward",
                    f"{measure.exponent(n, times):.2f}",
                    f"{measure.exponent(n, memory):.2f}",
                    f"{n[0]:,} to {n[-1]:,}",
                ]


def _plot(rows, path):
    figure = plots.new_figure(10, 4)
    time, memory = figure.subplots(1, 2)
    for color, pairwise in enumerate(cases.PAIRWISE):
        chosen = _rows(
            rows,
            part="operation",
            pairwise=pairwise,
            sub_sample=False,
            training=False,
        )
        for side, style in (("ours", "o-"), ("mmcv", "x--")):
            points = [
                (
                    row["case"]["positions"],
                    row["seconds"][side]["median"],
                    row["alone"][side]["extra_mb"],
                )
                for row in chosen
                if side in row.get("seconds", {})
            ]
            if not points:
                continue
            n, seconds, megabytes = zip(*points)
            label = f"{pairwise}, {side}"
            time.plot(n, seconds, style, color=f"C{color}", label=label)
            memory.plot(n, megabytes, style, color=f"C{color}")
    for axes, name in ((time, "seconds"), (memory, "extra memory in MB")):
        axes.set(xscale="log", yscale="log", xlabel="positions", ylabel=name)
        axes.grid(alpha=0.3)
    if time.lines:
        time.legend(fontsize="x-small")
    figure.suptitle("The operation, forward, keys not sub-sampled")
    figure.savefig(path, dpi=120)

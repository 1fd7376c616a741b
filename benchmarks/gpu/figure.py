"""The plot of what was measured on an accelerator."""

from benchmarks import plots
from benchmarks.gpu import cases

STYLES = {"torch": "-", "jax": "--"}
WAYS = ("ours", "mmcv", "attention", "matrix")


def draw(rows, path):
    """Draws seconds over positions of each form, and those of each model."""
    figure = plots.new_figure(13, 8)
    grid = figure.add_gridspec(2, 4)
    for i, pairwise in enumerate(cases.FORMS):
        _operation(figure.add_subplot(grid[0, i]), rows, pairwise)
    _models(figure.add_subplot(grid[1, :]), rows)
    figure.savefig(path, dpi=110)


def _operation(axes, rows, pairwise):
    for backend, style in STYLES.items():
        for color, way in enumerate(WAYS):
            wanted = {
                "part": "operation",
                "pairwise": pairwise,
                "backend": backend,
                "way": way,
                "precision": "bfloat16",
                "training": True,
            }
            points = sorted(
                (row["case"]["positions"], row["seconds"]["median"])
                for row in rows
                if "seconds" in row
                and all(row["case"].get(k) == v for k, v in wanted.items())
            )
            if points:
                label = f"{way}, {backend}"
                axes.plot(
                    *zip(*points), style, c=f"C{color}", marker="o", label=label
                )
    axes.set(xscale="log", yscale="log", xlabel="positions", title=pairwise)
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.set_ylabel("s, bfloat16, forward and backward")
        axes.legend(fontsize="x-small")


def _models(axes, rows):
    rows = [
        row
        for row in rows
        if row["case"]["part"] == "model" and "seconds" in row
    ]
    keys = ("frames", "batch", "work", "precision")
    names = list(dict.fromkeys(_name(row, keys) for row in rows))
    sides = list(dict.fromkeys(_name(row, ("backend", "way")) for row in rows))
    width = 0.8 / max(len(sides), 1)
    for i, side in enumerate(sides):
        chosen = [r for r in rows if _name(r, ("backend", "way")) == side]
        axes.bar(
            [names.index(_name(r, keys)) + i * width for r in chosen],
            [r["case"]["batch"] / r["seconds"]["median"] for r in chosen],
            width,
            label=side,
        )
    axes.set_xticks(range(len(names)), names, rotation=15, fontsize="small")
    axes.set(ylabel="clips per second", title="NL-I3D R50", yscale="log")
    if rows:
        axes.legend(fontsize="x-small")


def _name(row, keys):
    return " ".join(str(row["case"][key]) for key in keys)

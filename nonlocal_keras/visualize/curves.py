"""Draws how the models of a run were trained, and how they did in the test."""

import itertools
import math

from absl import logging

from nonlocal_keras import optional
from nonlocal_keras import terminal
from nonlocal_keras.visualize import run_log

# Of the palette of Okabe and Ito, which the colour-blind can tell apart. A
# printer without colours has the dashes and the markers.
_STYLES = {
    "training": {"color": "#0072B2", "marker": "o"},
    "validation": {
        "color": "#D55E00",
        "marker": "s",
        "linestyle": (0, (5, 2)),
        "markerfacecolor": "white",
    },
}
_GREY = "#555555"
_CHANCE = {"color": _GREY, "linestyle": (0, (1, 2)), "linewidth": 1.2}
# What is shown from 0 to 100, of videos and of images.
_PERCENT = {
    "top1": "top-1 accuracy (%)",
    "boxes_ap": "box AP (%)",
    "masks_ap": "mask AP (%)",
    "keypoints_ap": "keypoint AP (%)",
}
_TOP1, _RATE = "top1", "learning_rate"
_AXIS_LABELS = {**_PERCENT, _RATE: "learning rate"}
# Inches.
_WIDTH, _LEAST_WIDTH, _HEIGHT = 3.4, 6.0, 2.1
_TEST_HEIGHT, _TEST_ROW = 0.7, 0.3
# Points.
_PANEL, _LINE_OF_TEXT = 110, 11
_MOST_MODELS, _MOST_QUANTITIES, _LONGEST_NAME = 6, 6, 36
# A line of more points is drawn without markers, which would hide its dashes.
_MOST_MARKERS = 40
# Of values that range over such a factor, the axis is logarithmic.
_WIDE = 100


def plot_run(run_dir, say=logging.warning):
    """Returns the figure of a training run.

    One column per model, one row per quantity that was logged: loss and
    accuracy or AP, of training and validation, and the learning rate. Below
    them the test: top-1 with its 95% interval, or AP. A value stands at the
    last step of its part of the run; those of training are means over the
    part, those of validation are of its end.

    A run that has not ended is drawn as far as it goes.

    Example:

    >>> from nonlocal_keras.visualize import curves
    >>> figure = curves.plot_run("runs/longrange")
    >>> figure.savefig("curves.svg")

    Args:
        run_dir: String or path, the `model_dir` of `train.py`, or the folder
            of one model in it.
        say: Function that is given a line of text for what is left out.
            Defaults to the log.

    Returns:
        A `matplotlib.figure.Figure`, which `pyplot` does not know.

    Raises:
        ValueError: If the folder holds no run, or no part of it has ended.
        OSError: If the folder cannot be read.
        ImportError: If matplotlib is not installed.
    """
    figures = optional.load("matplotlib.figure", "`plot_run`")
    logs, tests = run_log.read(run_dir, say)
    logs = _first(logs, _MOST_MODELS, "models", say)
    tests = _first(tests, _MOST_MODELS, "tests", say)
    quantities = _quantities(logs, say)
    if not quantities and not tests:
        raise ValueError(
            "`run_dir` must hold a run with a finite number in its logs. "
            f"Received: {run_dir}"
        )
    heights = {
        "curves": _HEIGHT * len(quantities),
        "tests": _TEST_HEIGHT + _TEST_ROW * len(tests) if tests else 0,
    }
    heights = {name: height for name, height in heights.items() if height}
    figure = figures.Figure(
        figsize=(max(_WIDTH * len(logs), _LEAST_WIDTH), sum(heights.values())),
        layout="constrained",
    )
    # Inches: numbers of neighbours would touch.
    figure.get_layout_engine().set(w_pad=0.1)
    # Their margins differ: those of the tests hold names and numbers.
    halves = figure.subfigures(
        len(heights), squeeze=False, height_ratios=list(heights.values())
    )
    halves = dict(zip(heights, halves[:, 0]))
    if quantities:
        _draw_curves(halves["curves"], logs, quantities)
    if tests:
        _draw_tests(halves["tests"].subplots(), tests, _chance(logs))
    return figure


def _first(items, most, what, say):
    if len(items) > most:
        say(f"left out all but the first {most} of {len(items)} {what}")
    return items[:most]


def _quantities(logs, say):
    """Returns what there are numbers of, in the order of the rows."""
    found = dict.fromkeys(
        name.removeprefix("val_")
        for log in logs
        for name, values in log.columns.items()
        if not all(map(math.isnan, values))
    )
    first = [name for name in ("loss", *_PERCENT) if name in found]
    last = [name for name in (_RATE,) if name in found]
    others = [name for name in found if name not in (*first, *last)]
    return _first(first + others + last, _MOST_QUANTITIES, "quantities", say)


def _chance(logs):
    """Returns the accuracy of guessing, if one holds for all models."""
    classes = {log.classes for log in logs}
    count = classes.pop() if len(classes) == 1 else None
    return 1 / count if count else None


def _draw_curves(figure, logs, quantities):
    """Draws one panel per quantity and model."""
    in_steps = all(log.steps for log in logs)
    end = max(
        max(_positions(log, in_steps)[-1], log.steps if in_steps else 0)
        for log in logs
    )
    grid = figure.subplots(
        len(quantities), len(logs), squeeze=False, sharex=True, sharey="row"
    )
    for panel, log in zip(grid[0], logs):
        panel.set_title(_title(log), fontsize=10, parse_math=False)
    for panels, quantity in zip(grid, quantities):
        for panel, log in zip(panels, logs):
            _draw_lines(panel, log, quantity, in_steps)
            _set_x_axis(panel, end)
        label = _AXIS_LABELS.get(quantity, _short(quantity))
        panels[0].set_ylabel(label, parse_math=False)
        _set_y_axis(panels[0], quantity, logs)
        # Where a label stands depends on the limits, which are known now.
        for panel in panels:
            _label_lines(panel)
    for panel in grid[-1]:
        panel.set_xlabel("step" if in_steps else "part of the run")


def _title(log):
    name = _short(log.name)
    if log.ended:
        return name
    step = log.parts[-1] * log.steps_per_part
    return f"{name}\nstep {step:,} of {log.steps:,}"


def _short(text):
    """A foreign name as one short line."""
    return terminal.escaped(terminal.shortened(text, _LONGEST_NAME))


def _scale(quantity):
    return 100 if quantity in _PERCENT else 1


def _positions(log, in_steps):
    """Returns where the parts of a run have ended on the horizontal axis."""
    per_part = log.steps_per_part if in_steps else 1
    return [part * per_part for part in log.parts]


def _draw_lines(panel, log, quantity, in_steps):
    x = _positions(log, in_steps)
    columns = (quantity, f"val_{quantity}")
    for (split, style), column in zip(_STYLES.items(), columns):
        if column in log.columns:
            y = [_scale(quantity) * value for value in log.columns[column]]
            panel.plot(
                x,
                y,
                label=split,
                markersize=4,
                markevery=_marked(y),
                linewidth=1.5,
                # Markers at 0% and 100% are whole.
                clip_on=False,
                **style,
            )
    if quantity == _TOP1 and log.classes:
        chance = 100 / log.classes
        panel.plot([0, x[-1]], [chance, chance], label="chance", **_CHANCE)


def _marked(y):
    """Returns which points get a marker: all, or those without neighbours."""
    if len(y) <= _MOST_MARKERS:
        return list(range(len(y)))
    gaps = [True, *map(math.isnan, y), True]
    return [i for i in range(len(y)) if gaps[i] and gaps[i + 2]]


def _set_x_axis(panel, end):
    # Room for half a marker.
    panel.set_xlim(0, 1.02 * end)
    panel.locator_params(axis="x", nbins=4, integer=True)
    panel.xaxis.set_major_formatter("{x:,.0f}")
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="y", color="#dddddd", linewidth=0.6)


def _set_y_axis(panel, quantity, logs):
    """Sets the axis that the panels of a row share."""
    values = [
        value
        for log in logs
        for column in (quantity, f"val_{quantity}")
        for value in log.columns.get(column, ())
        if not math.isnan(value)
    ]
    if quantity in _PERCENT:
        # Whole, so that runs compare; beyond it only damaged logs reach.
        panel.set_ylim(100 * min(0, *values), 100 * max(1, *values))
    elif min(values) > 0 and max(values) >= _WIDE * min(values):
        panel.set_yscale("log")


def _label_lines(panel):
    """Writes at the end of each line what it is, none upon another."""
    ends = []
    for line in panel.get_lines():
        points = [p for p in zip(*line.get_data()) if not math.isnan(p[1])]
        if points:
            ends.append((points[-1], line))
    to_axes = panel.transScale + panel.transLimits
    heights = [_PANEL * to_axes.transform(point)[1] for point, _ in ends]
    for (point, line), height, free in zip(ends, heights, _spread(heights)):
        panel.annotate(
            line.get_label(),
            point,
            xytext=(6, free - height),
            textcoords="offset points",
            color=line.get_color(),
            fontsize=8,
            va="center",
        )


def _spread(heights):
    """Moves heights apart until a line of text fits between them."""
    heights = list(heights)
    order = sorted(range(len(heights)), key=heights.__getitem__)
    for _ in order:
        for low, high in itertools.pairwise(order):
            lack = _LINE_OF_TEXT - (heights[high] - heights[low])
            if lack > 0:
                heights[low] -= lack / 2
                heights[high] += lack / 2
    # None upon the axis.
    lowest = _LINE_OF_TEXT / 2
    for place in order:
        heights[place] = max(heights[place], lowest)
        lowest = heights[place] + _LINE_OF_TEXT
    return heights


def _draw_tests(panel, tests, chance):
    """Draws one dot and its interval per model, the first one on top."""
    for row, test in enumerate(tests):
        told = f"{100 * test.value:.1f}%"
        if test.interval is not None:
            low, high = (100 * end for end in test.interval)
            panel.plot([low, high], [row, row], color="black", linewidth=1.5)
            told += f" ({low:.1f} to {high:.1f})"
        panel.plot(100 * test.value, row, "o", color="black", markersize=6)
        if test.items is not None:
            told += f", {test.items}"
        panel.annotate(
            told,
            (1.02, row),
            xycoords=("axes fraction", "data"),
            fontsize=8,
            va="center",
        )
    if chance is not None:
        panel.axvline(100 * chance, **_CHANCE)
        panel.annotate(
            "chance",
            (100 * chance, 1.02),
            xycoords=("data", "axes fraction"),
            color=_GREY,
            fontsize=8,
            ha="center",
            va="bottom",
        )
    panel.set_xlim(0, 100)
    panel.set_ylim(len(tests) - 0.5, -0.5)
    names = [_short(test.name) for test in tests]
    panel.set_yticks(range(len(tests)), names, parse_math=False)
    measures = dict.fromkeys(test.measure for test in tests)
    interval = ", 95% interval" * any(test.interval for test in tests)
    panel.set_xlabel(f"{' or '.join(measures)} in the test (%){interval}")
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="x", color="#dddddd", linewidth=0.6)

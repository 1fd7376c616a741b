"""Pictures of where positions look, as figure 3 of the paper and as maps."""

import textwrap

import numpy as np

from nonlocal_keras import optional
from nonlocal_keras import terminal
from nonlocal_keras.layers import arguments
from nonlocal_keras.visualize import panels
from nonlocal_keras.visualize import sequences
from nonlocal_keras.visualize.measures import NOTES
from nonlocal_keras.visualize.measures import measure
from nonlocal_keras.visualize.measures import own_key

STYLES = ("arrows", "heat", "both")

# Inches: the height of a row, and the width of the numbers beside it.
_ROW, _NUMBERS, _IMAGE_ROW = 1.5, 2.9, 3.0
_LEAST_WIDTH, _MOST_ROWS, _LONGEST_TITLE = 0.5, 40, 44


def figure(attentions, style="both", top=20, frames=8, titles=None):
    """Draws maps of weights as rows of pictures with their numbers beside.

    `"arrows"` is figure 3 of the paper: arrows from the query to the positions
    of its largest weights, the stronger the more opaque. `"heat"` lays the
    weights over the pictures, each over the cell of its key. A row of a video
    has one picture per position of the keys along the frames.

    Example:

    >>> model = zoo.load("nl_c2d_tiny_longrange")
    >>> clip = nonlocal_keras.visualize.read_clip("clip.mp4", model)
    >>> maps = nonlocal_keras.visualize.attention(model, clip, (0, 0.5, 0.5))
    >>> nonlocal_keras.visualize.figure(maps).savefig("look.png")

    Args:
        attentions: An `Attention`, or a list of them: all blocks of a model,
            or one block before and after training.
        style: String, `"arrows"`, `"heat"` or `"both"`, one below the other.
            A sequence has one style. Defaults to `"both"`.
        top: Integer, how many arrows a query has. Defaults to `20`.
        frames: Integer, how many pictures a row has at most: those of the
            query and of its largest weights. Defaults to `8`.
        titles: List of strings, one per `Attention`. Defaults to `None`, the
            names of the blocks.

    Returns:
        A `matplotlib.figure.Figure`.

    Raises:
        ValueError: If an argument is outside its rule.
        ImportError: If matplotlib is not installed.

    Reference:

    - [Wang et al., 2018, figure 3](https://arxiv.org/abs/1711.07971)
    """
    attentions = _listed(attentions, titles, style)
    arguments.check_positive_int("top", top)
    arguments.check_positive_int("frames", frames)
    titles = titles or [a.block for a in attentions]
    _check_rows(attentions, style)
    rows = [
        # The numbers stand beside the first row of a query.
        _Row(a, query, "" if below else title, kind, top, frames)
        for a, title in zip(attentions, titles)
        for query in range(len(a.queries))
        for below, kind in enumerate(_kinds(a, style))
    ]
    matplotlib = optional.load("matplotlib.figure", "a picture")
    widths = [row.picture_width for row in rows]
    columns = max(len(row.slots) for row in rows)
    drawn = matplotlib.Figure(
        figsize=(
            max(widths) * columns + _NUMBERS + 0.4,
            sum(row.height for row in rows) + 0.5,
        ),
        layout="constrained",
    )
    grid = drawn.add_gridspec(
        len(rows),
        columns + 1,
        width_ratios=[max(widths)] * columns + [_NUMBERS],
        height_ratios=[row.height for row in rows],
    )
    for i, row in enumerate(rows):
        row.draw(drawn, [grid[i, k] for k in range(columns)], grid[i, columns])
    notes = {NOTES[a.pairwise] for a in attentions if a.pairwise in NOTES}
    letters = int(16 * drawn.get_figwidth())  # Of this size in a line.
    lines = [textwrap.fill(note, letters) for note in sorted(notes)]
    drawn.supxlabel("\n".join(lines), fontsize=7)
    return drawn


def short_title(title):
    """Returns a name as one line that fits beside a picture."""
    return terminal.escaped(
        title
        if len(title) <= _LONGEST_TITLE
        else f"{title[: _LONGEST_TITLE - 3]}..."
    )


def _check_rows(attentions, style):
    rows = sum(len(a.queries) * len(_kinds(a, style)) for a in attentions)
    if rows > _MOST_ROWS:
        raise ValueError(
            f"A picture has at most {_MOST_ROWS} rows, one per block, query "
            "and style. Choose fewer blocks or queries, or one style. "
            f"Received: {rows} rows"
        )


def _listed(attentions, titles, style):
    if style not in STYLES:
        raise ValueError(
            f"`style` must be one of {STYLES}. Received: style={style!r}"
        )
    single = hasattr(attentions, "weights")
    attentions = [attentions] if single else list(attentions)
    if not attentions:
        raise ValueError(
            "`attentions` must hold at least one map. Received: []"
        )
    if titles is not None and len(titles) != len(attentions):
        raise ValueError(
            f"`titles` must hold {len(attentions)} strings, one per map. "
            f"Received: titles={titles}"
        )
    return attentions


def _kinds(attention, style):
    if attention.clip.pictures is None:
        return ("steps",)
    return ("arrows", "heat") if style == "both" else (style,)


class _Row:
    """One query of one block, drawn in one way."""

    def __init__(self, attention, query, title, kind, top, frames):
        self.attention, self.query, self.title = attention, query, title
        self.kind, self.keys = kind, attention.strongest(query, top)
        self.slots = self._slots(frames)
        if kind == "steps":
            self.height, self.picture_width = 1.6, 6.0
        else:
            height, width = panels.extent(attention)
            self.height = _ROW if len(self.slots) > 1 else _IMAGE_ROW
            wide = self.height * min(width / height, 3.0)
            self.picture_width = max(wide, _LEAST_WIDTH)

    def _slots(self, most):
        """The positions along the frames that are shown."""
        attention = self.attention
        if attention.clip.frames is None:
            return [None]
        weights = np.abs(attention.weights[self.query])
        received = np.zeros(len(weights))
        for key in self.keys:
            received[key[0]] += weights[tuple(key)]
        order = np.argsort(-received, kind="stable")
        own = own_key(attention, self.query)[0]
        # Of keys that are equal, the earlier ones come first.
        chosen = list(dict.fromkeys(map(int, (own, *order))))[:most]
        return sorted(chosen)

    def draw(self, figure, places, numbers):
        """Draws the row into the cells of a grid.

        Args:
            figure: `matplotlib.figure.Figure`.
            places: List of cells for pictures.
            numbers: Cell for the text.
        """
        if self.kind == "steps":
            axes = figure.add_subplot(places[0])
            sequences.draw_steps(axes, self.attention, self.query, self.keys)
            self._write(figure.add_subplot(numbers), 0)
            return
        weights = np.abs(self.attention.weights[self.query])
        most, shown = float(weights.max()), None
        panes = {}
        for slot, place in zip(self.slots, places):
            panes[slot] = axes = figure.add_subplot(place)
            self._draw_picture(axes, slot)
            if self.kind == "heat":
                shown = panels.draw_heat(
                    axes, self.attention, self.query, slot, most
                )
        own = own_key(self.attention, self.query)
        own_slot = None if self.slots == [None] else own[0]
        panels.draw_query(panes[own_slot], self.attention, self.query)
        left_out = 0
        if self.kind == "arrows":
            left_out = self._draw_arrows(panes, own_slot, most)
        beside = figure.add_subplot(numbers)
        if shown is not None:
            bar = beside.inset_axes((0.0, 0.02, 0.7, 0.06))
            figure.colorbar(shown, cax=bar, orientation="horizontal")
            bar.set_title("size of the weights", fontsize=6, loc="left", pad=2)
            bar.tick_params(labelsize=6)
            bar.locator_params(nbins=4)
        self._write(beside, left_out)

    def _draw_picture(self, axes, slot):
        attention, gray = self.attention, self.kind == "heat"
        if slot is None:
            panels.draw_picture(axes, attention, gray=gray)
            return
        seen = bool(attention.attended[self.query][slot].any())
        frame = frame_of(attention, slot)
        panels.draw_picture(axes, attention, frame, gray, seen)
        words = attention.clip.frames_in_words(*attention.key_cells[0][slot])
        words += "" if seen else ", not attended to"
        axes.set_title(words, fontsize=7, pad=2)

    def _draw_arrows(self, panes, own_slot, most):
        """Draws the weakest arrow first; returns how many have no picture."""
        attention, left_out = self.attention, 0
        if measure(attention, self.query).is_even:
            return 0  # The largest are no larger than others.
        start = panels.middle(
            attention.query_cells, attention.queries[self.query]
        )
        for key in self.keys[::-1]:
            slot = None if own_slot is None else int(key[0])
            if slot not in panes:
                left_out += 1
                continue
            weight = float(attention.weights[self.query][tuple(key)])
            if weight:
                end = panels.middle(attention.key_cells, key)
                ends = (panes[own_slot], start), (panes[slot], end)
                panels.draw_arrow(*ends, weight, most)
        return left_out

    def _write(self, axes, left_out):
        """Writes the name of the block and its numbers beside the pictures."""
        attention = self.attention
        axes.axis("off")
        if not self.title:
            return
        asked = tuple(map(int, attention.queries[self.query]))
        grids = " x ".join(map(str, attention.query_grid))
        if attention.key_grid != attention.query_grid:
            grids += " asks " + " x ".join(map(str, attention.key_grid))
        lines = [f"query {asked} of {grids}"]
        lines += measure(attention, self.query).lines()
        if left_out:
            lines.append(f"{left_out} of the largest lie in other frames")
        at = {"xy": (0, 1), "xycoords": "axes fraction", "va": "top"}
        below = {"textcoords": "offset points", **at}
        title = short_title(self.title)
        axes.annotate(title, weight="bold", fontsize=8, parse_math=False, **at)
        axes.annotate("\n".join(lines), xytext=(0, -14), fontsize=7, **below)


def frame_of(attention, slot):
    """Returns the frame of the clip that stands for keys along the frames.

    Args:
        attention: An `Attention` of a clip.
        slot: Integer, the position of the keys along the frames.

    Returns:
        Integer, the frame in the middle of their cell.
    """
    inside = attention.clip.inside(*attention.key_cells[0][slot])
    return min((inside.start + inside.stop) // 2, inside.stop - 1)

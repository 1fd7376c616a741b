"""Parts of pictures: a frame, a map over it, the query, arrows to keys.

All of them draw in units of the input, whose axes `Attention` is placed on.
"""

import numpy as np

from nonlocal_keras import optional

# Of the palette of Okabe and Ito, which the color-blind tell apart; the two
# differ in brightness, too, and what is negative is dashed besides.
POSITIVE, NEGATIVE = "#E69F00", "#0072B2"
HEAT = "inferno"  # Rises evenly in brightness: it prints in gray.
DIMMED = 0.35


def extent(attention):
    """Returns the height and width of what the model sees, in its pixels."""
    return attention.clip.sizes[-2:]


def draw_picture(axes, attention, frame=None, gray=False, seen=True):
    """Draws what the model sees: an image, or a frame of a clip.

    Args:
        axes: `matplotlib.axes.Axes`.
        attention: An `Attention`.
        frame: Integer, the frame of the clip. `None` of an image. Defaults to
            `None`.
        gray: Boolean, whether colors are left out, as under a map. Defaults
            to `False`.
        seen: Boolean, whether the query attends to the frame at all; others
            are pale. Defaults to `True`.
    """
    picture = attention.clip.pictures
    picture = picture if frame is None else picture[frame]
    height, width = extent(attention)
    if gray:
        picture = np.repeat(picture.mean(-1, keepdims=True) * 0.8, 3, -1)
        picture = picture.astype("uint8")
    axes.imshow(
        picture,
        extent=(0, width, height, 0),
        alpha=1.0 if seen else DIMMED,
        interpolation="antialiased",
    )
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def draw_heat(axes, attention, query, slot=None, most=None):
    """Draws the weights of a query over a picture, each over its cell.

    Args:
        axes: `matplotlib.axes.Axes`.
        attention: An `Attention`.
        query: Integer, which of its queries.
        slot: Integer, the position of the keys along the axis of frames.
            `None` of an image. Defaults to `None`.
        most: Float, the weight that is brightest.

    Returns:
        What a color bar takes.
    """
    weights = attention.weights[query]
    attended = attention.attended[query]
    if slot is not None:
        weights, attended = weights[slot], attended[slot]
    rows, columns = (_edges(cells) for cells in attention.key_cells[-2:])
    sizes = np.abs(weights)
    shown = axes.pcolormesh(
        columns,
        rows,
        sizes,
        cmap=HEAT,
        vmin=0.0,
        vmax=most,
        # What is dark would hide the picture and say nothing.
        alpha=np.where(attended, 0.85 * np.sqrt(sizes / (most or 1.0)), 0.0),
        linewidth=0,
        rasterized=True,
    )
    minus = np.argwhere((weights < 0) & (sizes > 0.1 * most))
    for row, column in minus:
        x = columns[column : column + 2].mean()
        y = rows[row : row + 2].mean()
        axes.plot(x, y, marker="_", color="white", markersize=4)
    return shown


def _edges(cells):
    return np.append(cells[:, 0], cells[-1, 1])


def draw_query(axes, attention, query):
    """Draws a frame around the cell of a query, in black and white."""
    patches = optional.load("matplotlib.patches", "a picture")
    rows, columns = (
        cells[i]
        for cells, i in zip(
            attention.query_cells[-2:], attention.queries[query][-2:]
        )
    )
    corner = columns[0], rows[0]
    size = columns[1] - columns[0], rows[1] - rows[0]
    for color, width in (("black", 3.0), ("white", 1.5)):
        axes.add_patch(
            patches.Rectangle(
                corner, *size, fill=False, edgecolor=color, linewidth=width
            )
        )


def middle(cells, position):
    """Returns the middle `(x, y)` of a cell of the last two axes."""
    row, column = (
        along[i].mean() for along, i in zip(cells[-2:], position[-2:])
    )
    return column, row


def draw_arrow(start, end, weight, most):
    """Draws an arrow from a place of one picture to one of another.

    Args:
        start: Tuple of `matplotlib.axes.Axes` and `(x, y)` in it.
        end: The same of its head.
        weight: Float; the larger it is, the less the arrow lets through.
        most: Float, the weight of an arrow that lets nothing through.
    """
    patches = optional.load("matplotlib.patches", "a picture")
    figure = start[0].figure
    opacity = min(abs(weight) / (most or 1.0), 1.0)
    for color, width in (("black", 2.4), (None, 1.3)):
        figure.add_artist(
            patches.ConnectionPatch(
                xyA=start[1],
                axesA=start[0],
                coordsA="data",
                xyB=end[1],
                axesB=end[0],
                coordsB="data",
                arrowstyle="-|>,head_length=0.35,head_width=0.18",
                shrinkA=0,
                shrinkB=0,
                color=color or (POSITIVE if weight >= 0 else NEGATIVE),
                linestyle="solid" if weight >= 0 else (0, (3, 2)),
                linewidth=width,
                alpha=opacity * (0.5 if color else 1.0),
                mutation_scale=12,
            )
        )

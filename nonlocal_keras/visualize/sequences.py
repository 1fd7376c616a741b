"""The map of a sequence: its weights along the steps."""

import numpy as np

from nonlocal_keras import optional
from nonlocal_keras.visualize import panels


def draw_steps(axes, attention, query, keys):
    """Draws the weights of a query over the steps of the sequence.

    Args:
        axes: `matplotlib.axes.Axes`.
        attention: An `Attention` of one axis.
        query: Integer, which of its queries.
        keys: Integer array `(keys, 1)`, the positions of the largest weights,
            which get a dot.
    """
    (cells,) = attention.source_key_cells
    weights = attention.weights[query]
    collections = optional.load("matplotlib.collections", "a picture")
    starts, stops = cells.T
    zeros = np.zeros_like(weights)
    corners = [(starts, zeros), (starts, weights), (stops, weights)]
    corners = np.stack([*map(np.stack, corners), np.stack((stops, zeros))])
    bars = collections.PolyCollection(
        corners.transpose(2, 0, 1),  # (keys, 4 corners, x and y)
        facecolors=np.where(weights >= 0, panels.POSITIVE, panels.NEGATIVE),
        # Of many steps a drawing in lines would be large.
        rasterized=len(weights) > 500,
    )
    axes.add_collection(bars)
    axes.autoscale_view()
    top = keys[:, 0]
    middles = cells.mean(axis=1)
    axes.plot(middles[top], weights[top], "k.", markersize=3)
    start, stop = attention.source_query_cells[0][attention.queries[query][0]]
    axes.axvspan(start, stop, facecolor="none", edgecolor="black", hatch="///")
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set_xlim(0, attention.clip.source_size[0])
    axes.set_xlabel("step (hatched: the query)", fontsize=7)
    axes.set_ylabel("weight", fontsize=7)
    axes.tick_params(labelsize=6)

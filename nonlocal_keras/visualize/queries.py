"""Which position is meant: by frame and pixel, by parts, or by number."""

import contextlib
import numbers

import numpy as np

_RULE = (
    "`query` must be one number per axis of positions ({axes}): an integer "
    "counts frames or pixels of the source, a float from 0.0 to 1.0 is a part "
    "of what the model sees"
)
AXES = {1: ("step",), 2: ("row", "column"), 3: ("frame", "row", "column")}


def listed(query):
    """Returns a list of queries, of one or of several."""
    query = list(query) if isinstance(query, np.ndarray) else query
    if isinstance(query, (list, tuple)) and query:
        if all(isinstance(q, (list, tuple, np.ndarray)) for q in query):
            return [tuple(q) for q in query]
        if all(isinstance(q, numbers.Real) for q in query):
            return [tuple(query)]
    raise ValueError(
        "`query` must be a tuple of numbers, such as (0, 0.5, 0.5), or a list "
        f"of such tuples. Received: query={query!r}"
    )


def parsed(text):
    """Returns the query that is written as `"0,0.5,0.5"`.

    Raises:
        ValueError: If one of the parts is no number.
    """
    found = []
    for part in text.split(","):
        for kind in (int, float):
            with contextlib.suppress(ValueError):
                found.append(kind(part))
                break
        else:
            raise ValueError(
                "`query` must be numbers with commas between them, such as "
                f"0,0.5,0.5. Received: query={text!r}"
            )
    return tuple(found)


def place_in_input(query, clip):
    """Returns where a query lies in the input, in its frames and pixels.

    Args:
        query: Tuple of numbers, see `nonlocal_keras.visualize.attention`.
        clip: A `Clip`.

    Returns:
        Tuple of floats.

    Raises:
        ValueError: If it has another number of axes, or lies outside of the
            source, or of what the model sees of it.
    """
    sizes = clip.sizes
    names = AXES[len(sizes)]
    rule = _RULE.format(axes=", ".join(names))
    if len(query) != len(sizes):
        raise ValueError(f"{rule}. Received: query={query!r}")
    return tuple(
        _place(query, axis, clip, names[axis], rule)
        for axis in range(len(sizes))
    )


def _place(query, axis, clip, name, rule):
    number, size = query[axis], clip.sizes[axis]
    if isinstance(number, bool) or not isinstance(number, numbers.Real):
        raise ValueError(f"{rule}. Received: query={query!r}")
    if not isinstance(number, numbers.Integral):
        if not 0.0 <= number <= 1.0:
            raise ValueError(f"{rule}. Received: query={query!r}")
        # The end is a place of the last position.
        return min(float(number) * size, size - 0.5)
    source = clip.source_size[axis]
    if not 0 <= number < source:
        raise ValueError(
            f"`query` must lie within {clip.name}, whose {name}s go from 0 to "
            f"{source - 1}. Received: query={query!r}"
        )
    place = clip.from_source(axis, int(number))
    if not 0 <= place <= size:
        first, last = clip.to_source(axis, 0, size)
        raise ValueError(
            f"`query` must lie within what the model sees of {clip.name}: its "
            f"{name}s from {first:.0f} to {last - 1:.0f} of {source}, the rest "
            f"is cut off. Received: query={query!r}"
        )
    return place


def check_index(query, grid, block):
    """Returns a query that counts positions of a grid.

    Raises:
        ValueError: If the grid has no such position.
    """
    fits = len(query) == len(grid) and all(
        isinstance(i, numbers.Integral)
        and not isinstance(i, bool)
        and 0 <= i < n
        for i, n in zip(query, grid)
    )
    if not fits:
        most = ", ".join(str(n - 1) for n in grid)
        raise ValueError(
            f"`query` must be a position of the map that block {block!r} sees, "
            f"integers from 0 to ({most}). Received: query={query!r}"
        )
    return tuple(map(int, query))

"""Where the positions of a model look: weights of its non-local blocks."""

import dataclasses
import difflib

import numpy as np

from nonlocal_keras.layers import arguments
from nonlocal_keras.visualize import detector_clip
from nonlocal_keras.visualize import queries
from nonlocal_keras.visualize.block_calls import check_model
from nonlocal_keras.visualize.block_calls import find_blocks
from nonlocal_keras.visualize.block_calls import takes_channels_first
from nonlocal_keras.visualize.clip import Clip
from nonlocal_keras.visualize.clip import as_it_is
from nonlocal_keras.visualize.look import Look
from nonlocal_keras.visualize.recording import block_inputs


@dataclasses.dataclass(frozen=True)
class Attention:
    """The weights of some queries of one block, and where all of it lies.

    Attributes:
        block: String, the name of the block.
        pairwise: String, its pairwise function, see
            `nonlocal_keras.NonLocal3D`.
        weights: float32 array `(queries, *key_grid)`, the weights
            `f(x_i, x_j) / C(x)`; zero where a query does not attend.
        attended: Boolean array of that shape, where it does: `attend_axes`,
            `frame_groups` and masks leave keys out.
        queries: Integer array `(queries, axes)`, positions in `query_grid`.
        query_grid: Tuple of integers, the positions that ask.
        key_grid: Tuple of integers, the positions that are asked: fewer than
            `query_grid` where the block pools.
        query_cells: Tuple of arrays `(positions, 2)`, one per axis: where the
            cell of each query begins and ends, in frames and pixels of the
            input. A cell of all axes is the product of these.
        key_cells: The same of the keys.
        field: Tuple of floats, the frames and pixels that one position
            depends on along each axis: its receptive field, which is more
            than its cell.
        pool_size: Tuple of integers, the pooling of the keys.
        frame_groups: Integer, see `nonlocal_keras.NonLocal3D`.
        attended_axes: Tuple of integers, the axes along which positions
            attend.
        clip: The `nonlocal_keras.visualize.Clip` that went in.
    """

    block: str
    pairwise: str
    weights: np.ndarray
    attended: np.ndarray
    queries: np.ndarray
    query_grid: tuple
    key_grid: tuple
    query_cells: tuple
    key_cells: tuple
    field: tuple
    pool_size: tuple
    frame_groups: int
    attended_axes: tuple
    clip: Clip

    @property
    def source_query_cells(self):
        """`query_cells` in frames and pixels of the source."""
        return self._in_source(self.query_cells)

    @property
    def source_key_cells(self):
        """`key_cells` in frames and pixels of the source."""
        return self._in_source(self.key_cells)

    def _in_source(self, cells):
        return tuple(
            np.array([self.clip.to_source(axis, *cell) for cell in along])
            for axis, along in enumerate(cells)
        )

    def strongest(self, query=0, top=20):
        """Returns the keys of the largest weights, the largest one first.

        Args:
            query: Integer, which of the queries. Defaults to `0`.
            top: Integer, how many keys. Defaults to `20`.

        Returns:
            Integer array `(keys, axes)`, positions in `key_grid`: `top`, or
            as many as the query attends to.
        """
        arguments.check_positive_int("top", top)
        sizes = np.where(self.attended[query], np.abs(self.weights[query]), -1)
        order = np.argsort(-sizes, axis=None, kind="stable")[:top]
        order = order[sizes.ravel()[order] >= 0]
        return np.stack(np.unravel_index(order, self.key_grid), axis=-1)


def attention(model, clip, query=None, block=None, index=False):
    """Computes where positions look, for any model with non-local blocks.

    The model runs once. Only the weights of the queries are computed, never
    the matrix of all.

    Example:

    >>> model = zoo.load("nl_c2d_tiny_longrange")
    >>> clip = nonlocal_keras.visualize.read_clip("clip.mp4", model)
    >>> maps = nonlocal_keras.visualize.attention(model, clip, (0, 0.5, 0.5))
    >>> [(a.block, a.weights.shape) for a in maps]
    [('nonlocal_res3_0', (1, 2, 4, 4)), ('nonlocal_res4_0', (1, 2, 2, 2))]

    Args:
        model: A functional `keras.Model` of one input that holds
            `nonlocal_keras.NonLocal1D`, `2D` or `3D`, or a
            `nonlocal_keras.models.MaskRCNN`, of which it is the backbone.
        clip: A `nonlocal_keras.visualize.Clip`, as `read_clip` makes it of a
            file, or the array that the model takes, `(1, *positions,
            channels)`, which is then its own source; for a detector an image
            `(height, width, 3)`.
        query: Tuple of one number per axis of positions: an integer counts
            frames or pixels of the source, a float from 0.0 to 1.0 is a part
            of what the model sees. A list of tuples asks several. Defaults to
            `None`, the position that receives most weight in the last block.
        block: String or list of strings, names of blocks. Defaults to `None`,
            all blocks.
        index: Boolean, whether `query` counts positions of the map that the
            block sees. Defaults to `False`.

    Returns:
        List of `Attention`, one per block, in the order of the model.

    Raises:
        ValueError: If the model has no block or no graph, a name is unknown,
            or a query lies outside of what the model sees.

    Reference:

    - [Wang et al., 2018, figure 3](https://arxiv.org/abs/1711.07971)
    """
    asked = None if query is None else queries.listed(query)
    model, clip = _of_detector(model, clip)
    looks, clip = _looks(model, clip, block)
    if asked is None:
        places = [_middle(looks[-1].key_cells, looks[-1].receives_most())]
    elif not index:
        places = [queries.place_in_input(q, clip) for q in asked]
    found = []
    for look in looks:
        if asked is not None and index:
            name, grid = look.call.name, look.query_grid
            wanted = [queries.check_index(q, grid, name) for q in asked]
        else:
            wanted = [_nearest(look.call.axes, place) for place in places]
        found.append(_attention(look, wanted, clip))
    return found


def list_blocks(model, clip):
    """Returns the names of the non-local blocks of a model, in its order.

    Args:
        model: As for `attention`.
        clip: As for `attention`.

    Returns:
        List of strings.

    Raises:
        ValueError: As for `attention`.
    """
    model, clip = _of_detector(model, clip)
    clip = _as_clip(model, clip)
    return [call.name for call in find_blocks(model, clip.inputs.shape)]


def _attention(look, wanted, clip):
    layer = look.call.layer
    weights, attended = look.weights(wanted)
    return Attention(
        block=look.call.name,
        pairwise=layer.pairwise,
        weights=weights,
        attended=attended,
        queries=np.array(wanted),
        query_grid=look.query_grid,
        key_grid=look.key_grid,
        query_cells=look.query_cells,
        key_cells=look.key_cells,
        field=tuple(axis.field for axis in look.call.axes),
        pool_size=look.pool_size,
        frame_groups=layer.frame_groups,
        attended_axes=layer.attended_axes,
        clip=clip,
    )


def _looks(model, clip, block):
    """Runs the model; returns the blocks that are asked for, and the clip."""
    clip = _as_clip(model, clip)
    calls = find_blocks(model, clip.inputs.shape)
    chosen = _choose(calls, block)
    runs = block_inputs(model, clip.inputs, calls)
    return [
        Look(call, *runs[calls.index(call)], clip.sizes) for call in chosen
    ], clip


def _of_detector(model, clip):
    """Takes the backbone and its input in place of a detector and an image."""
    part = detector_clip.part_to_look_at(model)
    if part is not model and not isinstance(clip, Clip):
        clip = detector_clip.clip_of(model, clip)
    return part, clip


def _as_clip(model, clip):
    check_model(model)
    if not isinstance(clip, Clip):
        clip = as_it_is(clip, takes_channels_first(model))
    _check_input(model, clip.inputs)
    return clip


def _check_input(model, inputs):
    shape = model.inputs[0].shape
    fits = len(shape) == inputs.ndim and all(
        n in (None, m) for n, m in zip(shape[1:], inputs.shape[1:])
    )
    if not fits or len(inputs) != 1:
        raise ValueError(
            "`clip` must be one sample as the model takes it, of shape "
            f"{(1, *shape[1:])}. Received: shape {inputs.shape}"
        )


def _choose(calls, block):
    names = [call.name for call in calls]
    wanted = names if block is None else block
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if not isinstance(wanted, (list, tuple)) or not wanted:
        raise ValueError(
            "`block` must be a name or a list of names. "
            f"Received: block={block!r}"
        )
    for name in wanted:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                "`block` must be the name of a non-local block of the model, "
                f"one of {names}. Received: block={name!r}.{hint}"
            )
    chosen = [call for call in calls if call.name in wanted]
    for call in chosen:
        if call.axes is None:
            raise ValueError(
                "The positions of a block can be placed only behind layers "
                "that are known to keep or move them: convolutions, poolings, "
                "paddings, sums and the like, not slices or reshapes. Take "
                "that part out: keras.Model(its output, outputs). Received: "
                f"block {call.name!r} behind {call.unknown}"
            )
    return chosen


def _middle(cells, position):
    return tuple(float(along[i].mean()) for along, i in zip(cells, position))


def _nearest(axes, place):
    return tuple(axis.nearest(p) for axis, p in zip(axes, place))

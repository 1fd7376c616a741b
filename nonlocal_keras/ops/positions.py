"""Positions of a map: the sets that attend to each other, and their masks.

A map is a `channels_last` tensor `(batch, *positions, channels)` with 1 to 3
axes of positions, here written (B, T, H, W, C). Positions attend over some of
these axes only, `axes`, counted from 0 without the batch; every choice of the
others is one set, and B' counts the sets of the batch. In a set the positions
lie in row-major order.

All functions work with unknown dimensions: a size is a Python integer where
it is known and a scalar tensor elsewhere.
"""

import math

from keras import ops

from nonlocal_keras.ops import folding


def split_frames(x, groups):
    """Makes each group of consecutive frames a sample of its own.

    Args:
        x: Tensor (B, T, ...).
        groups: Integer, the number of groups.

    Returns:
        Tensor (B * groups, T / groups, ...).
    """
    if groups == 1:
        return x
    batch, frames, *rest = ops.shape(x)
    return ops.reshape(x, (batch * groups, frames // groups, *rest))


def to_sets(x, axes):
    """(B, T, H, W, C) -> (B', N, C): a sample for each set that attends."""
    order, _ = _order(axes, len(x.shape))
    if order != tuple(range(len(x.shape))):
        x = ops.transpose(x, order)
    sizes = ops.shape(x)[-1 - len(axes) : -1]
    return ops.reshape(x, (-1, math.prod(sizes), x.shape[-1]))


def from_sets(y, axes, like):
    """(B', N, C') -> (B, T, H, W, C'), the positions of the map `like`."""
    rank = len(like.shape)
    order, inverse = _order(axes, rank)
    sizes = [ops.shape(like)[axis] for axis in order[:-1]]
    y = ops.reshape(y, (*sizes, y.shape[-1]))
    if order == tuple(range(rank)):
        return y
    return ops.transpose(y, inverse)


def _order(axes, rank):
    """The axes of a map with those that attend last, and the way back."""
    attended = tuple(a + 1 for a in axes)
    kept = tuple(a for a in range(1, rank - 1) if a not in attended)
    order = (0, *kept, *attended, rank - 1)
    return order, tuple(order.index(a) for a in range(rank))


def flatten(x, like):
    """(B, T, H, W, C) -> (B, T*H*W, C), with T, H and W those of `like`."""
    positions = math.prod(ops.shape(like)[1:-1])
    return ops.reshape(x, (-1, positions, x.shape[-1]))


def pool_valid(x, size, mask, pooled_mask):
    """Max-pools valid positions only; windows without any become zero.

    Args:
        x: Map (B, T, H, W, C).
        size: Tuple, the window along each axis of positions. `None` for no
            pooling.
        mask: Floats (B, T, H, W, 1), 1.0 where a position is valid. `None` if
            all are.
        pooled_mask: `pool_mask(mask, size)`.

    Returns:
        Map of the pooled positions.
    """
    if mask is None:
        return _pool(x, size)
    x = _pool(ops.where(mask > 0.5, x, -float("inf")), size)
    return ops.where(pooled_mask, x, 0.0)


def pool_mask(mask, size):
    """Returns where a window holds a valid position; `None` stays `None`."""
    return None if mask is None else _pool(mask, size) > 0.5


def _pool(x, size):
    return x if size is None else folding.max_pool(x, size)


def expand_mask(mask, x, dtype):
    """Expands a mask of the leading axes to every position of a map.

    Args:
        mask: Boolean tensor (B, T), (B, T, H) or (B, T, H, W).
        x: The map (B, T, H, W, C).
        dtype: String, the dtype of the result.

    Returns:
        Tensor (B, T, H, W, 1), 1.0 where a position is valid.

    Raises:
        ValueError: If the axes of `mask` are not those of `x`.
    """
    axes = len(x.shape) - 1
    missing = axes - len(mask.shape)
    if len(mask.shape) < 2 or missing < 0:
        raise ValueError(
            "`mask` must have the axes of the batch and of positions, "
            f"such as (batch, frames), 2 and at most {axes}. "
            f"Received: mask.shape={tuple(mask.shape)}"
        )
    for size, expected in zip(mask.shape, x.shape):
        if None not in (size, expected) and size not in (1, expected):
            raise ValueError(
                "`mask` must agree with the batch and positions of "
                f"`inputs`, {tuple(x.shape[:-1])}. "
                f"Received: mask.shape={tuple(mask.shape)}"
            )
    mask = ops.cast(mask, dtype)
    mask = ops.reshape(mask, (*ops.shape(mask), *([1] * (missing + 1))))
    return ops.broadcast_to(mask, (*ops.shape(x)[:-1], 1))


def has_many_sets(axes, rank, groups):
    """Whether a clip of `rank` axes of positions has more than one set."""
    return groups > 1 or len(axes) < rank


def split_scores(scores, batch):
    """(B', N, M) -> (B, sets, N, M), the scores of each set of a clip."""
    return ops.reshape(scores, (batch, -1, *ops.shape(scores)[1:]))


def score_shape(shape, axes, groups, pool_size):
    """Computes the shape of the attention scores from that of a map.

    Args:
        shape: Tuple (B, T, H, W, C), `None` where a size is unknown.
        axes: Tuple of Integers, the axes that attend.
        groups: Integer, the number of groups of frames.
        pool_size: Tuple, the window of the keys. `None` for no pooling.

    Returns:
        Tuple (B, N, M), or (B, sets, N, M) if there is more than one set.
    """
    sizes = list(shape[1:-1])
    if sizes[0] is not None:
        sizes[0] //= groups
    keys = [
        n if n is None else n // k
        for n, k in zip(sizes, pool_size or (1,) * len(sizes))
    ]
    kept = [n for a, n in enumerate(sizes) if a not in axes]
    many = has_many_sets(axes, len(sizes), groups)
    return (
        shape[0],
        *((_product([groups, *kept]),) if many else ()),
        _product([sizes[a] for a in axes]),
        _product([keys[a] for a in axes]),
    )


def _product(sizes):
    return None if None in sizes else math.prod(sizes)

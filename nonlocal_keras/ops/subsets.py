"""Random subsets of rows, of a static size."""

import keras
from keras import ops

# Below every key that is drawn.
_OUT = -1.0


def draw_balanced(positive, negative, count, positive_fraction, seed):
    """Draws some entries of each row, up to a part of them positive ones.

    Args:
        positive: Boolean tensor `(batch, n)`.
        negative: Boolean tensor `(batch, n)`, nowhere true where `positive`
            is.
        count: Integer, entries of a row. Where there are too few positive
            ones negative ones take their place, but not the other way round.
        positive_fraction: Float, at most this part of `count` is positive.
        seed: Integer or `keras.random.SeedGenerator`.

    Returns:
        int32 tensor `(batch, count)` of places in the row, the positive ones
        first, and a Boolean tensor `(batch, count)` that is true where an
        entry was drawn.
    """
    keys = keras.random.uniform(ops.shape(positive), seed=seed)
    most = int(count * positive_fraction)
    first, first_index = _largest(ops.where(positive, keys, _OUT), most)
    rest, rest_index = _largest(ops.where(negative, keys, _OUT), count)
    # Positive ones lie above all others.
    first = ops.where(first > _OUT, first + 2.0, _OUT)
    keys, order = ops.top_k(ops.concatenate([first, rest], axis=1), count)
    index = ops.concatenate([first_index, rest_index], axis=1)
    index = ops.take_along_axis(index, ops.cast(order, "int32"), axis=1)
    return index, keys > _OUT


def _largest(keys, count):
    """Returns the largest keys of each row and their places, in order."""
    number = ops.shape(keys)[1]
    if not isinstance(number, int) or number < count:
        keys = ops.pad(keys, ((0, 0), (0, count)), constant_values=_OUT)
    keys, index = ops.top_k(keys, count)
    return keys, ops.minimum(ops.cast(index, "int32"), number - 1)

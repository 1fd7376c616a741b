"""The concatenation form without the matrix of affinities.

With `a_i = w_theta . theta_i` and `b_j = w_phi . phi_j` equation 5 of the
paper is `f = ReLU(a_i + b_j)`, so that

    sum_j f g_j = a_i * sum_j g_j + sum_j b_j g_j,  over all j with b_j > -a_i.

With the keys in descending order of b these are the first k_i keys. Both sums
are then entries of running sums, and a binary search finds k_i. The gradients
are sums of the same kind, with queries and keys in each other's place.

Reference:

- [Wang et al., 2018, equation 5](https://arxiv.org/abs/1711.07971)
"""

import keras
import numpy as np
from keras import ops

from nonlocal_keras.ops.backend import count_below
from nonlocal_keras.ops.backend import with_gradient

# Rows that one matrix product sums up. Sums of sums of blocks also keep the
# rounding error of long rows small.
BLOCK = 32


def relu_sum(a, b, g):
    """Computes `y_i = sum_j ReLU(a_i + b_j) g_j`.

    Args:
        a: Tensor `(batch, queries)`.
        b: Tensor `(batch, keys)`.
        g: Values, `(batch, keys, width)`.

    Returns:
        Tensor `(batch, queries, width)`.
    """
    if a.shape[0] == 0:  # JAX maps over no empty axis.
        return ops.zeros((0, ops.shape(a)[1], g.shape[-1]), g.dtype)
    return with_gradient(_sums, _backward, _second)(a, b, g)


def _backward(a, b, g, y, reached, dy):
    """dL/da_i = dy_i . sum g_j; dL/db_j = g_j . sum dy_i, both where f > 0."""
    dg, reaching = _sums(b, a, dy)
    da = ops.sum(dy * reached, axis=-1)
    db = ops.sum(g * reaching, axis=-1)
    return da, db, dg


def _second(a, b, g, dy, u, v, w):
    """Returns the gradients of `sum(u * da) + sum(v * db) + sum(w * dg)`.

    Where f > 0 does not change, but at single points. So the sum depends on a
    and b by `dg` alone, and on g and dy by all three.
    """
    u, v = ops.expand_dims(u, -1), ops.expand_dims(v, -1)
    values = ops.concatenate([g, v * g, w], axis=-1)
    y, reached = (ops.split(x, 3, axis=-1) for x in _sums(a, b, values))
    values = ops.concatenate([dy, u * dy], axis=-1)
    reaching = ops.split(_sums(b, a, values)[1], 2, axis=-1)
    for_dy = u * reached[0] + reached[1] + y[2]
    for_g = reaching[1] + v * reaching[0]
    for_a = ops.sum(dy * reached[2], axis=-1)
    for_b = ops.sum(w * reaching[0], axis=-1)
    return for_a, for_b, for_g, for_dy


def _sums(a, b, g):
    """Returns `sum_j ReLU(a_i + b_j) g_j`, and the sum of g_j where f > 0."""
    order = ops.argsort(-b, axis=-1)
    b = ops.take_along_axis(b, order, axis=-1)
    number = count_below(-b, a)  # b_j > -a_i, which is a_i + b_j > 0
    # Around their mean, the b_j and a_i cancel less.
    center = ops.mean(b, axis=-1, keepdims=True)
    g = _rows(g, order)
    moment = ops.expand_dims(b - center, -1) * g
    batch = ops.shape(g)[0]
    # Samples after samples: slices of the first axis are not copied.
    sums = _running_sums(ops.concatenate([g, moment], axis=0))
    reached = _rows(sums[:batch], number)  # (B, N, C')
    moment = _rows(sums[batch:], number)
    return ops.expand_dims(a + center, -1) * reached + moment, reached


def _rows(x, indices):
    """Takes row `indices[b, i]` of sample b: `(B, M, C)` to `(B, N, C)`."""
    batch, keys, channels = ops.shape(x)
    start = ops.expand_dims(ops.arange(batch, dtype="int32") * keys, -1)
    indices = ops.cast(indices, "int32") + start  # (B, N)
    return ops.take(ops.reshape(x, (-1, channels)), indices, axis=0)


def _running_sums(x):
    """Sums the first k rows for row k: `(B, M, C)` to `(B, >M, C)`."""
    batch, keys, channels = ops.shape(x)
    blocks = keys // BLOCK + 1
    zeros = ops.zeros((batch, blocks * BLOCK - keys, channels), x.dtype)
    x = ops.concatenate([x, zeros], axis=1)
    x = ops.reshape(x, (batch, blocks, BLOCK, channels))
    before = np.tri(BLOCK, k=-1, dtype=keras.backend.standardize_dtype(x.dtype))
    totals = ops.cumsum(ops.sum(x, axis=2)[:, :-1], axis=1)
    totals = ops.pad(totals, ((0, 0), (1, 0), (0, 0)))
    sums = ops.matmul(before, x) + ops.expand_dims(totals, 2)
    return ops.reshape(sums, (batch, blocks * BLOCK, channels))

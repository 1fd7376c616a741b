"""The softmax forms without the matrix of affinities.

Tiles of queries pass one after the other. A tile sees all keys at once, so
its softmax is the textbook one and needs no running maximum; the affinities
of a tile are forgotten when its outputs are there. The backward pass computes
them again, so that training keeps nothing of the size queries x keys.

Reference:

- [Wang et al., 2018, equations 2 and 3](https://arxiv.org/abs/1711.07971)
"""

from functools import partial

from keras import ops

from nonlocal_keras.ops.backend import fused_attention
from nonlocal_keras.ops.backend import has_fused_attention
from nonlocal_keras.ops.backend import matmul_transposed
from nonlocal_keras.ops.backend import over_tiles
from nonlocal_keras.ops.backend import with_gradient
from nonlocal_keras.ops.pairwise import EXCLUDED

# Affinities per tile: 16 MB in float32, which stay in the caches. Below 128
# queries matrix products lose speed, above 512 they gain none.
TILE = 2**22
FEWEST, MOST = 128, 512


def softmax_mean(theta, phi, g, scale=1.0, mask=None):
    """Computes `softmax(scale * theta phi^T) g`, a tile of queries at a time.

    Args:
        theta: Queries, `(batch, queries, channels)`.
        phi: Keys, `(batch, keys, channels)`.
        g: Values, `(batch, keys, width)`.
        scale: Float that multiplies the logits. Defaults to `1.0`.
        mask: Boolean tensor `(batch, keys)`, `True` where a key is valid.
            Defaults to `None`, all are.

    Returns:
        Tensor `(batch, queries, width)`; zero where no key is valid.
    """
    theta = theta * scale
    if mask is None and has_fused_attention(theta, g):
        return fused_attention(theta, phi, g, _backward, _second)
    if mask is None:
        return with_gradient(_forward, _backward, _second)(theta, phi, g)
    # Where no key is valid the softmax is uniform, over values of zero.
    g = ops.where(ops.expand_dims(mask, -1), g, 0.0)
    bias = ops.where(mask, ops.zeros((), g.dtype), EXCLUDED)  # (B, M)
    functions = (partial(f, bias=bias) for f in (_forward, _backward, _second))
    return with_gradient(*functions)(theta, phi, g)


def tile_rows(queries, keys):
    """Returns the queries per tile, a tensor where a size is unknown."""
    if isinstance(queries, int) and isinstance(keys, int):
        most = min(max(TILE // keys, FEWEST), MOST)
        for rows in range(most, most // 2, -1):
            if queries % rows == 0:
                return rows  # no copy with zeros after the last row
        tiles = -(-queries // most)
        return -(-queries // tiles)  # tiles of almost equal size
    # Where there is none, `over_tiles` says so; a division by zero would not.
    most = ops.clip(TILE // ops.maximum(keys, 1), FEWEST, MOST)
    return ops.maximum(ops.minimum(most, queries), 1)


# The bias is that of the keys, (B, M), or None.


def _forward(theta, phi, g, bias=None):
    """Returns `y`, (B, N, C')."""
    (y,) = _over_samples(_sample, (theta, phi, g), bias, outputs=1)
    return (ops.reshape(y, (*ops.shape(theta)[:2], g.shape[-1])),)


def _backward(theta, phi, g, y, dy, bias=None):
    """Returns the gradients of `sum(y * dy)` for theta, phi and g."""
    # What the softmax takes from the gradient of each logit of a query.
    mean = ops.sum(dy * y, axis=-1, keepdims=True)  # (B, N, 1)
    tensors = (theta, phi, g, dy, mean)
    grads = _over_samples(_sample_gradient, tensors, bias, outputs=3)
    return _shaped_like(grads, tensors)


def _second(theta, phi, g, dy, u, v, w, bias=None):
    """Returns the gradients of the sum of `_backward`, for theta to dy.

    That is of `sum(u * dtheta) + sum(v * dphi) + sum(w * dg)`.
    """
    tensors = (theta, phi, g, dy, u, v, w)
    grads = _over_samples(_sample_second, tensors, bias, outputs=4)
    return _shaped_like(grads, tensors)


def _over_samples(function, tensors, bias, outputs):
    def sample(_, tensors):
        return (), function(*tensors)

    tensors = tensors if bias is None else (*tensors, bias)
    if tensors[0].shape[0] == 0:
        return (ops.zeros((0,), tensors[0].dtype),) * outputs
    return over_tiles(sample, (), tensors, outputs)[1]


def _shaped_like(grads, tensors):
    return tuple(ops.reshape(d, ops.shape(x)) for d, x in zip(grads, tensors))


# Each of the following sees one sample: theta and u (N, C), phi and v (M, C),
# g and w (M, C'), y and dy (N, C') and, where there is a mask, bias (M,).


def _sample(theta, phi, g, *bias):
    def tile(_, tiles):
        weights = _weights(*tiles, phi, *bias)
        return (), (ops.matmul(weights, g),)

    _, (y,) = over_tiles(tile, (), _tiles((theta,), phi))
    return (_join(y, theta),)


def _sample_gradient(theta, phi, g, dy, mean, *bias):
    def tile(carry, tiles):
        theta, dy, mean = tiles
        weights = _weights(theta, phi, *bias)  # (rows, M)
        dlogits = weights * (matmul_transposed(dy, g) - mean)
        dphi, dg = carry
        dphi = dphi + ops.matmul(ops.transpose(dlogits), theta)
        dg = dg + ops.matmul(ops.transpose(weights), dy)
        return (dphi, dg), (ops.matmul(dlogits, phi),)

    carry = (ops.zeros_like(phi), ops.zeros_like(g))
    tiles = _tiles((theta, dy, mean), phi)
    (dphi, dg), (dtheta,) = over_tiles(tile, carry, tiles)
    return _join(dtheta, theta), dphi, dg


def _sample_second(theta, phi, g, dy, u, v, w, *bias):
    """With weights A, logits S, their gradients dA = dy g^T and

        dS = A * (dA - r),  r = mean of dA under A,

    the sum is `dS * T + A * Q`, where T = u phi^T + theta v^T is the change
    of S, and Q = dy w^T. Its gradients for A, dA and T give those below.
    """

    def tile(carry, tiles):
        theta, dy, u = tiles
        weights = _weights(theta, phi, *bias)  # (rows, M)
        dweights = matmul_transposed(dy, g)
        change = matmul_transposed(u, phi) + matmul_transposed(theta, v)
        excess = change - _mean(weights, change)
        r = _mean(weights, dweights)
        for_weights = dweights * excess - r * change + matmul_transposed(dy, w)
        for_logits = weights * (for_weights - _mean(weights, for_weights))
        for_change = weights * (dweights - r)
        for_dweights = weights * excess
        for_phi, for_g = carry
        for_phi = for_phi + ops.matmul(ops.transpose(for_logits), theta)
        for_phi = for_phi + ops.matmul(ops.transpose(for_change), u)
        for_g = for_g + ops.matmul(ops.transpose(for_dweights), dy)
        for_theta = ops.matmul(for_logits, phi) + ops.matmul(for_change, v)
        for_dy = ops.matmul(for_dweights, g) + ops.matmul(weights, w)
        return (for_phi, for_g), (for_theta, for_dy)

    carry = (ops.zeros_like(phi), ops.zeros_like(g))
    tiles = _tiles((theta, dy, u), phi)
    (for_phi, for_g), (for_theta, for_dy) = over_tiles(
        tile, carry, tiles, outputs=2
    )
    return _join(for_theta, theta), for_phi, for_g, _join(for_dy, dy)


def _weights(theta, phi, *bias):
    logits = matmul_transposed(theta, phi)
    return ops.softmax(logits + bias[0] if bias else logits, axis=-1)


def _mean(weights, x):
    return ops.sum(weights * x, axis=-1, keepdims=True)


def _tiles(tensors, phi):
    rows = tile_rows(ops.shape(tensors[0])[0], ops.shape(phi)[0])
    return tuple(_split(x, rows) for x in tensors)


def _split(x, rows):
    """(N, C) -> (tiles, rows, C), with zeros after the last row."""
    size, channels = ops.shape(x)
    tiles = -(-size // rows)
    missing = tiles * rows - size
    if not isinstance(missing, int) or missing:
        zeros = ops.zeros((missing, channels), x.dtype)
        x = ops.concatenate([x, zeros], axis=0)
    return ops.reshape(x, (tiles, rows, channels))


def _join(x, like):
    """(tiles, rows, C) -> (N, C), without the rows that `_split` added."""
    return ops.reshape(x, (-1, x.shape[-1]))[: ops.shape(like)[0]]

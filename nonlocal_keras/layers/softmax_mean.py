"""The softmax forms without the matrix of affinities.

Tiles of queries pass one after the other. A tile sees all keys at once, so
its softmax is the textbook one and needs no running maximum; the affinities
of a tile are forgotten when its outputs are there. The backward pass computes
them again, so that training keeps nothing of the size queries x keys.

Reference:

- [Wang et al., 2018, equations 2 and 3](https://arxiv.org/abs/1711.07971)
"""

from keras import ops

from nonlocal_keras.layers.backend import fused_attention
from nonlocal_keras.layers.backend import has_fused_attention
from nonlocal_keras.layers.backend import matmul_transposed
from nonlocal_keras.layers.backend import over_tiles
from nonlocal_keras.layers.backend import with_gradient

# Affinities per tile: 16 MB in float32, which stay in the caches. Below 128
# queries matrix products lose speed, above 512 they gain none.
TILE = 2**22
FEWEST, MOST = 128, 512
# Finite, so that a row without a valid key has no NaN, not even in its
# gradient; far below every logit that float32 products can reach.
EXCLUDED = -1e38


def softmax_mean(theta, phi, g, scale=1.0, mask=None):
    """`softmax(scale * theta phi^T) g`, a tile of queries at a time.

    Args:
        theta: Queries, `(batch, queries, channels)`.
        phi: Keys, `(batch, keys, channels)`.
        g: Values, `(batch, keys, width)`.
        scale: Float that multiplies the logits.
        mask: Boolean tensor `(batch, keys)`, `True` where a key is valid.

    Returns:
        Tensor `(batch, queries, width)`; zero where no key is valid.
    """
    theta = theta * scale
    if mask is None and has_fused_attention(theta, g):
        return fused_attention(theta, phi, g)
    if mask is None:
        return with_gradient(_forward, _backward)(theta, phi, g)
    # Where no key is valid the softmax is uniform, over values of zero.
    g = ops.where(ops.expand_dims(mask, -1), g, 0.0)
    bias = ops.where(mask, ops.zeros((), g.dtype), EXCLUDED)  # (B, M)
    return with_gradient(_forward, _backward)(theta, phi, g, bias)


def tile_rows(queries, keys):
    """Queries per tile; integers, or tensors where sizes are unknown."""
    if isinstance(queries, int) and isinstance(keys, int):
        most = min(max(TILE // keys, FEWEST), MOST)
        for rows in range(most, most // 2, -1):
            if queries % rows == 0:
                return rows  # no copy with zeros after the last row
        tiles = -(-queries // most)
        return -(-queries // tiles)  # tiles of almost equal size
    most = ops.clip(TILE // keys, FEWEST, MOST)
    return ops.minimum(most, queries)


# Each of the following sees one sample: theta (N, C), phi (M, C), g (M, C'),
# y and dy (N, C') and, where there is a mask, bias (M,).


def _forward(theta, phi, g, *bias):
    def sample(_, tensors):
        return (), (_sample(*tensors),)

    _, (y,) = over_tiles(sample, (), (theta, phi, g, *bias))
    y = ops.reshape(y, (*ops.shape(theta)[:2], g.shape[-1]))
    return y, (theta, phi, g, *bias, y)


def _sample(theta, phi, g, *bias):
    def tile(_, tiles):
        weights = _weights(*tiles, phi, *bias)
        return (), (ops.matmul(weights, g),)

    rows = tile_rows(ops.shape(theta)[0], ops.shape(phi)[0])
    _, (y,) = over_tiles(tile, (), (_split(theta, rows),))
    return _join(y, theta)


def _backward(theta, phi, g, *saved):
    *bias, y, dy = saved
    # What the softmax takes from the gradient of each logit of a query.
    mean = ops.sum(dy * y, axis=-1, keepdims=True)  # (B, N, 1)

    def sample(_, tensors):
        return (), _sample_gradient(*tensors)

    tensors = (theta, phi, g, dy, mean, *bias)
    _, grads = over_tiles(sample, (), tensors, outputs=3)
    grads = [ops.reshape(grad, ops.shape(x)) for grad, x in zip(grads, tensors)]
    return (*grads, *map(ops.zeros_like, bias))


def _sample_gradient(theta, phi, g, dy, mean, *bias):
    def tile(carry, tiles):
        theta, dy, mean = tiles
        weights = _weights(theta, phi, *bias)  # (rows, M)
        dlogits = weights * (matmul_transposed(dy, g) - mean)
        dphi, dg = carry
        dphi = dphi + ops.matmul(ops.transpose(dlogits), theta)
        dg = dg + ops.matmul(ops.transpose(weights), dy)
        return (dphi, dg), (ops.matmul(dlogits, phi),)

    rows = tile_rows(ops.shape(theta)[0], ops.shape(phi)[0])
    carry = (ops.zeros_like(phi), ops.zeros_like(g))
    tiles = tuple(_split(x, rows) for x in (theta, dy, mean))
    (dphi, dg), (dtheta,) = over_tiles(tile, carry, tiles)
    return _join(dtheta, theta), dphi, dg


def _weights(theta, phi, *bias):
    logits = matmul_transposed(theta, phi)
    return ops.softmax(logits + bias[0] if bias else logits, axis=-1)


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

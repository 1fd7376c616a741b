"""The four pairwise functions of non-local networks.

Each function takes the queries and keys of one group of positions and gives
the weights `f(x_i, x_j) / C(x)` of equation 1 of the paper: a tensor of shape
`(batch, queries, keys)`. A weight of exactly zero goes to every key that the
mask excludes; where the mask excludes all keys, all weights are zero.

Reference:

- [Wang et al., 2018, section 3.2](https://arxiv.org/abs/1711.07971)
"""

from keras import ops

PAIRWISE = ("gaussian", "embedded_gaussian", "dot_product", "concatenation")
SOFTMAX_FORMS = ("gaussian", "embedded_gaussian")

# The logit of a key that the mask excludes. Finite, so that a row without any
# valid key has no NaN, not even in its gradient; far below every logit that
# float32 products can reach.
EXCLUDED = -1e38


def gaussian(theta, phi, scale=1.0, mask=None):
    """Computes f = exp(scale * theta_i . phi_j), C = sum of f: a softmax.

    Equation 2 of the paper on the features themselves (`gaussian`), equation
    3 on their embeddings (`embedded_gaussian`).

    Args:
        theta: Queries, `(batch, queries, channels)`.
        phi: Keys, `(batch, keys, channels)`.
        scale: Float. It multiplies the queries *before* the product, whose
            values would otherwise be the first to overflow. Defaults to
            `1.0`.
        mask: Boolean tensor `(batch, keys)`, `True` where a key is valid.
            Defaults to `None`, all are.

    Returns:
        Weights, `(batch, queries, keys)`, that sum to 1 over valid keys.
    """
    logits = ops.matmul(theta * scale, ops.transpose(phi, (0, 2, 1)))
    if mask is None:
        return ops.softmax(logits, axis=-1)
    valid = ops.expand_dims(mask, 1)
    logits = ops.where(valid, logits, EXCLUDED)
    return ops.where(valid, ops.softmax(logits, axis=-1), 0.0)


def dot_product(theta, phi, mask=None):
    """Computes f = theta_i . phi_j, C = number of keys, equation 4.

    Args:
        theta: Queries, `(batch, queries, channels)`.
        phi: Keys, `(batch, keys, channels)`.
        mask: Boolean tensor `(batch, keys)`, `True` where a key is valid.
            Defaults to `None`, all are.

    Returns:
        Weights, `(batch, queries, keys)`.
    """
    products = ops.matmul(theta, ops.transpose(phi, (0, 2, 1)))
    return divide_by_number_of_keys(products, mask)


def concatenation(theta, phi, w_f, mask=None):
    """Computes f = ReLU(w_f . [theta_i, phi_j]), C = number of keys, eq. 5.

    The product with a concatenation is the sum of two products, so the
    `2C' x queries x keys` tensor of the equation is never built.

    Args:
        theta: Queries, `(batch, queries, channels)`.
        phi: Keys, `(batch, keys, channels)`.
        w_f: Vector of length `2 * channels`.
        mask: Boolean tensor `(batch, keys)`, `True` where a key is valid.
            Defaults to `None`, all are.

    Returns:
        Weights, `(batch, queries, keys)`.
    """
    channels = theta.shape[-1]
    a = ops.matmul(theta, w_f[:channels])  # (B, N)
    b = ops.matmul(phi, w_f[channels:])  # (B, M)
    f = ops.relu(ops.expand_dims(a, -1) + ops.expand_dims(b, 1))
    return divide_by_number_of_keys(f, mask)


def divide_by_number_of_keys(x, mask, key_axis=2):
    """Divides by C of equations 4 and 5; an excluded key becomes zero.

    Args:
        x: Affinities `(batch, queries, keys)`, or what stands for each key,
            `(batch, keys, width)`.
        mask: Boolean tensor `(batch, keys)`, `True` where a key is valid.
            `None` if all are.
        key_axis: Integer, the axis of the keys in `x`. Defaults to `2`.

    Returns:
        Tensor of the shape of `x`.
    """
    if mask is None:
        return x / ops.cast(ops.shape(x)[key_axis], x.dtype)
    x = ops.where(ops.expand_dims(mask, 3 - key_axis), x, 0.0)
    number = ops.sum(ops.cast(mask, x.dtype), axis=-1)
    return x / ops.reshape(ops.maximum(number, 1.0), (-1, 1, 1))

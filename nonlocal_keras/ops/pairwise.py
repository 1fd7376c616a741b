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


def gaussian(theta, phi, scale=1.0, mask=None):
    """Softmax over keys: f = exp(scale * theta_i . phi_j), C = sum of f.

    Equation 2 of the paper on the features themselves (`gaussian`), equation
    3 on their embeddings (`embedded_gaussian`).

    Args:
        theta: Queries, `(batch, queries, channels)`.
        phi: Keys, `(batch, keys, channels)`.
        scale: Float. It multiplies the queries *before* the product, whose
            values would otherwise be the first to overflow.
        mask: Boolean tensor `(batch, keys)`, `True` where a key is valid.

    Returns:
        Weights, `(batch, queries, keys)`, that sum to 1 over valid keys.
    """
    logits = ops.matmul(theta * scale, ops.transpose(phi, (0, 2, 1)))
    if mask is None:
        return ops.softmax(logits, axis=-1)
    valid = ops.expand_dims(mask, 1)
    # Finite, so that a row without any valid key has no NaN, not even in its
    # gradient; far below every logit that float32 products can reach.
    logits = ops.where(valid, logits, -1e38)
    return ops.where(valid, ops.softmax(logits, axis=-1), 0.0)


def dot_product(theta, phi, mask=None):
    """f = theta_i . phi_j, C = number of keys (equation 4 of the paper)."""
    products = ops.matmul(theta, ops.transpose(phi, (0, 2, 1)))
    return _divide_by_number_of_keys(products, mask)


def concatenation(theta, phi, w_f, mask=None):
    """f = ReLU(w_f . [theta_i, phi_j]), C = number of keys (equation 5).

    The product with a concatenation is the sum of two products, so the
    `2C' x queries x keys` tensor of the equation is never built.

    Args:
        theta: Queries, `(batch, queries, channels)`.
        phi: Keys, `(batch, keys, channels)`.
        w_f: Vector of length `2 * channels`.
        mask: Boolean tensor `(batch, keys)`, `True` where a key is valid.
    """
    channels = theta.shape[-1]
    a = ops.matmul(theta, w_f[:channels])  # (B, N)
    b = ops.matmul(phi, w_f[channels:])  # (B, M)
    f = ops.relu(ops.expand_dims(a, -1) + ops.expand_dims(b, 1))
    return _divide_by_number_of_keys(f, mask)


def _divide_by_number_of_keys(f, mask):
    if mask is None:
        return f / ops.cast(ops.shape(f)[-1], f.dtype)
    valid = ops.cast(ops.expand_dims(mask, 1), f.dtype)  # (B, 1, M)
    number = ops.maximum(ops.sum(valid, axis=-1, keepdims=True), 1.0)
    return f * valid / number

"""`y_i = 1 / C(x) * sum_j f(x_i, x_j) g(x_j)`, by the fastest exact way.

The matrix of all `f(x_i, x_j)` has queries x keys entries. It need not be
built: the softmax forms go through tiles of queries (`softmax_mean.py`), the
dot product is reassociated here, and the concatenation sorts its keys
(`relu_sum.py`). The matrix form (`pairwise.py`) gives the attention scores,
and it is the faster one for few positions.

Reference:

- [Wang et al., 2018, equation 1](https://arxiv.org/abs/1711.07971)
"""

import keras
from keras import ops

from nonlocal_keras.ops import pairwise as forms
from nonlocal_keras.ops.relu_sum import relu_sum
from nonlocal_keras.ops.softmax_mean import softmax_mean

# Affinities per sample from which streaming is the faster way.
STREAM_SOFTMAX = 2**22
STREAM_CONCATENATION = 2**18


def weights(theta, phi, pairwise, scale=1.0, w_f=None, mask=None):
    """Computes the matrix of `f(x_i, x_j) / C(x)`.

    Args:
        theta, phi, pairwise, scale, w_f, mask: As for `weighted_sum`.

    Returns:
        Tensor `(batch, queries, keys)`, in float32 at least.
    """
    theta, phi = _at_least_float32(theta), _at_least_float32(phi)
    if pairwise == "dot_product":
        return forms.dot_product(theta, phi, mask)
    if pairwise == "concatenation":
        return forms.concatenation(theta, phi, ops.cast(w_f, theta.dtype), mask)
    return forms.gaussian(theta, phi, scale, mask)


def weighted_sum(
    theta,
    phi,
    g,
    pairwise,
    scale=1.0,
    w_f=None,
    mask=None,
    implementation="auto",
):
    """Computes the weighted sum of the values for each query, equation 1.

    Args:
        theta: Queries, `(batch, queries, channels)`.
        phi: Keys, `(batch, keys, channels)`.
        g: Values, `(batch, keys, width)`.
        pairwise: String, the pairwise function, see `NonLocal3D`.
        scale: Float that multiplies the logits of the softmax forms. Defaults
            to `1.0`.
        w_f: Vector of length `2 * channels` of the concatenation form.
            Defaults to `None`.
        mask: Boolean tensor `(batch, keys)`, `True` where a key is valid.
            Defaults to `None`, all are.
        implementation: String, `"matrix"`, `"streamed"` or `"auto"`. Defaults
            to `"auto"`.

    Returns:
        Tensor `(batch, queries, width)`, in float32 at least.
    """
    if implementation == "auto":
        sizes = ops.shape(theta)[1], ops.shape(phi)[1]
        widths = theta.shape[-1], g.shape[-1]
        implementation = choose(pairwise, *sizes, *widths)
    g = _at_least_float32(g)
    if implementation == "matrix":
        matrix = weights(theta, phi, pairwise, scale, w_f, mask)
        return ops.matmul(matrix, g)
    theta, phi = _at_least_float32(theta), _at_least_float32(phi)
    if pairwise in forms.SOFTMAX_FORMS:
        return softmax_mean(theta, phi, g, scale, mask)
    g = forms.divide_by_number_of_keys(g, mask, key_axis=1)
    if pairwise == "dot_product":
        # (C, M) x (M, C') first: C x C' in place of N x M.
        return ops.matmul(theta, ops.matmul(ops.transpose(phi, (0, 2, 1)), g))
    channels = theta.shape[-1]
    w_f = ops.cast(w_f, theta.dtype)
    a, b = ops.matmul(theta, w_f[:channels]), ops.matmul(phi, w_f[channels:])
    # A key of no value must not move the center of the others.
    b = b if mask is None else ops.where(mask, b, 0.0)
    return relu_sum(a, b, g)


def choose(pairwise, queries, keys, channels, width):
    """Chooses what `implementation="auto"` means for these sizes.

    Args:
        pairwise: String, the pairwise function.
        queries: Integer, or anything else where it is unknown.
        keys: Integer, or anything else where it is unknown.
        channels: Integer, the channels of queries and keys.
        width: Integer, the channels of the values.

    Returns:
        String, `"matrix"` or `"streamed"`.
    """
    if not isinstance(queries, int) or not isinstance(keys, int):
        return "streamed"
    pairs = queries * keys
    if pairwise == "dot_product":
        # The order of the two products with fewer multiply-adds.
        streamed = (queries + keys) * channels * width
        return "streamed" if streamed < pairs * (channels + width) else "matrix"
    if pairwise == "concatenation":
        return "streamed" if pairs >= STREAM_CONCATENATION else "matrix"
    return "streamed" if pairs >= STREAM_SOFTMAX else "matrix"


def _at_least_float32(x):
    # Half-precision products overflow before any softmax can help.
    return ops.cast(x, keras.backend.result_type(x.dtype, "float32"))

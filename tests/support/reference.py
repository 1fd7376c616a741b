"""The equations of non-local networks in NumPy, one position after the other.

The oracle of the tests: written from the paper (Wang et al., 2018, sections 3
and 4.1) and sharing no code with the package. Arrays are float64 and
`channels_last`; `weights` is a dictionary such as
`{"theta/kernel": ..., "bn/gamma": ...}`.
"""

import itertools

import numpy as np


def pair(pairwise, theta_i, phi_j, scale, w_f):
    """f(x_i, x_j) of section 3.2; the softmax forms without their exp."""
    if pairwise == "concatenation":
        return max(0.0, w_f @ np.concatenate([theta_i, phi_j]))
    if pairwise == "dot_product":
        return theta_i @ phi_j
    return scale * (theta_i @ phi_j)


def pairwise_weights(pairwise, theta, phi, valid, scale=1.0, w_f=None):
    """f(x_i, x_j) / C(x) for all pairs, zero where key j is not valid."""
    weights = np.zeros((len(theta), len(phi)))
    keys = np.flatnonzero(valid)
    for i in range(len(theta)):
        for j in keys:
            weights[i, j] = pair(pairwise, theta[i], phi[j], scale, w_f)
        if not len(keys):
            continue
        if pairwise in ("gaussian", "embedded_gaussian"):
            f = np.exp(weights[i, keys] - weights[i, keys].max())
            weights[i, keys] = f / f.sum()
        else:
            weights[i, keys] /= len(keys)
    return weights


def project(x, weights, name):
    y = x @ weights[f"{name}/kernel"]
    return y + weights[f"{name}/bias"] if f"{name}/bias" in weights else y


def max_pool(x, valid, size):
    """Maximum of the valid positions of each window; 0 where none is."""
    if size is None:
        return x, valid
    pooled = tuple(n // k for n, k in zip(valid.shape, size))
    y, pooled_valid = np.zeros((*pooled, x.shape[-1])), np.zeros(pooled, bool)
    for place in np.ndindex(*pooled):
        window = tuple(slice(p * k, p * k + k) for p, k in zip(place, size))
        inside = x[window][valid[window]]  # (valid positions, C)
        if len(inside):
            y[place], pooled_valid[place] = inside.max(axis=0), True
    return y, pooled_valid


def sets_that_attend(sizes, axes, frame_groups):
    """Index tuples of the blocks of positions that see each other."""
    frames = sizes[0] // frame_groups
    for group in range(frame_groups):
        ranges = []
        for axis, size in enumerate(sizes):
            low, high = 0, size
            if axis == 0:
                low, high = group * frames, (group + 1) * frames
            if axis in axes:
                ranges.append([slice(low, high)])
            else:
                ranges.append([slice(i, i + 1) for i in range(low, high)])
        yield from itertools.product(*ranges)


def branch(
    x,
    weights,
    pairwise="embedded_gaussian",
    scale=None,
    pool_size=None,
    pool_first=False,
    axes=None,
    frame_groups=1,
    mask=None,
):
    """W_z y of equation 6 and the weights f / C of equation 1.

    Returns an array like `x` and one of `(batch, sets, queries, keys)`.
    """
    x = np.asarray(x, "float64")
    sizes = x.shape[1:-1]
    axes = range(len(sizes)) if axes is None else axes
    valid = np.ones(x.shape[:-1], bool) if mask is None else mask
    if scale is None:
        scale = weights["g/kernel"].shape[-1] ** -0.5
    out, scores = np.zeros(x.shape), []
    for sample in range(len(x)):
        scores.append([])
        for block in sets_that_attend(sizes, axes, frame_groups):
            inputs, ok = x[sample][block], valid[sample][block]
            theta, phi, g, ok = queries_keys_values(
                inputs, ok, weights, pairwise, pool_size, pool_first
            )
            f = pairwise_weights(
                pairwise, theta, phi, ok, scale, weights.get("w_f")
            )
            wy = project(f @ g, weights, "w_z")
            out[sample][block] = wy.reshape(inputs.shape)
            scores[-1].append(f)
    return out, np.array(scores)


def queries_keys_values(x, valid, weights, pairwise, pool_size, pool_first):
    def flat(y):
        return y.reshape(-1, y.shape[-1])

    embedded = pairwise != "gaussian"
    theta = project(x, weights, "theta") if embedded else x
    if pool_first:  # the authors' release
        x, ok = max_pool(x, valid, pool_size)
        phi = project(x, weights, "phi") if embedded else x
        g = project(x, weights, "g")
    else:  # the paper
        phi = project(x, weights, "phi") if embedded else x
        phi, ok = max_pool(phi, valid, pool_size)
        g, ok = max_pool(project(x, weights, "g"), valid, pool_size)
    return flat(theta), flat(phi), flat(g), ok.reshape(-1)


def batch_statistics(x, mask=None):
    """Mean and variance of the channels over the valid positions."""
    valid = x.reshape(-1, x.shape[-1]) if mask is None else x[mask]
    return valid.mean(axis=0), valid.var(axis=0)


def normalize(x, weights, normalization, epsilon, statistics=None):
    if normalization is None:
        return x
    if normalization == "affine":
        return x * weights["affine/scale"] + weights["affine/offset"]
    mean, variance = statistics or (
        weights["bn/moving_mean"],
        weights["bn/moving_variance"],
    )
    x = (x - mean) / np.sqrt(variance + epsilon)
    return x * weights["bn/gamma"] + weights["bn/beta"]


def non_local(x, weights, normalization="batch", epsilon=1e-5, **options):
    """z of equation 6 at inference, and the weights f / C."""
    wy, scores = branch(x, weights, **options)
    return x + normalize(wy, weights, normalization, epsilon), scores

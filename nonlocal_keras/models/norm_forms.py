"""Normalizations in the form that another model keeps them in.

A batch normalization is a scale and an offset once its statistics are given.
The models of long clips keep these two alone, `FrozenAffine`; their non-local
blocks have none, so that both become part of `W_z`. All of it is exact up to
rounding.
"""

import numpy as np

_STATISTICS = ("moving_mean", "moving_variance")


def fit_norms(source, names, epsilons):
    """Returns the values of a source, its normalizations in another form.

    Args:
        source: `nonlocal_keras.models.weight_names.NamedWeights`.
        names: Collection of the names of the weights of the model to fill.
        epsilons: Dictionary of the names of its batch normalizations to their
            epsilons.

    Returns:
        Dictionary of name to array.
    """
    values = dict(source.values)
    layers = [name.removesuffix(".gamma") for name in _gammas(source.values)]
    for layer in layers:
        block, _, part = layer.rpartition(".")
        if f"{layer}.gamma" in names:
            _fit(layer, values, source.epsilons, names, epsilons)
        elif part == "norm" and f"{block}.w_z.bias" in names:
            _absorb(block, values, source.epsilons)
    return values


def _gammas(values):
    return [name for name in values if name.endswith(".gamma")]


def _fit(layer, values, source_epsilons, names, epsilons):
    mean, variance = (f"{layer}.{name}" for name in _STATISTICS)
    wanted, found = variance in names, variance in values
    if found and not wanted:
        scale, offset = _take_affine(layer, values, source_epsilons)
        values |= {f"{layer}.gamma": scale, f"{layer}.beta": offset}
    elif wanted and not found:
        size = np.shape(values[f"{layer}.gamma"])
        values[mean] = np.zeros(size, "float32")
        # Its root is one with the epsilon.
        values[variance] = np.full(size, 1.0 - epsilons[layer], "float32")
    elif wanted and source_epsilons.get(layer) != epsilons[layer]:
        change = source_epsilons.get(layer, epsilons[layer]) - epsilons[layer]
        moved = values[variance].astype("float64") + change
        values[variance] = np.maximum(moved, 0.0)


def _take_affine(layer, values, epsilons):
    """Removes a normalization; returns its scale and offset."""
    gamma, beta, mean, variance = (
        values.pop(f"{layer}.{name}", None)
        for name in ("gamma", "beta", *_STATISTICS)
    )
    if variance is None:
        return gamma, beta
    variance = variance.astype("float64")
    scale = gamma / np.sqrt(variance + epsilons.get(layer, 0.0))
    return scale, beta - mean * scale


def _absorb(block, values, epsilons):
    """Lets `W_z` of a block do what the normalization after it does."""
    scale, offset = _take_affine(f"{block}.norm", values, epsilons)
    kernel, bias = f"{block}.w_z.kernel", f"{block}.w_z.bias"
    values[kernel] = values[kernel] * scale
    values[bias] = values.get(bias, 0.0) * scale + offset

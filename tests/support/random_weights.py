"""Random weights under which features neither vanish nor explode."""

import numpy as np


def randomize(model, seed=0):
    """Gives the model, no weight of which is left as it was initialized."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if weight.name in ("gamma", "scale", "moving_variance"):
            value = rng.uniform(0.5, 1.5, size=weight.shape)
        elif len(weight.shape) > 1:
            fan_in = np.prod(weight.shape[:-1])
            value = rng.normal(size=weight.shape) * (2 / fan_in) ** 0.5
        else:
            value = 0.1 * rng.normal(size=weight.shape)
        weight.assign(value)
    return model

"""The weights of models by names that do not depend on how they were built.

A name is `layer.attribute`, such as `res3_1_branch2a.kernel`,
`nonlocal_res3_1.theta.kernel` or `conv1_bn.moving_mean`: those of the name
maps of published files as well. The scale and offset of affine layers go by
`gamma` and `beta`.
"""

import dataclasses

import keras

from nonlocal_keras.layers import FrozenAffine
from nonlocal_keras.layers import GlobalContext2D
from nonlocal_keras.layers.base_non_local import BaseNonLocal

NAMED = 5
BLOCKS = (BaseNonLocal, GlobalContext2D)


@dataclasses.dataclass(frozen=True, eq=False)
class NamedWeights:
    """Values of weights by name, from a model or a file.

    Attributes:
        values: Dictionary of name to array, in the layout of Keras.
        epsilons: Dictionary of the name of each batch normalization to its
            epsilon.
        origin: String, what messages call the model or file.
    """

    values: dict
    epsilons: dict
    origin: str

    @classmethod
    def of(cls, model):
        """Returns the weights of a model, with its name as origin."""
        to_array = keras.ops.convert_to_numpy
        values = {k: to_array(v) for k, v in weights_of(model).items()}
        return cls(values, epsilons_of(model), model.name)


def layers_of(model):
    """Yields the layers of a model and of the models that it is made of."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)
        else:
            yield layer


def weights_of(model):
    """Returns the weights of a model by name.

    Args:
        model: A `keras.Model`, such as a
            `nonlocal_keras.models.VideoClassifier` or a
            `nonlocal_keras.models.MaskRCNN`.

    Returns:
        A dictionary of name to `keras.Variable`, of all weights of the model.

    Raises:
        ValueError: If a weight has no name of its own.
    """
    weights = {}
    for name, layer in _parts(model):
        if isinstance(layer, BLOCKS):
            # Their other weights are in parts of them.
            if hasattr(layer, "w_f"):
                weights[f"{name}.w_f"] = layer.w_f
            continue
        affine = isinstance(layer, FrozenAffine)
        renamed = {"scale": "gamma", "offset": "beta"} if affine else {}
        for weight in layer.weights:
            weights[f"{name}.{renamed.get(weight.name, weight.name)}"] = weight
    named = {id(weight) for weight in weights.values()}
    others = [w.path for w in model.weights if id(w) not in named]
    if others:
        raise ValueError(
            "Every weight of the model must be in a layer with a name of its "
            f"own. Received: others, {others[:NAMED]}"
        )
    return weights


def norms_of(model):
    """Returns names and layers of the batch normalizations of a model."""
    parts = _parts(model)
    return [(n, layer) for n, layer in parts if hasattr(layer, "moving_mean")]


def epsilons_of(model):
    """Returns the epsilons of the batch normalizations of a model, by name."""
    return {name: layer.epsilon for name, layer in norms_of(model)}


def blocks_of(model):
    """Returns the names of the non-local and global context blocks."""
    layers = layers_of(model)
    return [layer.name for layer in layers if isinstance(layer, BLOCKS)]


def _parts(model):
    """Yields names and layers; blocks come before the layers inside them."""
    for layer in layers_of(model):
        yield layer.name, layer
        if isinstance(layer, BaseNonLocal):
            for name in ("theta", "phi", "g", "w_z", "norm"):
                part = getattr(layer, name, None)
                if part is not None:
                    yield f"{layer.name}.{name}", part
        elif isinstance(layer, GlobalContext2D):
            for part in layer._flatten_layers(include_self=False):
                yield f"{layer.name}.{part.name}", part

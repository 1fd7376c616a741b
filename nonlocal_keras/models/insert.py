"""Puts non-local blocks into any functional Keras model."""

import difflib

import keras

from nonlocal_keras.layers import NonLocal1D
from nonlocal_keras.layers import NonLocal2D
from nonlocal_keras.layers import NonLocal3D
from nonlocal_keras.models import graph
from nonlocal_keras.models.detection.mask_rcnn import MaskRCNN

_BY_AXES = {3: NonLocal1D, 4: NonLocal2D, 5: NonLocal3D}


def insert_non_local(model, after, **kwargs):
    """Copies a model, with non-local blocks after named layers.

    A new block is the identity, so the copy computes what the model did until
    it is trained. Weights are copied; the model itself stays as it was.

    Example:

    >>> resnet = keras.applications.ResNet50(weights=None)
    >>> nl_resnet = nonlocal_keras.insert_non_local(
    ...     resnet, after=["conv4_block5_out"], pool_size=2
    ... )
    >>> nl_resnet.get_layer("conv4_block5_out_non_local").pairwise
    'embedded_gaussian'

    Args:
        model: A functional `keras.Model`, or a
            `nonlocal_keras.models.MaskRCNN`, whose backbone gets the blocks.
        after: String or list of strings, the names of layers whose output is
            followed by a block. The rank of the block is that of the output.
        **kwargs: Arguments of `nonlocal_keras.NonLocal3D` for all blocks.

    Returns:
        A functional `keras.Model` with the inputs and outputs of `model`, or a
        `MaskRCNN` if it is one. The block after layer `x` is named
        `x_non_local`.

    Raises:
        ValueError: If the model is not functional, a name is unknown, or the
            output of a named layer is not a map of 3 to 5 axes.

    Reference:

    - [Wang et al., 2018, section 3.3](https://arxiv.org/abs/1711.07971)
    """
    after = [after] if isinstance(after, str) else list(after)
    if isinstance(model, MaskRCNN):
        return model.with_backbone(
            insert_non_local(model.backbone, after, **kwargs)
        )
    # Keras lets `call_function` see the layers of functional models only.
    functional = graph.unwrap(model)
    _check_model(functional)
    _check_places(functional, after, kwargs)

    def call(layer, *args, **call_kwargs):
        outputs = layer(*args, **call_kwargs)
        if layer.name not in after:
            return outputs
        block = _BY_AXES[len(outputs.shape)]
        return block(name=f"{layer.name}_non_local", **kwargs)(outputs)

    copy = keras.models.clone_model(
        functional,
        input_tensors=keras.tree.map_structure(_new_input, functional.input),
        call_function=call,
    )
    for layer in model.layers:
        twin = copy.get_layer(layer.name)
        twin.set_weights(layer.get_weights())
        # Outer layers first: setting them sets those inside.
        for old, new in zip(layer._flatten_layers(), twin._flatten_layers()):
            new.trainable = old.trainable
    return copy


def _new_input(tensor):
    """Makes an input with the name of the old one, which clones would lose."""
    name = tensor._keras_history.operation.name
    return keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype, name=name)


def _check_model(model):
    if not isinstance(model, keras.Model) or not hasattr(model, "operations"):
        raise ValueError(
            "`model` must be a functional keras.Model, built from keras.Input "
            "to outputs; a subclassed model has no graph to insert into. "
            f"Received: model={model!r}"
        )


def _check_places(model, after, kwargs):
    if not after:
        raise ValueError(
            "`after` must name at least one layer. Received: after=[]"
        )
    if "name" in kwargs:
        raise ValueError(
            "`name` is given by the layer before the block, as "
            f"'<layer>_non_local'. Received: name={kwargs['name']!r}"
        )
    names = [layer.name for layer in model.layers]
    for name in after:
        if name not in names:
            raise ValueError(
                "`after` must hold names of layers of the model (see "
                f"model.summary()). Received: {name!r}.{_hint(model, name)}"
            )
        layer = model.get_layer(name)
        if isinstance(layer, keras.layers.InputLayer):
            raise ValueError(
                "`after` must name layers that compute something; this one is "
                "an input. Put the block on the input before building the "
                f"model. Received: {name!r}"
            )
        calls = [c for c in graph.calls(model) if c.operation is layer]
        if len(calls) != 1:
            raise ValueError(
                "`after` must name layers that are called once; this one is "
                f"shared by {len(calls)} calls. "
                f"Received: {name!r}"
            )
        shape = getattr(layer.output, "shape", ())
        if len(shape) not in _BY_AXES:
            raise ValueError(
                "`after` must name layers whose output is a map: (batch, "
                "*positions, channels) with 1 to 3 axes of positions. "
                f"Received: {name!r} with output shape {tuple(shape)}"
            )


def _hint(model, name):
    for layer in model.layers:
        if name in [inner.name for inner in getattr(layer, "layers", ())]:
            return (
                f" It is inside the nested model {layer.name!r}: insert into "
                f"model.get_layer({layer.name!r}) and build the model on that."
            )
    names = [layer.name for layer in model.layers]
    near = difflib.get_close_matches(name, names, n=3)
    return f" Did you mean {near}?" if near else ""

"""The graph of a functional Keras model: its calls of layers, in order."""

import keras


def unwrap(model):
    """Returns the functional model that a built `Sequential` wraps.

    Any other model is returned as it is.
    """
    if isinstance(model, keras.Sequential) and model.built:
        return keras.Model(model.inputs, model.outputs, name=model.name)
    return model


def calls(model):
    """Returns the calls of layers inside a model, inputs before their users.

    Calls of the same layers by other models are left out.

    Args:
        model: A functional `keras.Model`.

    Returns:
        List of nodes of Keras, each with `operation`, `input_tensors` and
        `output_tensors`.
    """
    # Keras has no public way to the calls of a model: `layer.output` is that
    # of the first call, and `model.layers` names a shared layer once.
    nodes = model._nodes_by_depth
    return [
        node
        for depth in sorted(nodes, reverse=True)
        for node in nodes[depth]
        if not node.is_input
    ]

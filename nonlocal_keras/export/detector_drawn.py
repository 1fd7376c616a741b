"""SavedModels of detectors, compared with their models on drawn images.

A trained detector is right to find nothing in noise, where there is nothing to
compare then. But what a SavedModel holds can be read and set. So its weights
must be those of the model, bit by bit; and where the model finds nothing, both
are given other weights for a moment, with which there is something to find in
any image, and must find the same.
"""

import contextlib

import numpy as np
from keras import ops

from nonlocal_keras.export import detector_parity
from nonlocal_keras.export.parity import ExportError

# A logit that no other one makes up for.
_NEVER = -1e6


def compare(model, loaded, runs, images, tolerance):
    """Compares what a SavedModel holds and finds with its model.

    Args:
        model: A `nonlocal_keras.models.MaskRCNN`.
        loaded: What `tf.saved_model.load` gives of a folder of
            `saved_model.write_functions`.
        runs: List of functions of its signatures, as
            `detector_parity.compare` calls them.
        images: List of uint8 arrays `(height, width, 3)`.
        tolerance: Float, the most that a probability may differ.

    Returns:
        List of a `detector_parity.DetectionParity` for each function.

    Raises:
        ExportError: If it holds other weights, or finds otherwise.
    """
    _check_weights(model, loaded)
    rivals = _leave_two_classes(model)
    for changes in ([], rivals, rivals + _keep_anchors(model)):
        try:
            with _changed(model, loaded, changes):
                return [
                    detector_parity.compare(model, run, images, tolerance)
                    for run in runs
                ]
        except detector_parity.NothingFound as error:
            nothing = error
    raise nothing


def _pairs(model, loaded):
    """Returns pairs of each weight and what the SavedModel has in its place."""
    # Among the variables are states of random numbers, which train alone.
    weights = {id(weight) for weight in model.weights}
    both = zip(model.variables, loaded.weights, strict=True)
    return [pair for pair in both if id(pair[0]) in weights]


def _check_weights(model, loaded):
    for weight, held in _pairs(model, loaded):
        if ops.convert_to_numpy(weight).tobytes() != held.numpy().tobytes():
            raise ExportError(
                "The exported detector must hold the weights of the model. "
                f"Received: other values of {weight.path}"
            )


def _leave_two_classes(model):
    """Returns weights with which every proposal is of one of two classes.

    The likelier one has at least half of the probability, so that a higher
    threshold leaves one class alone.
    """
    bias = model.get_layer("box_head").get_layer("box_class").bias
    number = 2 if model.get_config()["score_threshold"] < 0.5 else 1
    values = _values(bias)
    values[0] = values[1 + number :] = _NEVER
    return [(bias, values)]


def _keep_anchors(model):
    """Returns weights with which boxes are anchors: none of them is empty."""
    heads = (("rpn", "rpn_deltas"), ("box_head", "box_deltas"))
    layers = [model.get_layer(head).get_layer(name) for head, name in heads]
    return [
        (weight, np.zeros_like(_values(weight)))
        for layer in layers
        for weight in layer.weights
    ]


@contextlib.contextmanager
def _changed(model, loaded, changes):
    """Gives other values to weights of both; the model gets its own back."""
    places = {id(weight): held for weight, held in _pairs(model, loaded)}
    before = [(weight, _values(weight)) for weight, _ in changes]
    try:
        for weight, values in changes:
            weight.assign(values)
            places[id(weight)].assign(values)
        yield
    finally:
        for weight, values in before:
            weight.assign(values)


def _values(weight):
    # A copy: what is assigned later may be written into the same memory.
    return np.array(ops.convert_to_numpy(weight))

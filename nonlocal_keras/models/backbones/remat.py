"""Training that computes activations again instead of keeping them.

Between blocks only their outputs stay in memory; the backward pass runs each
block once more. `keras.RematScope` wraps single layers, whose inputs stay all
the same, and would update the statistics of batch normalizations twice.
"""

import keras

# Keras has no public way to switch off that variables are rounded where a
# layer of a mixed policy reads them.
from keras.src.backend import AutocastScope


class Segments:
    """A functional model, cut at the outputs of some of its layers.

    Args:
        model: A functional `keras.Model` of one input and one output.
        names: List of strings, the names of layers in the order of the model.
            Every path from the input to the output must go through each of
            them.

    Raises:
        ValueError: If a layer regularizes its output.
    """

    def __init__(self, model, names):
        for layer in model.layers:
            if getattr(layer, "activity_regularizer", None) is not None:
                raise ValueError(
                    "`remat=True` would count the loss of an "
                    "`activity_regularizer` twice or not at all. Leave one of "
                    f"them out. Received: {layer.name!r} has one"
                )
        ends = [model.get_layer(name).output for name in names]
        if ends[-1] is not model.outputs[0]:
            ends.append(model.outputs[0])
        starts = [model.inputs[0], *ends[:-1]]
        self.models = [keras.Model(*ends) for ends in zip(starts, ends)]

    def __call__(self, x, training):
        for model in self.models:
            x = _run_twice(model, x, training)
        return x


def _run_twice(model, x, training):
    trained = model.trainable_variables
    kept = model.non_trainable_variables
    variables = trained + kept

    # Neither what goes in nor the scope may round values to the precision
    # that a mixed policy reads variables in.
    exact = AutocastScope(None)

    def stateless(x, *values):
        # Assignments stay in the scope, in both runs.
        with exact, keras.StatelessScope(list(zip(variables, values))) as scope:
            y = model(x, training=training)
        return y, *map(scope.get_current_value, kept)

    with exact:
        values = [v.value for v in trained]
        # Copies: PyTorch assigns in place, before the second run.
        values += [keras.ops.copy(v.value) for v in kept]
    y, *updates = keras.remat(stateless)(x, *values)
    for variable, update in zip(kept, updates):
        variable.assign(update)
    return y

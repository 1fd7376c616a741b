"""What the non-local blocks of a model are called on while it runs."""

import contextlib
import inspect

from nonlocal_keras import terminal


def block_inputs(model, inputs, calls):
    """Runs a model once, and returns what its blocks were called on.

    Args:
        model: A `keras.Model`.
        inputs: Array, what it takes.
        calls: List of `BlockCall`, all of the model, in its order.

    Returns:
        List of a tuple `(x, mask)` of tensors for each call; `mask` may be
        `None`.

    Raises:
        ValueError: If the model cannot run on `inputs`.
    """
    layers = {id(call.layer): call.layer for call in calls}
    seen = {key: [] for key in layers}
    with contextlib.ExitStack() as stack:
        for key, layer in layers.items():
            stack.enter_context(_recorded(layer, seen[key]))
        try:
            model(inputs, training=False)
        # What the backends raise for what a model cannot take.
        except Exception as error:
            reason = terminal.shortened(" ".join(str(error).split()), 400)
            raise ValueError(
                f"The model {model.name!r} could not run on this input, of "
                f"{inputs.dtype} and shape {inputs.shape}: {reason}"
            ) from error
    return [seen[id(call.layer)].pop(0) for call in calls]


@contextlib.contextmanager
def _recorded(layer, seen):
    """Notes what a layer is called on, as long as the context lasts."""
    original, signature = layer.call, inspect.signature(layer.call)

    def call(*args, **kwargs):
        arguments = signature.bind(*args, **kwargs).arguments
        seen.append((arguments["inputs"], arguments.get("mask")))
        return original(*args, **kwargs)

    layer.call = call
    try:
        yield
    finally:
        del layer.call

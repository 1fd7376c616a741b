"""How the weights of layers begin, and what a saved layer tells of them.

Layers whose weights are about to be loaded need no random numbers: drawing
those of a ResNet-101 takes longer than reading them from a file.
"""

import contextlib
import contextvars

from keras import constraints
from keras import initializers
from keras import regularizers

_SKIPPED = contextvars.ContextVar("skipped", default=False)


@contextlib.contextmanager
def no_random_weights():
    """Lets kernels made inside start as zeros, in this thread alone."""
    token = _SKIPPED.set(True)
    try:
        yield
    finally:
        _SKIPPED.reset(token)


def clone(initializer):
    """Returns an initializer of its own: a shared one draws equal kernels.

    Args:
        initializer: A `keras.initializers.Initializer`; what is none is
            returned as it is.
    """
    if not isinstance(initializer, initializers.Initializer):
        return initializer
    return initializer.__class__.from_config(initializer.get_config())


def resolve(initializer):
    """Returns the initializer that a kernel starts with, here and now."""
    return "zeros" if _SKIPPED.get() else initializer


def serialize(layer):
    """Returns what a layer does with kernels and biases, for its config.

    Args:
        layer: A layer with the attributes of those names.
    """
    kinds = {
        "initializer": (initializers, ("kernel", "bias")),
        "regularizer": (regularizers, ("kernel", "bias", "activity")),
        "constraint": (constraints, ("kernel", "bias")),
    }
    return {
        f"{part}_{kind}": module.serialize(getattr(layer, f"{part}_{kind}"))
        for kind, (module, parts) in kinds.items()
        for part in parts
    }

"""Weights that a training which diverged leaves behind."""

import keras
import numpy as np


def require_finite(model):
    """Refuses a model that holds values which are no finite numbers.

    Its scores are none, so that it finds nothing, as in an empty image.

    Args:
        model: A `keras.Model`.

    Raises:
        FloatingPointError: If there is such a value.
    """
    for weight in model.weights:
        if not np.isfinite(keras.ops.convert_to_numpy(weight)).all():
            raise FloatingPointError(
                "the weights of a model must be finite numbers; a training "
                "that diverged leaves others. Take an earlier checkpoint, or "
                f"train with a lower learning rate. Received: {weight.path} "
                "with others"
            )

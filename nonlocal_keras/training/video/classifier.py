"""The classifier that a recipe trains."""

import keras

from nonlocal_keras import models


def build_model(recipe, name, classes, synchronized=False):
    """Returns the classifier of a recipe with new weights.

    Args:
        recipe: A `nonlocal_keras.training.video.recipes.VideoRecipe`.
        name: String, a name for `nonlocal_keras.models.from_name`.
        classes: Integer, the number of classes.
        synchronized: Boolean, whether replicas share batch statistics.
            Defaults to `False`.

    Returns:
        A `nonlocal_keras.models.VideoClassifier`.
    """
    spec = recipe.clip_spec
    l2 = None
    if recipe.optimizer == "sgd" and recipe.weight_decay:
        l2 = keras.regularizers.L2(recipe.weight_decay / 2)
    backbone = models.from_name(
        name,
        family=recipe.family,
        input_shape=(spec.frames, spec.size, spec.size, 3),
        synchronized=synchronized,
        kernel_regularizer=l2,
    )
    return models.VideoClassifier(
        backbone, classes, dropout=recipe.dropout, name=name
    )

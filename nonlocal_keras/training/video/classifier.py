"""The classifier that a recipe trains."""

from nonlocal_keras import models
from nonlocal_keras.training import optimizers


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
    backbone = models.from_name(
        name,
        family=recipe.family,
        input_shape=(spec.frames, spec.size, spec.size, 3),
        synchronized=synchronized,
        kernel_regularizer=optimizers.make_l2(recipe),
    )
    return models.VideoClassifier(
        backbone, classes, dropout=recipe.dropout, name=name
    )

"""Trained models in the zoo of the user: their record, and the proof."""

import keras
import numpy as np

from nonlocal_keras.training import initial
from nonlocal_keras.training import registration

# Most that a probability may differ in the model that the zoo loads.
TOLERANCE = 1e-5


def register(recipe, model, row, test, command):
    """Puts a trained model into the zoo of the user and loads it by name.

    Args:
        recipe: A `nonlocal_keras.training.video.recipes.VideoRecipe`.
        model: The trained `nonlocal_keras.models.VideoClassifier`.
        row: The `nonlocal_keras.training.video.row.Row` of the model.
        test: The `nonlocal_keras.data.ClipReader` of its test.
        command: String, the command that trains it.

    Returns:
        The `zoo.Record` as written.

    Raises:
        RuntimeError: If the model that the zoo loads predicts otherwise.
    """
    single = registration.for_use(model)
    clip = recipe.clip_spec.normalize(_first_views(test))

    def difference(loaded):
        predicted, expected = (
            keras.ops.convert_to_numpy(m(clip)) for m in (loaded, model)
        )
        return np.abs(predicted - expected).max()

    fields = make_record(recipe, row, test.videos.classes, command)
    return registration.register(single, fields, difference, TOLERANCE)


def make_record(recipe, row, classes, command):
    """Returns the record of a trained model.

    Args:
        recipe: A `nonlocal_keras.training.video.recipes.VideoRecipe`.
        row: The `nonlocal_keras.training.video.row.Row` of the model.
        classes: Tuple of strings, the names of the classes.
        command: String, the command that trains it.

    Returns:
        Dictionary of the fields that `zoo.register` takes.
    """
    spec = recipe.clip_spec
    return {
        "name": f"{row.model}_{recipe.dataset}.local",
        "description": row.description,
        "source": "trained by train.py of nonlocal-keras",
        "license": initial.license_of(recipe.init),
        "parameters": row.parameters,
        "macs": row.macs,
        "input": {**spec.to_config(), "channels": "RGB"},
        "views": {
            "clips": recipe.test_clips,
            "crops": recipe.test_crops,
            "size": spec.size,
            "window": None,
            "average": "probabilities",
        },
        "labels": classes,
        "metrics": {
            "dataset": recipe.dataset,
            "top1": row.top1,
            "interval": list(row.interval),
            "videos": row.videos,
            "protocol": row.protocol,
            "command": command,
        },
    }


def _first_views(test):
    """Returns the views of the first video that can be read."""
    found = map(test.test_views, range(len(test.videos)))
    return next(views for views in found if views is not None)

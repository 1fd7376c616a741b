"""Trained detectors in the zoo of the user: their record, and the proof."""

import numpy as np

import zoo
from nonlocal_keras.training import initial
from nonlocal_keras.training import registration
from zoo import proof
from zoo.tasks.object_detection import measures

# Most that a probability, a pixel, or an output of a part relative to its
# largest number may differ in the model that the zoo loads.
TOLERANCE = 1e-4


def register(recipe, model, row, test, command):
    """Puts a trained detector into the zoo of the user and loads it by name.

    Args:
        recipe: A
            `nonlocal_keras.training.detection.recipes.DetectionRecipe`.
        model: The trained `nonlocal_keras.models.MaskRCNN`.
        row: The `nonlocal_keras.training.detection.row.Row` of the model.
        test: The `nonlocal_keras.training.detection.inputs.Split` of its
            test.
        command: String, the command that trains it.

    Returns:
        The `zoo.Record` as written.

    Raises:
        RuntimeError: If the model that the zoo loads predicts otherwise.
    """
    single = registration.for_use(model)
    _, pixels = next(test.dataset.readable())
    fields = make_record(recipe, row, model, command)

    def difference(loaded):
        found, expected = (m.predict([pixels]) for m in (loaded, model))
        apart = [
            np.abs(found[key] - expected[key]).max()
            for key in ("boxes", "confidence")
        ]
        # A poor model finds nothing in the image, but each part says something.
        record = zoo.info(fields["name"])
        _, of_parts = proof.difference(model, loaded, record)
        # Not `max`, which loses a NaN.
        return np.max([*apart, of_parts])

    return registration.register(single, fields, difference, TOLERANCE)


def make_record(recipe, row, model, command):
    """Returns the record of a trained detector.

    Args:
        recipe: A
            `nonlocal_keras.training.detection.recipes.DetectionRecipe`.
        row: The `nonlocal_keras.training.detection.row.Row` of the model.
        model: The `nonlocal_keras.models.MaskRCNN`.
        command: String, the command that trains it.

    Returns:
        Dictionary of the fields that `zoo.register` takes.
    """
    config = model.get_config()
    sizes = {key: config[key] for key in ("min_size", "max_size")}
    pixels = {key: list(config[key]) for key in ("mean", "std")}
    return {
        "name": f"{row.model}_{recipe.dataset}.local",
        "task": "object_detection",
        "description": row.description,
        "source": "trained by train.py of nonlocal-keras",
        "license": initial.license_of(recipe.init),
        "parameters": row.parameters,
        "macs": row.macs,
        "input": {**sizes, "channels": "RGB", **pixels},
        "views": {},
        "labels": model.labels,
        "metrics": {
            "dataset": recipe.dataset,
            **measures(row),
            "images": row.images,
            "protocol": row.protocol,
            "command": command,
        },
    }

"""All training recipes by name, and the module that trains each."""

import difflib
import importlib

from nonlocal_keras.training.detection import recipes as detection_recipes
from nonlocal_keras.training.video import recipes as video_recipes

EXPERIMENTS = {**video_recipes.RECIPES, **detection_recipes.RECIPES}


def get_experiment(name):
    """Returns a recipe by name.

    Args:
        name: String, one of `EXPERIMENTS`.

    Raises:
        ValueError: For an unknown name, with the near ones.
    """
    if name not in EXPERIMENTS:
        near = difflib.get_close_matches(name, EXPERIMENTS, n=3, cutoff=0.4)
        raise ValueError(
            f"`experiment` must be one of {', '.join(EXPERIMENTS)}. "
            f"Received: {name!r}." + (f" Did you mean {near}?" if near else "")
        )
    return EXPERIMENTS[name]


def find_job(recipe):
    """Returns the module that trains by a recipe: `job.py` of its task.

    Each has these functions:

    complete(recipe) returns the recipe with what it leaves to the model that
        it starts from.
    open_data(recipe, folder, say) returns what to train, validate and test
        on, which know their faults as `skipped`.
    train(recipe, name, strategy, training, validation, model_dir, resume,
        say) returns the model and the seconds that it took.
    test(recipe, name, model, test, seconds, progress) returns a row of the
        report: its `model`, its `cells()` by column, and the `score` by which
        models are compared.
    register(recipe, model, row, test, command) puts the model into the zoo
        of the user and returns its record.

    Args:
        recipe: A `nonlocal_keras.training.recipe.Recipe`.
    """
    return importlib.import_module(f"nonlocal_keras.training.{recipe.task}.job")

"""A recipe whose clips and models are those of the model it starts from."""

import dataclasses

from nonlocal_keras import models
from nonlocal_keras.training.initial import open_initial
from nonlocal_keras.training.video.recipes import OF_INIT

# Fields of a recipe that are taken from the model where they are empty.
_CLIP = ("frames", "stride", "size", "short_side", "mean", "std")


def complete(recipe):
    """Fills in what a recipe leaves to the model it starts from.

    Args:
        recipe: A `nonlocal_keras.training.video.recipes.VideoRecipe`.

    Returns:
        A recipe of the same kind. One of a family of its own is returned as it
        is.

    Raises:
        ValueError: If `init` is no classifier of videos.
    """
    named = [recipe.family == OF_INIT, recipe.models == (OF_INIT,)]
    if not any(named):
        return recipe
    if not all(named):
        raise ValueError(
            "`models` and `family` go together: both are init, for the "
            "network of --init, or both are named, e.g. models=nl_c2d_r50 and "
            f"family=vnl_8x8. Received: models={'+'.join(recipe.models)}, "
            f"family={recipe.family}"
        )
    initial = open_initial(recipe.init)
    model = initial and initial.model
    if not isinstance(model, models.VideoClassifier) or not isinstance(
        model.backbone, models.VideoResNet
    ):
        raise ValueError(
            "`init` must be a classifier of videos, whose network is trained: "
            "a name of `nonlocal-keras list`, a .keras file or a published "
            "checkpoint. For imagenet and none, name the network as well: "
            "--overrides=models=nl_c2d_r50 --overrides=family=vnl_8x8. "
            f"Received: init={recipe.init!r}"
        )
    return dataclasses.replace(
        recipe, models=(initial.short_name,), **_clip_of(recipe, model)
    )


def _clip_of(recipe, model):
    told = model.preprocessing or {}
    found = {}
    for name in _CLIP:
        value = getattr(recipe, name)
        empty = value in (0, (), (0, 0))
        if not empty:
            continue
        if name not in told:
            raise ValueError(
                "`init` must be a model with `preprocessing`, as those of the "
                f"zoo are; this one does not tell `{name}` of its clips. Give "
                f"it: --overrides={name}=... Received: init={recipe.init!r}"
            )
        value = told[name]
        if name == "short_side":
            # One size, so that decoded videos stay in memory.
            value = (value, value)
        found[name] = tuple(value) if isinstance(value, list) else value
    for name in ("resize", "fps"):
        if getattr(recipe, name) is None and told.get(name) is not None:
            value = told[name]
            found[name] = tuple(value) if isinstance(value, list) else value
    size = found.get("size", recipe.size)
    low, high = found.get("short_side", recipe.short_side)
    if low < size:
        # The clips of the user are larger than those of the model.
        found["short_side"] = (max(low, size), max(high, size))
    return found

"""The optimizer of a recipe and the schedule of its learning rate."""

import keras


def make_optimizer(recipe):
    """Returns the optimizer of a recipe.

    Args:
        recipe: A `nonlocal_keras.training.recipe.Recipe`.

    Returns:
        A `keras.optimizers.Optimizer`.

    Raises:
        ValueError: For an unknown optimizer, or a warm-up without cosine.
    """
    rate = _make_schedule(recipe)
    if recipe.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)
    if recipe.optimizer != "adamw":
        raise ValueError(
            "`optimizer` must be 'sgd' or 'adamw'. "
            f"Received: optimizer={recipe.optimizer!r}"
        )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _make_schedule(recipe):
    rate, warmup = recipe.learning_rate, recipe.warmup_steps
    if recipe.schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else rate,
            max(recipe.steps - warmup, 1),
            warmup_target=rate if warmup else None,
            warmup_steps=warmup,
        )
    if warmup:
        raise ValueError(
            "`warmup_steps` is used with schedule='cosine' only. "
            f"Received: warmup_steps={warmup}"
        )
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        [int(part * recipe.steps) for part in recipe.schedule],
        [rate * 0.1**i for i in range(len(recipe.schedule) + 1)],
    )

"""The optimizer of a recipe and the schedule of its learning rate."""

import keras


def make_optimizer(experiment):
    """Returns the optimizer of a recipe.

    Args:
        experiment: A `nonlocal_keras.training.experiments.Experiment`.

    Returns:
        A `keras.optimizers.Optimizer`.

    Raises:
        ValueError: For an unknown optimizer, or a warm-up without cosine.
    """
    rate = _make_schedule(experiment)
    if experiment.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True)
    if experiment.optimizer != "adamw":
        raise ValueError(
            "`optimizer` must be 'sgd' or 'adamw'. "
            f"Received: optimizer={experiment.optimizer!r}"
        )
    optimizer = keras.optimizers.AdamW(
        rate, weight_decay=experiment.weight_decay
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def _make_schedule(experiment):
    rate, warmup = experiment.learning_rate, experiment.warmup_steps
    if experiment.schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else rate,
            max(experiment.steps - warmup, 1),
            warmup_target=rate if warmup else None,
            warmup_steps=warmup,
        )
    if warmup:
        raise ValueError(
            "`warmup_steps` is used with schedule='cosine' only. "
            f"Received: warmup_steps={warmup}"
        )
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        [int(part * experiment.steps) for part in experiment.schedule],
        [rate * 0.1**i for i in range(len(experiment.schedule) + 1)],
    )

"""The optimizer of a recipe and the schedule of its learning rate."""

import keras
from keras import ops


def make_optimizer(recipe):
    """Returns the optimizer of a recipe.

    Args:
        recipe: A `nonlocal_keras.training.recipe.Recipe`.

    Returns:
        A `keras.optimizers.Optimizer`.

    Raises:
        ValueError: For an unknown optimizer.
    """
    rate = _make_schedule(recipe)
    if recipe.optimizer in ("sgd", "momentum"):
        nesterov = recipe.optimizer == "sgd"
        return keras.optimizers.SGD(rate, momentum=0.9, nesterov=nesterov)
    if recipe.optimizer != "adamw":
        raise ValueError(
            "`optimizer` must be 'sgd', 'momentum' or 'adamw'. "
            f"Received: optimizer={recipe.optimizer!r}"
        )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def make_l2(recipe):
    """Returns the regularizer of kernels; `None` where decay is decoupled.

    Args:
        recipe: A `nonlocal_keras.training.recipe.Recipe`.
    """
    if recipe.optimizer == "adamw" or not recipe.weight_decay:
        return None
    return keras.regularizers.L2(recipe.weight_decay / 2)


def _make_schedule(recipe):
    rate, warmup = recipe.learning_rate, recipe.warmup_steps
    if recipe.schedule == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            0.0 if warmup else rate,
            max(recipe.steps - warmup, 1),
            warmup_target=rate if warmup else None,
            warmup_steps=warmup,
        )
    boundaries = [int(part * recipe.steps) for part in recipe.schedule]
    rates = [rate * 0.1**i for i in range(len(recipe.schedule) + 1)]
    if warmup:
        return WarmSteps(boundaries, rates, warmup)
    return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)


@keras.saving.register_keras_serializable("nonlocal_keras")
class WarmSteps(keras.optimizers.schedules.PiecewiseConstantDecay):
    """A rate that falls in steps, after a linear growth from zero.

    Args:
        boundaries: List of integers, the steps after which the rate falls.
        values: List of floats, the rates, one more than boundaries.
        warmup_steps: Integer, steps of the growth.
        name: String. Defaults to `"WarmSteps"`.
    """

    def __init__(self, boundaries, values, warmup_steps, name="WarmSteps"):
        super().__init__(boundaries, values, name)
        self.warmup_steps = warmup_steps

    def __call__(self, step):
        part = ops.cast(step, "float32") / self.warmup_steps
        return super().__call__(step) * ops.minimum(part, 1.0)

    def get_config(self):
        return {**super().get_config(), "warmup_steps": self.warmup_steps}

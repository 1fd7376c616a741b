"""Trained models in the zoo of the user, and the proof that they are there."""

import zoo


def for_use(model):
    """Returns a copy that is to be saved: nothing of the training is in it.

    Synchronized statistics are for training; other backends refuse them.

    Args:
        model: A model on a backbone of this package.
    """
    backbone = model.backbone
    config = {**backbone.get_config(), "synchronized": False}
    rest = {k: v for k, v in model.get_config().items() if k != "backbone"}
    copy = type(model)(type(backbone)(**config), **rest)
    copy.set_weights(model.get_weights())
    return copy


def register(model, fields, difference, tolerance):
    """Puts a model into the zoo of the user and loads it by name.

    Args:
        model: The trained model, as it is to be saved.
        fields: Dictionary of the fields of its record.
        difference: Function of the model that the zoo loads: how far its
            predictions are from those of the trained one, at most.
        tolerance: Float, how far they may be.

    Returns:
        The `zoo.Record` as written.

    Raises:
        RuntimeError: If the model that the zoo loads predicts otherwise.
    """
    record = zoo.register(model, fields)
    apart = float(difference(zoo.load(record.name)))
    # Written so that a NaN fails.
    if not apart <= tolerance:
        raise RuntimeError(
            f"The model loaded as {record.name!r} predicts differently: the "
            f"largest difference is {apart}"
        )
    return record

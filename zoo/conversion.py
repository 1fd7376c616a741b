"""From a published file to the model of its record."""

from zoo import tasks

# How weights begin and are trained, and how the same is computed, is no part
# of what a model computes.
_NOT_COMPARED = (
    "name",
    "dtype",
    "trainable",
    "momentum",
    "synchronized",
    "implementation",
    "batch_shape",
    "activity_regularizer",
    "kernel_initializer",
    "kernel_regularizer",
    "gamma_initializer",
)


def convert(record, file):
    """Converts a published file to the architecture of its record.

    Args:
        record: A `zoo.Record` with a `download`.
        file: Path of the file.

    Returns:
        A model of the task and a `nonlocal_keras.convert.Report`.

    Raises:
        ValueError: If the file is no checkpoint, or of another architecture.
    """
    from nonlocal_keras.convert import ConversionError
    from nonlocal_keras.layers import initialization

    read = getattr(tasks.find(record.task), "convert", _read)
    model, report = read(record, file)
    with initialization.no_random_weights():
        expected = tasks.build(record)
    difference = _find_difference(model, expected)
    if difference:
        raise ConversionError(
            f"{file} is not of the architecture of {record.name}: "
            f"{difference}. For a file of your own, use "
            "nonlocal_keras.convert.load_checkpoint."
        )
    return model, report


def _read(record, file):
    from nonlocal_keras import convert as conversion

    download = record.download
    return conversion.convert(
        file, download["converter"], **download["overrides"]
    )


def _find_difference(model, expected):
    """Says in what layer a model differs from another one, or `None`."""
    found, wanted = list(_layers(model)), list(_layers(expected))
    for (name, config), (other, other_config) in zip(found, wanted):
        if name != other:
            return f"it has the layer {name!r}, the record {other!r}"
        for key, value in config.items():
            if value != other_config.get(key):
                return (
                    f"{key!r} of the layer {name!r} is {value!r}, in the "
                    f"record {other_config.get(key)!r}"
                )
    if len(found) != len(wanted):
        return f"it has {len(found)} layers, the record {len(wanted)}"
    return None


def _layers(model):
    """Yields the name and what is computed of every layer, in all models."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
            continue
        config = {
            key: value
            for key, value in layer.get_config().items()
            if key not in _NOT_COMPARED
        }
        yield layer.name, config

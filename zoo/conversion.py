"""Models of records: without weights, or with those of a published file."""

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


def from_record(record):
    """Builds the architecture of a record with fresh weights.

    Args:
        record: A `zoo.Record` with an `architecture`.

    Returns:
        A `nonlocal_keras.models.VideoClassifier`.

    Raises:
        ValueError: If there is no such architecture.
    """
    from nonlocal_keras import models

    architecture = record.architecture
    options = {
        "input_shape": (None, None, None, 3),
        **architecture["options"],
    }
    try:
        backbone = models.from_name(
            architecture["model"], family=architecture["family"], **options
        )
        return models.VideoClassifier(
            backbone, len(record.labels), **architecture["head"]
        )
    # Records are JSON that anyone may write: an option may be of any kind.
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"`architecture` of the record {record.name!r} must be that of a "
            f"model: {error}"
        ) from error


def from_file(record, file):
    """Converts a published file to the architecture of its record.

    Args:
        record: A `zoo.Record` with a `download`.
        file: Path of the file.

    Returns:
        A `nonlocal_keras.models.VideoClassifier` and a
        `nonlocal_keras.convert.Report`.

    Raises:
        ValueError: If the file is no checkpoint, or of another architecture.
    """
    from nonlocal_keras import convert
    from nonlocal_keras.layers import initialization

    download = record.download
    model, report = convert.convert(
        file, download["converter"], **download["overrides"]
    )
    with initialization.no_random_weights():
        expected = from_record(record)
    difference = _difference(model, expected)
    if difference:
        raise convert.ConversionError(
            f"{file} is not of the architecture of {record.name}: "
            f"{difference}. For a file of your own, use "
            "nonlocal_keras.convert.load_checkpoint."
        )
    return model, report


def _difference(model, expected):
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
    """Yields the name and what is computed of every layer."""
    for part in (model.backbone, model):
        for layer in part.layers:
            if layer is model.backbone:
                continue
            config = {
                key: value
                for key, value in layer.get_config().items()
                if key not in _NOT_COMPARED
            }
            yield layer.name, config

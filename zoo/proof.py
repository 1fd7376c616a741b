"""Whether what was written of a model predicts what the model predicts."""

from zoo import tasks

TOLERANCE = 1e-5


def read(file):
    """Loads a `.keras` file.

    Args:
        file: `pathlib.Path`.
    """
    import keras

    # The import registers the classes of the file, too.
    from nonlocal_keras.layers import initialization

    with initialization.no_random_weights():
        return keras.saving.load_model(file, compile=False)


def prove(model, record, twin, saved_model):
    """Compares what was written with the model, on a small random input.

    Args:
        model: A model of the task.
        record: The `zoo.Record`.
        twin: `pathlib.Path` of its `.keras` file.
        saved_model: `pathlib.Path` of the graph of its SavedModel, which need
            not be there.

    Raises:
        RuntimeError: If a written file predicts otherwise than the model.
    """
    _refuse(twin, record, _tell(*difference(model, read(twin), record)))
    if saved_model.is_file():
        find_fault = getattr(tasks.find(record.task), "find_fault", _find_fault)
        fault = find_fault(model, record, saved_model.parent)
        _refuse(saved_model, record, fault)


def _refuse(file, record, fault):
    if fault is not None:
        raise RuntimeError(
            f"{file.name} of {record.name} predicts otherwise than the model "
            f"it was written from: {fault}. Nothing was kept. Please report "
            "this."
        )


def difference(model, other, record):
    """Compares two models on a small random input, output by output.

    Args:
        model: A model of the task.
        other: One that should predict the same.
        record: The `zoo.Record`.

    Returns:
        Tuple of the name of the output that differs most, and of the largest
        difference as a part of its largest number, which may be a NaN.
    """
    task = tasks.find(record.task)
    inputs = task.draw_inputs(model, record)
    expected, found = (
        as_arrays(task.run(each, inputs)) for each in (model, other)
    )
    return _most(expected, found)


def _find_fault(model, record, folder):
    """Says how a SavedModel differs from its model, or `None`."""
    task = tasks.find(record.task)
    inputs = task.draw_inputs(model, record)
    expected = as_arrays(task.run(model, inputs))
    return _tell(*_most(expected, _serve(folder, inputs)))


def _most(expected, found):
    import numpy as np

    parts = {
        name: np.abs(found[name] - wanted).max()
        / max(np.abs(wanted).max(), 1e-6)
        for name, wanted in expected.items()
    }
    # A NaN counts as the largest.
    most = list(parts)[np.argmax(list(parts.values()))]
    return most, float(parts[most])


def _tell(output, part):
    # Written so that a NaN fails.
    if part < TOLERANCE:
        return None
    return f"the {output} differ by {part:.1e} of the largest"


def _serve(folder, inputs):
    import tensorflow as tf

    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    tensors = {name: tf.constant(array) for name, array in inputs.items()}
    return {name: array.numpy() for name, array in served(**tensors).items()}


def as_arrays(outputs):
    """Returns tensors by name as arrays by name."""
    import keras

    return {
        name: keras.ops.convert_to_numpy(tensor)
        for name, tensor in outputs.items()
    }

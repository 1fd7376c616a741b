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
    import numpy as np

    task = tasks.find(record.task)
    inputs = task.draw_inputs(model, record)
    expected = as_arrays(task.run(model, inputs))
    found = {twin.name: as_arrays(task.run(read(twin), inputs))}
    if saved_model.is_file():
        found[saved_model.name] = _serve(saved_model.parent, inputs)
    for name, outputs in found.items():
        for output, wanted in expected.items():
            size = max(np.abs(wanted).max(), 1e-6)
            error = np.abs(outputs[output] - wanted).max() / size
            # Written so that a NaN fails.
            if not error < TOLERANCE:
                raise RuntimeError(
                    f"{name} of {record.name} predicts otherwise than the "
                    f"model it was written from: the {output} differ by "
                    f"{error:.1e} of the largest. Nothing was kept. Please "
                    "report this."
                )


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

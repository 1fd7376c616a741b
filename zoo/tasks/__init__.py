"""What the zoo knows of one kind of models: a module for each task.

The field `task` of a record is the name of a module in this folder, which
has these functions. All else in the zoo is the same for every task.

rules(record) yields rules (`zoo.checks`) of the fields that are its own:
    `input`, `views`, `metrics` and, unless it is `None`, `architecture`.
build(record) returns the model of `architecture`, with fresh weights; called
    by `build` below.
convert(record, file) returns the model in a published file, and the report.
    It may be missing: then `nonlocal_keras.convert` reads the files.
equip(model, record) gives a model what its user needs of the record, and
    returns it.
choose_head(model, record, num_classes, include_top) returns the model that
    `zoo.load` is asked for.
write_saved_model(model, record, folder) writes `folder/VERSION`, and returns
    its path.
draw_inputs(model, record) returns arrays by name.
run(model, inputs) returns by name what a model of the same weights must give
    for them.
find_fault(model, record, folder) says how a SavedModel differs from its model,
    or returns `None`. It may be missing: then `serving_default` takes what
    `draw_inputs` draws, and must give what `run` gives.
input_shape(record) returns the shape of one input, for its cost, or a
    dictionary of shapes by the names of inputs.
tell_fields(record) and tell_accuracy(record) return rows of the model card,
    as a dictionary, and a sentence of it.
short_input(record) and short_accuracy(record) return columns of a list.

Records are read before any model is needed, so no module imports Keras or
`nonlocal_keras` at its top.
"""

import importlib
import pkgutil


def names():
    """Returns the names of all tasks."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(name):
    """Returns the module of a task.

    Args:
        name: String, one of `names()`, as the rules of a record see to.
    """
    return importlib.import_module(f"{__name__}.{name}")


def build(record):
    """Builds the architecture of a record with fresh weights.

    Args:
        record: A `zoo.Record`.

    Returns:
        A model of its task.

    Raises:
        ValueError: If there is no such architecture.
    """
    try:
        return find(record.task).build(record)
    # Records are JSON that anyone may write: an option may be of any kind.
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(
            f"`architecture` of the record {record.name!r} must be that of a "
            f"model: {error}"
        ) from error

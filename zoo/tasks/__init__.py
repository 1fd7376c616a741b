"""What the zoo knows of one kind of models: a module for each task.

The field `task` of a record is the name of a module in this folder, which
has these functions. All else in the zoo is the same for every task.

rules(record) yields rules (`zoo.checks`) of the fields that are its own:
    `input`, `views`, `metrics` and, unless it is `None`, `architecture`.
build(record) returns the model of `architecture`, with fresh weights.
convert(record, file) returns the model in a published file, and the report.
equip(model, record) gives a model what its user needs of the record, and
    returns it.
choose_head(model, record, num_classes, include_top) returns the model that
    `zoo.load` is asked for.
write_saved_model(model, record, folder) writes `folder/VERSION`, and returns
    its path. A task without this function has artifacts without a SavedModel.
draw_inputs(model, record) returns arrays by name, of the signature where there
    is one.
run(model, inputs) returns what a model or the signature must give for them,
    by name.
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

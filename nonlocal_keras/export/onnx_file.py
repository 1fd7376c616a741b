"""ONNX files: what is in one, what is told in it, what runs it."""

import json

from nonlocal_keras import optional
from nonlocal_keras.export.parity import ExportError

# What current runtimes read; ONNX Runtime since 1.14.
OPSET = 18


def libraries():
    """Returns the modules `onnx` and `tf2onnx`, if all that is needed is."""
    names = ("tensorflow", "onnx", "tf2onnx", "onnxruntime")
    _, onnx, tf2onnx, _ = (optional.load(name, "`to_onnx`") for name in names)
    return onnx, tf2onnx


def load(path, threads=None):
    """Loads a file into ONNX Runtime, see `runner`.

    Returns:
        An `onnxruntime.InferenceSession`.
    """
    onnxruntime = optional.load("onnxruntime", "An ONNX file")
    options = onnxruntime.SessionOptions()
    if threads is not None:
        options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"]
    )


def count_operators(graph):
    """Counts the operators; those that ONNX does not define are refused."""
    found, foreign = {}, []
    for node in graph.graph.node:
        found[node.op_type] = found.get(node.op_type, 0) + 1
        if node.domain:
            foreign.append(f"{node.op_type} at {node.name}")
    if foreign:
        raise ExportError(
            "The model must consist of operators that ONNX defines. Received: "
            + ", ".join(foreign)
        )
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def add_metadata(onnx, graph, told):
    """Writes what is told of a model, as JSON, but for what is `None`."""
    onnx.helper.set_model_props(
        graph,
        {
            name: json.dumps(value)
            for name, value in told.items()
            if value is not None
        },
    )

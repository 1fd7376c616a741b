"""What `benchmarks.export` compares; shared by the driver and its worker."""

# Models of `benchmarks.export.weights`, by architecture.
MODELS = {"nl_c2d": "c2d", "nl_i3d": "i3d"}
# Keras models in a graph, with which all ways are compared: as they are, and
# made for inference.
COMPARED = ("keras", "optimized")
GRAPHS = (*COMPARED, "bfloat16")
TARGETS = ("serving", "onnx", "litert", "float16", "dynamic", "int8")
WAYS = (*GRAPHS, *TARGETS)


def ways(asked):
    """Returns the ways asked for, and what they are compared with, in order."""
    return [way for way in WAYS if way in {*COMPARED, *asked}]

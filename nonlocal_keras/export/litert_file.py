"""LiteRT files: how a function becomes one, what is in it, what runs it."""

import tempfile

from nonlocal_keras import optional
from nonlocal_keras.export import saved_model
from nonlocal_keras.export.parity import ExportError

# In 8 bits the products of all pairs are slow: LiteRT has no fast kernel. Means
# and the dense layer before the logits cost nothing, and would cut off logits
# that are larger than those of the clips that ranges are measured on.
KEPT_IN_FLOAT = ["BATCH_MATMUL", "SOFTMAX", "MEAN"]


def part(module):
    """Imports a part of the runtime by its name."""
    return optional.load(f"ai_edge_litert.{module}", "`to_litert`")


def convert(model, function, quantization=None, representative=None):
    """Converts a function with one signature.

    Args:
        model: A `keras.Model`, whose weights the function uses.
        function: A `tf.function` with an input signature.
        quantization: As for `to_litert`.
        representative: As for `to_litert`.

    Returns:
        Bytes of the file.
    """
    import tensorflow as tf

    module = tf.Module()
    # What the function uses; keras.export looks for it in every attribute of
    # every layer, which takes longer than the rest.
    module.weights = [weight.value for weight in model.variables]
    module.call = function
    with tempfile.TemporaryDirectory() as folder:
        # The way through a SavedModel turns variables into constants.
        with saved_model.writing():
            tf.saved_model.save(module, folder, module.call)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if quantization is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantization == "float16":
            converter.target_spec.supported_types = [tf.float16]
        try:
            if quantization == "int8":
                return _with_ranges(converter, representative)
            return converter.convert()
        except Exception as error:
            # The converter has exceptions of several kinds, private ones too.
            raise ExportError(
                "Every layer must have a form of builtin operators. The "
                f"converter says: {error}"
            ) from error


def _with_ranges(converter, clips):
    """Converts with ranges of activations, and attention in float32."""
    import tensorflow as tf

    converter.representative_dataset = lambda: (
        {"clip": clip[None]} for clip in clips
    )
    options = tf.lite.experimental.QuantizationDebugOptions(
        denylisted_ops=KEPT_IN_FLOAT
    )
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter,
        debug_dataset=converter.representative_dataset,
        debug_options=options,
    )
    options.denylisted_nodes = [_last_dense(debugger.calibrated_model)]
    return debugger.get_nondebug_quantized_model()


def _last_dense(content):
    """Returns the name of what the last dense layer of a file gives."""
    schema = part("schema_py_generated")

    graph = schema.Model.GetRootAs(content, 0)
    dense = [
        graph.OperatorCodes(i).BuiltinCode()
        == schema.BuiltinOperator.FULLY_CONNECTED
        for i in range(graph.OperatorCodesLength())
    ]
    subgraph = graph.Subgraphs(0)
    for i in reversed(range(subgraph.OperatorsLength())):
        operator = subgraph.Operators(i)
        if dense[operator.OpcodeIndex()]:
            return subgraph.Tensors(operator.Outputs(0)).Name().decode()
    raise ValueError("The graph must have a dense layer before its logits.")


def load(path, threads=None):
    """Loads a file into the LiteRT runtime, see `runner`.

    Returns:
        The `SignatureRunner` of its only signature.
    """
    interpreter = part("interpreter").Interpreter(
        str(path), num_threads=threads
    )
    try:
        interpreter.allocate_tensors()
    except RuntimeError as error:
        raise ExportError(
            f"The LiteRT runtime must be able to run the file. {error}"
        ) from error
    return interpreter.get_signature_runner()


def count_operators(content):
    """Counts the operators of a file, which must all be builtin.

    Args:
        content: Bytes of the file.

    Returns:
        Dictionary from names to numbers, the most frequent first.

    Raises:
        ExportError: If there is a custom operator, such as those of Flex.
    """
    schema = part("schema_py_generated")

    names = {
        value: name
        for name, value in vars(schema.BuiltinOperator).items()
        if isinstance(value, int)
    }
    graph, found, custom = schema.Model.GetRootAs(content, 0), {}, set()
    codes = [graph.OperatorCodes(i) for i in range(graph.OperatorCodesLength())]
    for i in range(graph.SubgraphsLength()):
        subgraph = graph.Subgraphs(i)
        for j in range(subgraph.OperatorsLength()):
            code = codes[subgraph.Operators(j).OpcodeIndex()]
            if code.CustomCode():
                custom.add(code.CustomCode().decode())
            name = names[code.BuiltinCode()]
            found[name] = found.get(name, 0) + 1
    if custom:
        raise ExportError(
            "The file must have builtin operators only, since runtimes have "
            f"no others. Received: {sorted(custom)}"
        )
    return dict(sorted(found.items(), key=lambda item: -item[1]))

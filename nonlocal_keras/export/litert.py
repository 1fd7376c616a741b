"""Writes a model for LiteRT, with builtin operators only."""

import pathlib
import tempfile

import numpy as np

from nonlocal_keras import optional
from nonlocal_keras.export import clip_shape
from nonlocal_keras.export import deployment
from nonlocal_keras.export import labels as class_names
from nonlocal_keras.export import parity as comparison
from nonlocal_keras.export import saved_model

# The most that logits may differ, as a part of the largest one.
TOLERANCES = {None: 1e-4, "float16": 1e-2, "dynamic": 0.1, "int8": 0.25}
CLIPS = 4
# Ranges of activations are taken from so many clips, of other seeds than
# those of the comparison.
REPRESENTATIVE, FIRST_SEED = 64, 1_000_000
# In 8 bits the products of all pairs are slow: LiteRT has no fast kernel. Means
# and the dense layer before the logits cost nothing, and would cut off logits
# that are larger than those of the clips that ranges are measured on.
KEPT_IN_FLOAT = ["BATCH_MATMUL", "SOFTMAX", "MEAN"]


def to_litert(
    model,
    path,
    quantization=None,
    representative=None,
    clips=None,
    shape=None,
    tolerance=None,
):
    """Writes a classifier as one LiteRT file, and compares the two.

    The file takes `clip`, one float32 clip as the model takes it, and gives
    `logits` and `probabilities`. It has builtin operators only, so that every
    runtime runs it. Class names go to a text file beside it, one per line.

    Example:

    >>> model = zoo.load("nl_c2d_tiny_longrange")
    >>> exported = nonlocal_keras.export.to_litert(
    ...     model, "nl_c2d_tiny.tflite", "dynamic"
    ... )
    >>> exported.size < 600_000, exported.parity.agreement
    (True, 1.0)

    Args:
        model: A `nonlocal_keras.models.VideoClassifier` on a `VideoResNet`.
        path: String or path of the file. One that is there is replaced when
            the new one has passed.
        quantization: String: `"float16"` for weights of 16 bits, half the
            size; `"dynamic"` for weights of 8 bits, a quarter of the size,
            and activations that are rounded as they come; `"int8"` for
            activations of ranges that are measured before. The products of
            all pairs of positions, their softmax and the dense layer of the
            logits stay in float32. Defaults to `None`, for float32.
        representative: float32 array `(clips, frames, height, width, 3)`, the
            clips that `"int8"` measures ranges on, normalized as the model
            takes them. Defaults to `None`, for 64 drawn ones.
        clips: As `representative`, clips for the comparison. Defaults to
            `None`, for 4 drawn ones, see
            `nonlocal_keras.export.sample_clips`.
        shape: Tuple `(frames, height, width)` where the model leaves one
            free. Defaults to `None`, for the shape of `clips`, or that of the
            model's `preprocessing`.
        tolerance: Float, the most that logits may differ, as a part of the
            largest one. Defaults to `None`, for 1e-4, and 0.01, 0.1 and 0.25
            for float16, dynamic and int8.

    Returns:
        An `ExportedFile` with `path`, `size`, `operators` and `parity`.

    Raises:
        ExportError: If an operator of the model has no builtin form, the
            runtime cannot run the file, or it predicts otherwise than the
            model. No file is left.
        ValueError: If the model is of another kind, `quantization` is
            unknown, or a size of the clip is unknown or too small.
        OSError: If the file cannot be written. Nothing is left.
        ImportError: If TensorFlow or `ai_edge_litert` is not installed.
    """
    if quantization not in TOLERANCES:
        raise ValueError(
            f"`quantization` must be one of {tuple(TOLERANCES)}. "
            f"Received: quantization={quantization!r}"
        )
    if representative is not None and quantization != "int8":
        raise ValueError(
            "`representative` clips are for quantization='int8' alone. "
            f"Received: quantization={quantization!r}"
        )
    optional.load("tensorflow", "`to_litert`")
    _part("interpreter")
    if tolerance is None:
        tolerance = TOLERANCES[quantization]
    comparison.check_tolerance(tolerance)
    for name, given in (("clips", clips), ("representative", representative)):
        clip_shape.check_clips(model, given, name)
    floats = quantization in (None, "float16")
    fast = deployment.prepare(model, "taps" if floats else "2d")
    beside = _labels_beside(model, path)
    shape = clip_shape.choose_shape(model, clips, shape)
    if clips is None:
        clips = comparison.sample_clips(model, CLIPS, shape=shape)
    if quantization == "int8" and representative is None:
        representative = comparison.sample_clips(
            model, REPRESENTATIVE, FIRST_SEED, shape
        )
    expected = model.logits.predict(clips, batch_size=1, verbose=0)
    content = _convert(fast, shape, quantization, representative)
    return deployment.write_compared(
        path,
        content,
        count_operators(content),
        runner,
        expected,
        clips,
        tolerance,
        beside,
    )


def runner(path, threads=None):
    """Loads a file into the LiteRT runtime.

    Example:

    >>> run = nonlocal_keras.export.litert.runner(
    ...     "nl_c2d_tiny.tflite", threads=2
    ... )
    >>> run(np.zeros((1, 4, 32, 32, 3), "float32")).shape
    (1, 2)

    Args:
        path: String or path.
        threads: Integer. Defaults to `None`, for what LiteRT chooses.

    Returns:
        Function from a clip, float32 `(1, frames, height, width, 3)`, to
        logits `(1, classes)`. Clips of another shape are a `ValueError`.

    Raises:
        ExportError: If the runtime cannot run the file.
    """
    interpreter = _part("interpreter").Interpreter(
        str(path), num_threads=threads
    )
    try:
        interpreter.allocate_tensors()
    except RuntimeError as error:
        raise comparison.ExportError(
            f"The LiteRT runtime must be able to run the file. {error}"
        ) from error
    run = interpreter.get_signature_runner()
    shape = tuple(run.get_input_details()["clip"]["shape"].tolist())

    def logits(clip):
        # The runtime would resize its graph, and may answer anything.
        if np.shape(clip) != shape:
            raise ValueError(
                f"`clip` must be of the shape {shape}, which is that of the "
                f"file. Received: the shape {np.shape(clip)}"
            )
        return run(clip=np.asarray(clip, "float32"))["logits"]

    return logits


def count_operators(content):
    """Counts the operators of a file, which must all be builtin.

    Args:
        content: Bytes of the file.

    Returns:
        Dictionary from names to numbers, the most frequent first.

    Raises:
        ExportError: If there is a custom operator, such as those of Flex.
    """
    schema = _part("schema_py_generated")

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
        raise comparison.ExportError(
            "The file must have builtin operators only, since runtimes have "
            f"no others. Received: {sorted(custom)}"
        )
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _labels_beside(model, path):
    """Returns the file of class names, which clients read with the model."""
    deployment.check_file(path)
    names = pathlib.Path(path).with_suffix(".labels.txt")
    if model.labels is not None:
        deployment.check_file(names)
        labels = class_names.check(model.labels, model.num_classes)
        return [(names, "\n".join(labels) + "\n")]
    if names.exists():
        raise comparison.ExportError(
            "`model.labels` must be set, or the class names of another model "
            f"would lie beside this one. Set them, give --labels, or remove "
            f"{names}. Received: a model with labels=None"
        )
    return []


def _part(module):
    return optional.load(f"ai_edge_litert.{module}", "`to_litert`")


def _convert(model, shape, quantization, representative):
    import tensorflow as tf

    clip = tf.TensorSpec((1, *shape, 3), tf.float32, name="clip")
    module = tf.Module()
    # What the function uses; keras.export looks for it in every attribute of
    # every layer, which takes longer than the rest.
    module.weights = [weight.value for weight in model.variables]
    module.call = deployment.make_function(model, clip)
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
            raise comparison.ExportError(
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
    schema = _part("schema_py_generated")

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

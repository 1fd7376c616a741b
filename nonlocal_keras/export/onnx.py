"""Writes a model for ONNX runtimes."""

import numpy as np

from nonlocal_keras.export import clip_shape
from nonlocal_keras.export import deployment
from nonlocal_keras.export import detector_files
from nonlocal_keras.export import detectors
from nonlocal_keras.export import labels as class_names
from nonlocal_keras.export import onnx_file
from nonlocal_keras.export import parity as comparison

TOLERANCE = 1e-4
CLIPS = 4
AXES = ("batch", "frames", "height", "width", "channels")


def to_onnx(model, path, clips=None, tolerance=None, images=None):
    """Writes a classifier or detector as one ONNX file, and compares the two.

    The file of a classifier takes `clip`, float32 clips as the model takes
    them, and gives `logits` and `probabilities`. The batch is free, and so are
    frames and size where they are free in the model. Normalizations are folded
    into kernels, and non-local blocks build their matrix. Class names and
    preprocessing stand in the metadata of the file, as JSON.

    That of a detector takes `images`, uint8 `(batch, height, width, 3)` of any
    size, and gives what `nonlocal_keras.export.load_detector` returns, but for
    masks of the size of the image.

    Example:

    >>> model = zoo.load("nl_c2d_tiny_longrange")
    >>> exported = nonlocal_keras.export.to_onnx(model, "nl_c2d_tiny.onnx")
    >>> print(exported.parity)
    parity: 4 clips, ... same best class in 100.0%

    Args:
        model: A `nonlocal_keras.models.VideoClassifier` on a `VideoResNet`,
            or a `nonlocal_keras.models.MaskRCNN`.
        path: String or path of the file. One that is there is replaced when
            the new one has passed.
        clips: float32 array `(clips, frames, height, width, 3)` for the
            comparison, normalized as the model takes them. Defaults to
            `None`, for 4 drawn ones, see
            `nonlocal_keras.export.sample_clips`.
        tolerance: Float, the most that logits may differ, as a part of the
            largest one; of a detector the most that a probability may.
            Defaults to `None`, for 1e-4, of a detector 1e-3.
        images: List of uint8 arrays `(height, width, 3)`, for the comparison
            of a detector. Defaults to `None`, for images that are drawn.

    Returns:
        An `ExportedFile` with `path`, `size`, `operators` and `parity`.

    Raises:
        ExportError: If the file predicts otherwise than the model, or has an
            operator that ONNX does not define. No file is left.
        ValueError: If the model is of another kind.
        OSError: If the file cannot be written. Nothing is left.
        ImportError: If TensorFlow, `onnx`, `tf2onnx` or `onnxruntime` is not
            installed.
    """
    onnx, tf2onnx = onnx_file.libraries()
    if detectors.is_detector(model, clips, images):
        return detector_files.to_onnx(model, path, images, tolerance)
    tolerance = TOLERANCE if tolerance is None else tolerance
    comparison.check_tolerance(tolerance)
    clip_shape.check_clips(model, clips)
    deployment.check_file(path)
    # Axes that are folded into each other lose their sizes in the conversion
    # where those are unknown; ONNX has the operations in 3D, as fast.
    fast = deployment.prepare(model, "3d")
    if model.labels is not None:
        class_names.check(model.labels, model.num_classes)
    if clips is None:
        clips = comparison.sample_clips(model, CLIPS)
    expected = model.logits.predict(clips, batch_size=1, verbose=0)
    graph = _convert(tf2onnx, fast)
    operators = onnx_file.count_operators(graph)
    _name_axes(graph, model)
    told = {"labels": model.labels, "preprocessing": model.preprocessing}
    onnx_file.add_metadata(onnx, graph, told)
    return deployment.write_compared(
        path,
        graph.SerializeToString(),
        operators,
        lambda file: comparison.compare(
            expected, runner(file), clips, tolerance
        ),
    )


def runner(path, threads=None):
    """Loads a file into ONNX Runtime.

    Example:

    >>> run = nonlocal_keras.export.onnx.runner("nl_c2d_tiny.onnx", threads=2)
    >>> run(np.zeros((3, 4, 32, 32, 3), "float32")).shape
    (3, 2)

    Args:
        path: String or path.
        threads: Integer. Defaults to `None`, for what ONNX Runtime chooses.

    Returns:
        Function from clips, float32 `(batch, frames, height, width, 3)`, to
        logits `(batch, classes)`.

    Raises:
        ImportError: If `onnxruntime` is not installed.
    """
    session = onnx_file.load(path, threads)

    def run(clips):
        (logits,) = session.run(["logits"], {"clip": np.asarray(clips)})
        return logits

    return run


def _convert(tf2onnx, model):
    import tensorflow as tf

    clip = tf.TensorSpec(
        (None, *model.input_shape[1:]), tf.float32, name="clip"
    )
    function = deployment.make_function(model, clip)
    graph, _ = tf2onnx.convert.from_function(
        function, input_signature=[clip], opset=onnx_file.OPSET
    )
    return graph


def _name_axes(graph, model):
    """Names the free axes, which the converter numbers."""
    (clip,) = graph.graph.input
    for value in (clip, *graph.graph.output):
        for name, axis in zip(AXES, value.type.tensor_type.shape.dim):
            if not axis.HasField("dim_value"):
                axis.dim_param = name

"""Writes a model for LiteRT, with builtin operators only."""

import pathlib

import numpy as np

from nonlocal_keras import optional
from nonlocal_keras.export import clip_shape
from nonlocal_keras.export import deployment
from nonlocal_keras.export import detector_files
from nonlocal_keras.export import detectors
from nonlocal_keras.export import labels as class_names
from nonlocal_keras.export import litert_file
from nonlocal_keras.export import parity as comparison

# The most that logits may differ, as a part of the largest one.
TOLERANCES = {None: 1e-4, "float16": 1e-2, "dynamic": 0.1, "int8": 0.25}
CLIPS = 4
# Ranges of activations are taken from so many clips, of other seeds than
# those of the comparison.
REPRESENTATIVE, FIRST_SEED = 64, 1_000_000


def to_litert(
    model,
    path,
    quantization=None,
    representative=None,
    clips=None,
    shape=None,
    tolerance=None,
    images=None,
):
    """Writes a classifier or detector as one LiteRT file, and compares them.

    It has builtin operators only, so that every runtime runs it. Class names go
    to a text file beside it, one per line. That of a classifier takes `clip`,
    one float32 clip as the model takes it, and gives `logits` and
    `probabilities`.

    That of a detector takes `images`, one uint8 image `(1, height, width, 3)`,
    and gives what `nonlocal_keras.export.load_detector` returns, but for masks
    of the size of the image. It is in float32.

    Example:

    >>> model = zoo.load("nl_c2d_tiny_longrange")
    >>> exported = nonlocal_keras.export.to_litert(
    ...     model, "nl_c2d_tiny.tflite", "dynamic"
    ... )
    >>> exported.size < 600_000, exported.parity.agreement
    (True, 1.0)

    Args:
        model: A `nonlocal_keras.models.VideoClassifier` on a `VideoResNet`,
            or a `nonlocal_keras.models.MaskRCNN`.
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
            model's `preprocessing`. For a detector `(height, width)`, by
            default those of `images`.
        tolerance: Float, the most that logits may differ, as a part of the
            largest one. Defaults to `None`, for 1e-4, and 0.01, 0.1 and 0.25
            for float16, dynamic and int8; for a detector 1e-3, the most that
            a probability may differ.
        images: List of uint8 arrays `(height, width, 3)`, for the comparison
            of a detector. Defaults to `None`, for images that are drawn.

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
    litert_file.part("interpreter")
    if detectors.is_detector(model, clips, images, quantization=quantization):
        return detector_files.to_litert(model, path, images, shape, tolerance)
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
        litert_file.count_operators(content),
        lambda file: comparison.compare(
            expected, runner(file), clips, tolerance
        ),
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
    run = litert_file.load(path, threads)
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


def _convert(model, shape, quantization, representative):
    import tensorflow as tf

    clip = tf.TensorSpec((1, *shape, 3), tf.float32, name="clip")
    function = deployment.make_function(model, clip)
    return litert_file.convert(model, function, quantization, representative)

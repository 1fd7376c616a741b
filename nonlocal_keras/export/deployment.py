"""What files for other runtimes have in common: their graph and their proof."""

import contextlib
import dataclasses
import os
import pathlib

import keras

from nonlocal_keras import partial
from nonlocal_keras.export import parity as comparison
from nonlocal_keras.layers import NonLocal3D
from nonlocal_keras.layers.video_conv import VideoConv3D
from nonlocal_keras.layers.video_conv import VideoMaxPool3D
from nonlocal_keras.models.video.optimize import optimize_for_inference


@dataclasses.dataclass(frozen=True)
class ExportedFile:
    """A file that was compared with its model.

    Attributes:
        path: String.
        size: Integer, bytes.
        operators: Dictionary from the name of an operator to how often the
            graph has it.
        parity: What was found, a `nonlocal_keras.export.parity.Parity` or
            that of detectors, `export.detector_parity.DetectionParity`.
    """

    path: str
    size: int
    operators: dict
    parity: object

    def __str__(self):
        kinds = ", ".join(f"{n} {name}" for name, n in self.operators.items())
        return f"{self.path}: {self.size / 1e6:.1f} MB, {kinds}\n{self.parity}"


def prepare(model, convolutions):
    """Returns a copy of a model in the form that converts.

    Args:
        model: A `nonlocal_keras.models.VideoClassifier` on a `VideoResNet`.
        convolutions: String, `"2d"`, `"taps"` or `"3d"`: which form of
            `VideoConv3D` the runtime has and is fast at.

    Returns:
        A model of the same kind, in float32.

    Raises:
        ValueError: If the model is of another kind, or the backend is not
            TensorFlow, whose graphs are converted.
    """
    check_backend()
    fast = optimize_for_inference(model, dtype="float32")
    for layer in fast.backbone.layers:
        if isinstance(layer, VideoConv3D):
            layer.implementation = convolutions
        elif isinstance(layer, VideoMaxPool3D):
            layer.implementation = "3d" if convolutions == "3d" else "2d"
        elif isinstance(layer, NonLocal3D):
            # Other runtimes loop over tiles slowly, and do not search.
            layer.implementation = "matrix"
    return fast


def check_backend():
    """Raises `ValueError` on a backend whose graphs are not converted."""
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "The file is made from the graph of TensorFlow. Set "
            "KERAS_BACKEND=tensorflow and load the model again. Received: "
            f"the backend {keras.backend.backend()!r}"
        )


def make_function(model, clip):
    """Returns a model as a function from `clip` to a dictionary of outputs.

    Args:
        model: A `nonlocal_keras.models.VideoClassifier`.
        clip: `tf.TensorSpec` of the clips.

    Returns:
        `tf.function` that gives `logits` and `probabilities`.
    """
    import tensorflow as tf

    outputs = {
        "logits": model.logits.outputs[0],
        "probabilities": model.outputs[0],
    }
    both = keras.Model(model.inputs, outputs)
    return tf.function(
        lambda clip: both(clip, training=False),
        input_signature=[clip],
        autograph=False,
    )


def check_file(path):
    """Raises `ExportError` or `OSError` for a path that can be no file.

    It is seen before the minutes that a conversion takes.
    """
    path = pathlib.Path(path)
    # A name that is too long, or a folder that may not be entered.
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.lstat(path)
    if os.path.isdir(path):
        raise comparison.ExportError(
            f"`path` must be that of a file. Received: {path}, a folder"
        )
    parent = next((p for p in path.parents if os.path.lexists(p)), None)
    if parent is not None and not os.path.isdir(parent):
        raise comparison.ExportError(
            f"`path` must lie in a folder. Received: {path}, and {parent} is "
            "no folder"
        )


def write_compared(path, content, operators, compare, beside=()):
    """Writes a file that has its name only if it predicts the same.

    Args:
        path: String or path. A file that is there is replaced at the end.
        content: Bytes.
        operators: Dictionary, see `ExportedFile`.
        compare: Function from the path of the file to what its comparison
            gave. It raises `ExportError` if that is not the same.
        beside: Pairs of a path in the same folder and the text of a file that
            belongs to it. Defaults to `()`.

    Returns:
        An `ExportedFile`.

    Raises:
        ExportError: If the file predicts otherwise. Nothing is left.
        OSError: If it cannot be written. Nothing is left.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with partial.folder(path.parent) as folder:
        for target, text in beside:
            (folder / target.name).write_text(text, encoding="utf-8")
        written = folder / path.name
        written.write_bytes(content)
        parity = compare(written)
        # All of them are on the disk, so that moving them is quick.
        for target in (*(target for target, _ in beside), path):
            os.replace(folder / target.name, target)
    return ExportedFile(str(path), len(content), operators, parity)

"""Writes a SavedModel into a version folder: whole, or not at all."""

import contextlib
import os
import pathlib
import re
import traceback

import keras

from nonlocal_keras import optional
from nonlocal_keras import partial
from nonlocal_keras.export import detector_signatures
from nonlocal_keras.export import detectors
from nonlocal_keras.export import labels as class_names
from nonlocal_keras.export import signatures as serving_signatures
from nonlocal_keras.export.parity import ExportError
from nonlocal_keras.models import MaskRCNN

LABELS = "assets/labels.txt"
# Serving reads versions into 64 bits.
LAST_VERSION = 2**63 - 1
# Bytes, of a name in a file system.
LONGEST_NAME = 255


def to_saved_model(model, directory, labels, version=1):
    """Exports a classifier or detector as a versioned SavedModel.

    That of a classifier has one signature: `serving_default` takes `clip`,
    float32 clips as the model takes them, in batches of any size, and gives
    `logits` and `probabilities`. That of a detector has both of its
    signatures, for images as they are. The class names lie in
    `assets/labels.txt`. For more signatures, a card and a comparison, see
    `to_serving`.

    Example:

    >>> model = zoo.load("nl_c2d_tiny_longrange")
    >>> path = nonlocal_keras.export.to_saved_model(
    ...     model, "serving/nl_c2d", labels=["different", "same"]
    ... )
    >>> served = tf.saved_model.load(path).signatures["serving_default"]

    Args:
        model: A `nonlocal_keras.models.VideoClassifier` or `MaskRCNN`.
        directory: String or path; the model goes to `directory/version`.
        labels: Sequence of class names, in the order of the outputs; of a
            detector the background first.
        version: Integer from 1 to 2**63 - 1. Defaults to `1`.

    Returns:
        String, the path of the version.

    Raises:
        ValueError: If there are more or fewer labels than classes, two of a
            classifier are the same, or the version exists.
        OSError: If the folder cannot be written. Nothing is left.
        ImportError: If TensorFlow is not installed.
    """
    optional.load("tensorflow", "`to_saved_model`")
    with new_version(directory, version) as folder:
        if isinstance(model, MaskRCNN):
            write_detector(
                model, folder, labels, detector_signatures.SIGNATURES
            )
        else:
            write(model, folder, labels, ("serving_default",))
    return str(pathlib.Path(directory) / str(version))


def write(model, folder, labels, signatures):
    """Writes the SavedModel and its labels into a folder that exists.

    Args:
        model: A `nonlocal_keras.models.VideoClassifier`.
        folder: `pathlib.Path`.
        labels: Sequence of class names.
        signatures: Sequence of names of `export.signatures`.
    """
    labels = class_names.check(labels, model.num_classes)
    write_functions(
        model,
        folder,
        labels,
        lambda: serving_signatures.make(model, labels, signatures),
    )


def write_detector(model, folder, labels, signatures):
    """Writes the SavedModel and the labels of a detector.

    Args:
        model: A `nonlocal_keras.models.MaskRCNN`.
        folder: `pathlib.Path`.
        labels: Sequence of class names, the background first.
        signatures: Sequence of names of `export.detector_signatures`.
    """
    labels = detectors.check_labels(model, labels)
    write_functions(
        model,
        folder,
        labels,
        lambda: detector_signatures.make(model, labels, signatures),
    )


def write_functions(model, folder, labels, make):
    """Writes a SavedModel of some functions, and its labels.

    Args:
        model: A `keras.Model`, whose weights the functions use.
        folder: `pathlib.Path`.
        labels: Sequence of class names.
        make: Function that returns a dictionary of name to concrete function.
    """
    if keras.backend.backend() != "tensorflow":
        raise ExportError(
            "A SavedModel is written by the TensorFlow backend. Set "
            "KERAS_BACKEND=tensorflow; a .keras file of any backend loads "
            f"there. Received: the backend {keras.backend.backend()!r}"
        )
    import tensorflow as tf

    module = tf.Module()
    # What the functions use; keras.export writes every weight twice.
    module.weights = [weight.value for weight in model.variables]
    try:
        made = make()
    except ExportError:
        raise
    except Exception as error:
        layer = _failing_layer(error)
        if layer is None:
            raise
        raise ExportError(
            f"The layer {layer.name!r} ({type(layer).__name__}) must be "
            "computed by TensorFlow operations alone to become a part of a "
            f"graph. Received from it: {error}"
        ) from error
    with writing():
        tf.saved_model.save(module, str(folder), made)
    file = folder / LABELS
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(labels) + "\n", encoding="utf-8")


@contextlib.contextmanager
def writing():
    """Turns what TensorFlow raises of files into an `OSError`."""
    import tensorflow as tf

    try:
        yield
    except tf.errors.OpError as error:
        # Without the names of its own parts.
        reason = re.sub(r"^\{\{.*?\}\} |\s*\[Op:\w+\]$", "", error.message)
        raise OSError(reason) from error


@contextlib.contextmanager
def new_version(directory, version):
    """Makes a folder that becomes `directory/version` if all goes well.

    It is renamed when whole: Serving watches the folder for numbers, and sees
    no other names. On an error nothing is left; what a process that was
    killed has left, the next one removes.

    Args:
        directory: String or path of the folder of all versions.
        version: Integer from 1 to 2**63 - 1.

    Yields:
        `pathlib.Path` of the folder.

    Raises:
        ValueError: If the version exists.
        OSError: If the folder cannot be written.
    """
    check_version(version)
    target = pathlib.Path(directory) / str(version)
    if os.path.lexists(target):
        raise ValueError(
            f"`version` must be new; published versions never change. "
            f"Received: version={version}, and {target} exists"
        )
    made = [p for p in (target.parent, *target.parents[1:]) if not p.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with partial.folder(target.parent) as folder:
            yield folder
            os.replace(folder, target)
    except BaseException:
        for folder in made:
            with contextlib.suppress(OSError):  # Another export may use it.
                folder.rmdir()
        raise


def check_version(version):
    """Raises `ExportError` for what is no version of Serving."""
    whole = isinstance(version, int) and not isinstance(version, bool)
    if not whole or not 1 <= version <= LAST_VERSION:
        raise ExportError(
            "`version` must be an integer from 1 to 2**63 - 1, since Serving "
            f"reads it into 64 bits. Received: version={version!r}"
        )


def check_name(name):
    """Raises `ExportError` for what is no name of a model at a server."""
    fits = isinstance(name, str) and name.isprintable() and name == name.strip()
    fits = fits and name and not name.startswith(".")
    fits = fits and not set(name) & set("/:\\")
    if not fits or len(name.encode()) > LONGEST_NAME:
        raise ExportError(
            "`name` must be a name without slashes, colons, line breaks, a "
            f"dot at its start and more than {LONGEST_NAME} bytes, since it is "
            "a folder and a part of addresses. Give one with name=, --name. "
            f"Received: name={name!r:.300}"
        )


def next_version(directory):
    """Returns the number after the last version in a folder, or 1."""
    names = [path.name for path in pathlib.Path(directory).glob("*")]
    # As Serving reads them, which knows no digits of other scripts.
    numbers = [int(x) for x in names if x.isascii() and x.isdigit()]
    return max(numbers, default=0) + 1


def _failing_layer(error):
    """Returns the innermost layer whose call raised an error, or `None`."""
    layer = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        owner = frame.f_locals.get("self")
        if isinstance(owner, keras.Layer) and not isinstance(
            owner, keras.Model
        ):
            layer = owner
    return layer

"""Writes a SavedModel into a version folder: whole, or not at all."""

import contextlib
import os
import pathlib
import shutil
import tempfile
import traceback

import keras

from nonlocal_keras import optional
from nonlocal_keras.export import signatures as serving_signatures
from nonlocal_keras.export.parity import ExportError
from nonlocal_keras.layers import arguments

LABELS = "assets/labels.txt"


def to_saved_model(model, directory, labels, version=1):
    """Exports a classifier as a versioned SavedModel of one signature.

    The signature `serving_default` takes `clip`, float32 clips as the model
    takes them, in batches of any size, and gives `logits` and
    `probabilities`. The class names lie in `assets/labels.txt`. For more
    signatures, a card and a comparison, see `to_serving`.

    Example:

    >>> path = nonlocal_keras.export.to_saved_model(
    ...     model, "serving/nl_c2d", labels=["waving", "walking"]
    ... )
    >>> tf.saved_model.load(path).signatures["serving_default"]

    Args:
        model: A `nonlocal_keras.models.VideoClassifier`.
        directory: String or path; the model goes to `directory/version`.
        labels: Sequence of class names, in the order of the outputs.
        version: Integer.

    Returns:
        String, the path of the version.

    Raises:
        ValueError: If there are more or fewer labels than classes, or the
            version exists.
        ImportError: If TensorFlow is not installed.
    """
    optional.load("tensorflow", "`to_saved_model`")
    with new_version(directory, version) as folder:
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
    if keras.backend.backend() != "tensorflow":
        raise ExportError(
            "A SavedModel is written by the TensorFlow backend. Set "
            "KERAS_BACKEND=tensorflow; a .keras file of any backend loads "
            f"there. Received: the backend {keras.backend.backend()!r}"
        )
    if len(labels) != model.num_classes:
        raise ValueError(
            f"`labels` must hold {model.num_classes} names, one per class. "
            f"Received: {len(labels)}"
        )
    import tensorflow as tf

    module = tf.Module()
    # What the functions use; keras.export writes every weight twice.
    module.weights = [weight.value for weight in model.variables]
    try:
        made = serving_signatures.make(model, labels, signatures)
        tf.saved_model.save(module, str(folder), made)
    except (ExportError, OSError):
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
    file = folder / LABELS
    file.parent.mkdir(exist_ok=True)
    file.write_text("\n".join(labels) + "\n", encoding="utf-8")


@contextlib.contextmanager
def new_version(directory, version):
    """Gives a folder that becomes `directory/version` if all goes well.

    It is renamed when whole: Serving watches the folder for numbers. On an
    error nothing is left.
    """
    arguments.check_positive_int("version", version)
    target = pathlib.Path(directory) / str(version)
    if target.exists():
        raise ValueError(
            f"`version` must be new; published versions never change. "
            f"Received: version={version}, and {target} exists"
        )
    made = [p for p in (target.parent, *target.parents[1:]) if not p.exists()]
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = tempfile.mkdtemp(prefix=".partial-", dir=target.parent)
    try:
        yield pathlib.Path(partial)
        os.chmod(partial, 0o755)
        os.replace(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        for folder in made:
            with contextlib.suppress(OSError):  # Another export may use it.
                folder.rmdir()
        raise


def next_version(directory):
    """Gives the number after the last version in a folder, or 1."""
    found = pathlib.Path(directory).glob("*")
    return max((int(p.name) for p in found if p.name.isdigit()), default=0) + 1


def _failing_layer(error):
    """The innermost layer whose call raised an error, or `None`."""
    layer = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        owner = frame.f_locals.get("self")
        if isinstance(owner, keras.Layer) and not isinstance(
            owner, keras.Model
        ):
            layer = owner
    return layer

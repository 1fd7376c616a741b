"""Writes a model for TensorFlow Serving."""

import os
import pathlib
import shutil
import tempfile

import keras


def to_saved_model(model, directory, labels, version=1):
    """Exports a classifier as a versioned SavedModel.

    The signature `serving_default` takes `clip`, float32 clips as the model
    takes them, in batches of any size, and gives `logits` and
    `probabilities`. The class names lie in `assets/labels.txt`.

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
    """
    import tensorflow as tf

    if len(labels) != model.num_classes:
        raise ValueError(
            f"`labels` must hold {model.num_classes} names, one per class. "
            f"Received: {len(labels)}"
        )
    target = pathlib.Path(directory) / str(version)
    if target.exists():
        raise ValueError(
            f"`version` must be new; published versions never change. "
            f"Received: version={version}, and {target} exists"
        )
    heads = keras.Model(
        model.inputs,
        {
            "logits": model.logits.outputs[0],
            "probabilities": model.outputs[0],
        },
    )
    signature = tf.TensorSpec(
        (None, *model.input_shape[1:]), tf.float32, name="clip"
    )
    archive = keras.export.ExportArchive()
    archive.track(heads)
    archive.add_endpoint(
        "serving_default", lambda clip: heads(clip, training=False), [signature]
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    # Renamed when whole: Serving watches the folder for version numbers.
    partial = tempfile.mkdtemp(prefix=".partial-", dir=target.parent)
    try:
        archive.write_out(partial, verbose=False)
        assets = pathlib.Path(partial) / "assets"
        assets.mkdir(exist_ok=True)
        (assets / "labels.txt").write_text("\n".join(labels) + "\n")
        os.chmod(partial, 0o755)
        os.replace(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return str(target)

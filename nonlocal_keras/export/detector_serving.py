"""A detector for TensorFlow Serving, in the folders that it watches.

`nonlocal_keras.export.to_serving` is what users call.
"""

import pathlib

import numpy as np

from nonlocal_keras.export import detector_parity
from nonlocal_keras.export import detector_signatures
from nonlocal_keras.export import labels as class_names
from nonlocal_keras.export import model_card
from nonlocal_keras.export import saved_model
from nonlocal_keras.export import warmup as warmup_requests
from nonlocal_keras.export.parity import check_tolerance

SIGNATURES = detector_signatures.SIGNATURES
# By the dtype of the features; 16 bits are rounded elsewhere when TensorFlow
# merges operations.
TOLERANCE_OF_16_BITS = 0.05
# Pixels of the image that warms the server up.
_WARMUP = (480, 640)


def to_serving(
    model, directory, labels, version, name, signatures, images, warmup, card,
    tolerance, say,
):  # fmt: skip
    """Exports a detector; the arguments are those of `export.to_serving`."""
    if warmup:
        warmup_requests.check()
    name = model.name if name is None else name
    saved_model.check_name(name)
    labels = check_labels(model, labels)
    signatures = tuple(SIGNATURES) if signatures is None else signatures
    detector_signatures.check(signatures)
    if tolerance is None:
        half = model.backbone.outputs[0].dtype not in ("float32", "float64")
        tolerance = detector_parity.TOLERANCE
        tolerance = TOLERANCE_OF_16_BITS if half else tolerance
    check_tolerance(tolerance)
    if images is None:
        images = detector_parity.draw_images()
    base = pathlib.Path(directory) / name
    if version is None:
        version = saved_model.next_version(base)
    with saved_model.new_version(base, version) as folder:
        saved_model.write_functions(
            model,
            folder,
            labels,
            lambda: detector_signatures.make(model, labels, signatures),
        )
        lines = _compare(model, folder, signatures, images, tolerance)
        if warmup:
            with saved_model.writing():
                warmup_requests.write_requests(
                    folder, name, _requests(signatures)
                )
        if card is None:
            card = model_card.make_detector_card(model, name, labels)
        outputs = detector_signatures.outputs_of(model)
        table = {
            key: (given, holds, outputs)
            for key, (given, holds, _) in SIGNATURES.items()
        }
        text = model_card.add_signatures(card, signatures, lines, table)
        (folder / "card.md").write_text(text, encoding="utf-8")
    for line in lines:
        say(line)
    return str(base / str(version))


def check_labels(model, labels=None):
    """Returns the names of the classes of a detector, the background first.

    Args:
        model: A `nonlocal_keras.models.MaskRCNN`.
        labels: Sequence of names. Defaults to `None`, those of the model, or
            `"class 0"` and so on.
    """
    classes = model.get_config()["num_classes"]
    if labels is None:
        labels = model.labels or [f"class {i}" for i in range(classes)]
    return class_names.check(labels, classes, distinct=False)


def _compare(model, folder, signatures, images, tolerance):
    """Runs what was written against the model; returns lines that say so."""
    import tensorflow as tf

    served = tf.saved_model.load(str(folder)).signatures

    def of_pixels(images):
        return _to_numpy(served["serving_default"](images=tf.constant(images)))

    def of_files(images):
        files = [tf.io.encode_png(image) for image in images]
        return _to_numpy(served["encoded"](encoded=tf.stack(files)))

    runs = {"serving_default": of_pixels, "encoded": of_files}
    return [
        f"{name}: "
        f"{detector_parity.compare(model, runs[name], images, tolerance)}"
        for name in signatures
    ]


def _to_numpy(found):
    return {name: value.numpy() for name, value in found.items()}


def _requests(signatures):
    """Returns a request of one grey image for each signature."""
    import tensorflow as tf

    grey = np.full((*_WARMUP, 3), 128, "uint8")
    tensors = {
        "serving_default": lambda: tf.make_tensor_proto(grey[None]),
        "encoded": lambda: tf.make_tensor_proto(
            [tf.io.encode_jpeg(grey).numpy()]
        ),
    }
    return {name: (SIGNATURES[name][0], tensors[name]()) for name in signatures}

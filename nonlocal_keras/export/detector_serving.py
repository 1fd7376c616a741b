"""A detector for TensorFlow Serving, in the folders that it watches.

`nonlocal_keras.export.to_serving` is what users call.
"""

import pathlib

import numpy as np

from nonlocal_keras.export import detector_drawn
from nonlocal_keras.export import detector_parity
from nonlocal_keras.export import detector_signatures
from nonlocal_keras.export import model_card
from nonlocal_keras.export import saved_model
from nonlocal_keras.export import warmup as warmup_requests
from nonlocal_keras.export.detectors import check_labels
from nonlocal_keras.export.parity import check_tolerance

SIGNATURES = detector_signatures.SIGNATURES
# By the dtype of the features; 16 bits are rounded elsewhere when TensorFlow
# merges operations.
TOLERANCE_OF_16_BITS = 0.05
# Pixels of the image that warms the server up.
_WARMUP = (480, 640)
# Pixels. A flat image costs little, since its long side is the limit.
_PROOF_HEIGHT = 32


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
        tolerance = _tolerance(model)
    check_tolerance(tolerance)
    base = pathlib.Path(directory) / name
    if version is None:
        version = saved_model.next_version(base)
    with saved_model.new_version(base, version) as folder:
        saved_model.write_detector(model, folder, labels, signatures)
        lines = _compare(
            model, folder, signatures, tolerance, detector_parity.SIZES, images
        )
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


def prove(model, folder):
    """Compares a SavedModel with its model, on an image that costs little.

    Both signatures run the same graph, so that one of them is enough.

    Args:
        model: A `nonlocal_keras.models.MaskRCNN`.
        folder: `pathlib.Path` of what `saved_model.to_saved_model` wrote.

    Raises:
        ExportError: If it holds other weights, or finds otherwise.
    """
    size = (_PROOF_HEIGHT, max(1, model.get_config()["max_size"] // 2))
    _compare(model, folder, ("serving_default",), _tolerance(model), [size])


def _tolerance(model):
    half = model.backbone.outputs[0].dtype not in ("float32", "float64")
    return TOLERANCE_OF_16_BITS if half else detector_parity.TOLERANCE


def _compare(model, folder, signatures, tolerance, sizes, images=None):
    """Runs what was written against the model; returns lines that say so.

    Without images, some of the given heights and widths are drawn.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    served = loaded.signatures

    def of_pixels(images):
        return _to_numpy(served["serving_default"](images=tf.constant(images)))

    def of_files(images):
        files = [tf.io.encode_png(image) for image in images]
        return _to_numpy(served["encoded"](encoded=tf.stack(files)))

    runs = {"serving_default": of_pixels, "encoded": of_files}
    runs = [runs[name] for name in signatures]
    if images is None:
        drawn = detector_parity.draw_images(sizes)
        found = detector_drawn.compare(model, loaded, runs, drawn, tolerance)
    else:
        found = [
            detector_parity.compare(model, run, images, tolerance)
            for run in runs
        ]
    return [f"{name}: {parity}" for name, parity in zip(signatures, found)]


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

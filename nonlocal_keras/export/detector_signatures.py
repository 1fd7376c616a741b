"""The signatures of a SavedModel of a detector."""

from nonlocal_keras.export import detector_graph
from nonlocal_keras.export import image_limits
from nonlocal_keras.export import image_pixels
from nonlocal_keras.export import signatures
from nonlocal_keras.export.parity import ExportError

_IMAGES = "uint8 RGB `(batch, height, width, 3)` of any size"
_ENCODED = "string `(batch,)`, each a JPEG or PNG image of any size"
_FOUND = ("boxes", "labels", "label_names", "confidence", "num_detections")
# name -> (input, its description, outputs)
SIGNATURES = {
    "serving_default": ("images", _IMAGES, _FOUND),
    "encoded": ("encoded", _ENCODED, _FOUND),
}


def outputs_of(model):
    """Returns the names of the outputs of all signatures of a detector."""
    heads = []
    if "masks" in model.output:
        heads.append("masks")
    if "keypoint_maps" in model.output:
        heads += ["keypoints", "keypoint_scores"]
    return (*_FOUND, *heads)


def make(model, labels, names):
    """Makes the functions of a detector.

    Args:
        model: A `nonlocal_keras.models.MaskRCNN`.
        labels: Sequence of class names, the background first.
        names: Sequence of names out of `SIGNATURES`.

    Returns:
        Dictionary of name to concrete function.
    """
    import tensorflow as tf

    spec = image_pixels.ImageSpec.of(model)

    # One graph of the model for all signatures, so that they add little.
    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, None, 3), "float32"),
            tf.TensorSpec((None, 2), "int32"),
            tf.TensorSpec((None, 2), "int32"),
        ],
        autograph=False,
    )
    def run(images, sizes, original):
        found = detector_graph.detect(
            model, images, sizes, original, spec.longest
        )
        # Padding, -1, has no name: it is the last entry.
        table = tf.constant([*labels, ""])
        index = tf.where(found["labels"] < 0, len(labels), found["labels"])
        return {**found, "label_names": tf.gather(table, index)}

    def of_images(images):
        images = image_limits.check_images(images, spec)
        return run(*image_pixels.prepare(images, spec))

    def of_encoded(encoded):
        return run(*image_pixels.prepare_encoded(encoded, spec))

    made = {
        "serving_default": (
            of_images,
            tf.TensorSpec((None, None, None, 3), "uint8", "images"),
        ),
        "encoded": (of_encoded, tf.TensorSpec((None,), "string", "encoded")),
    }
    return signatures.trace(made, names)


def check(names):
    """Raises `ExportError` for names that are no signatures of detectors."""
    unknown = [name for name in names if name not in SIGNATURES]
    if unknown or "serving_default" not in names:
        raise ExportError(
            f"`signatures` of a detector must be out of {tuple(SIGNATURES)}, "
            "with serving_default among them. "
            f"Received: {tuple(names)}"
        )

"""The signatures of a SavedModel: names, inputs, outputs, functions."""

import keras

from nonlocal_keras.data import ClipSpec
from nonlocal_keras.export import limits
from nonlocal_keras.export import pixels
from nonlocal_keras.export.parity import ExportError

_CLIP = (
    "float32 `(batch, frames, height, width, 3)`, normalized as the model "
    "takes it"
)
_VIDEO = "uint8 RGB `(batch, frames, height, width, 3)` of any number and size"
_JPEG = "string `(batch, frames)`, each a JPEG image of any size"
_TOP = ("probabilities", "top_labels", "top_probabilities")
# name -> (input, its description, outputs)
SIGNATURES = {
    "serving_default": ("clip", _CLIP, ("logits", "probabilities")),
    "features": ("clip", _CLIP, ("features", "res5")),
    "video": ("frames", _VIDEO, _TOP),
    "video_features": ("frames", _VIDEO, ("features",)),
    "jpeg": ("frames", _JPEG, _TOP),
}
OF_PIXELS = ("video", "video_features", "jpeg")
TOP = 5


def make(model, labels, names):
    """Makes the functions of a classifier.

    Args:
        model: A `nonlocal_keras.models.VideoClassifier`.
        labels: Sequence of class names.
        names: Sequence of names out of `SIGNATURES`.

    Returns:
        Dictionary of name to concrete function.

    Raises:
        ExportError: If a signature of pixels is wanted of a model that does
            not know how to turn frames into a clip.
    """
    import tensorflow as tf

    _check(names)
    spec = None
    if set(names) & set(OF_PIXELS):
        spec = clip_spec(model)
    clip = tf.TensorSpec((None, *model.input_shape[1:]), "float32", "clip")
    video = tf.TensorSpec((None, None, None, None, 3), "uint8", "frames")
    jpeg = tf.TensorSpec((None, None), "string", "frames")
    place = model.get_layer("pool5").input
    outputs = keras.Model(
        model.inputs,
        {
            "logits": model.logits.outputs[0],
            "probabilities": model.outputs[0],
            "res5": keras.ops.cast(place, "float32"),
        },
    )

    sizes, least = model.input_shape[1:], limits.least_sizes(model)

    # One graph of the model for all signatures, so that they add little.
    @tf.function(input_signature=[clip], autograph=False)
    def run(clip):
        return outputs(clip, training=False)

    def scores(clip):
        found = run(limits.check_clip(clip, sizes, least))
        return {key: found[key] for key in ("logits", "probabilities")}

    def features(clip):
        places = run(clip)["res5"]
        return {"features": tf.reduce_mean(places, (1, 2, 3)), "res5": places}

    def features_of_clip(clip):
        return features(limits.check_clip(clip, sizes, least))

    def top(clip):
        probabilities = run(clip)["probabilities"]
        best, which = tf.math.top_k(probabilities, min(TOP, len(labels)))
        return {
            "probabilities": probabilities,
            "top_labels": tf.gather(tf.constant(list(labels)), which),
            "top_probabilities": best,
        }

    made = {
        "serving_default": (scores, clip),
        "features": (features_of_clip, clip),
        "video": (lambda frames: top(pixels.clips(frames, spec)), video),
        "video_features": (
            lambda frames: {
                "features": features(pixels.clips(frames, spec))["features"]
            },
            video,
        ),
        "jpeg": (
            lambda frames: top(pixels.clips_of_jpeg(frames, spec)),
            jpeg,
        ),
    }
    return trace(made, names)


def trace(functions, names):
    """Traces the signatures that are asked for.

    Args:
        functions: Dictionary of name to a tuple of a function of one tensor
            and its `tf.TensorSpec`.
        names: Sequence of strings.

    Returns:
        Dictionary of name to concrete function.
    """
    import tensorflow as tf

    return {
        name: tf.function(
            function, input_signature=[given], autograph=False
        ).get_concrete_function()
        for name, (function, given) in functions.items()
        if name in names
    }


def clip_spec(model):
    """Returns the `ClipSpec` of a model, or says what it lacks.

    Args:
        model: A `nonlocal_keras.models.VideoClassifier`.

    Raises:
        ExportError: If the model does not know its preprocessing, or it gives
            clips that the model does not take.
    """
    if model.preprocessing is None:
        raise ExportError(
            "To turn frames into clips, as the signatures "
            f"{', '.join(OF_PIXELS)} and `--clips` do, a model must know its "
            "preprocessing. Set model.preprocessing as the documentation of "
            "VideoClassifier says, or go without: signatures="
            '("serving_default", "features"). Received: a model '
            "with preprocessing=None"
        )
    spec = ClipSpec.from_config(model.preprocessing)
    given = (spec.frames, spec.size, spec.size, 3)
    taken = model.input_shape[1:]
    if any(n not in (None, m) for n, m in zip(taken, given)):
        raise ExportError(
            "`model.preprocessing` must give clips of the shape that the "
            f"layer {model.inputs[0].name!r} takes, (frames, height, width, "
            f"channels) = {taken}. Received: a preprocessing that gives {given}"
        )
    return spec


def _check(names):
    unknown = [name for name in names if name not in SIGNATURES]
    if unknown or "serving_default" not in names:
        raise ExportError(
            "`signatures` must be out of "
            f"{tuple(SIGNATURES)}, with serving_default among them. "
            f"Received: {tuple(names)}"
        )

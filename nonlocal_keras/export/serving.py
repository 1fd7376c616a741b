"""A model for TensorFlow Serving, in the folders that it watches."""

import pathlib

import numpy as np
from absl import logging

from nonlocal_keras import optional
from nonlocal_keras.analysis import macs
from nonlocal_keras.data import longrange
from nonlocal_keras.export import clip_shape
from nonlocal_keras.export import detector_serving
from nonlocal_keras.export import detectors
from nonlocal_keras.export import labels as class_names
from nonlocal_keras.export import model_card
from nonlocal_keras.export import saved_model
from nonlocal_keras.export import warmup as warmup_requests
from nonlocal_keras.export.parity import ExportError
from nonlocal_keras.export.parity import check_tolerance
from nonlocal_keras.export.parity import compare
from nonlocal_keras.export.parity import sample_clips
from nonlocal_keras.export.parity import sizes_of_clips
from nonlocal_keras.export.signatures import SIGNATURES
from nonlocal_keras.models import VideoClassifier

# By the dtype of the features; 16 bits are rounded elsewhere when TensorFlow
# merges operations.
TOLERANCES = {"float32": 1e-4, "float64": 1e-4}
TOLERANCE_OF_16_BITS = 0.05
# Videos that are drawn for the comparison of pixels.
VIDEOS = 2


def to_serving(
    model,
    directory,
    labels=None,
    version=1,
    name=None,
    signatures=None,
    clips=None,
    warmup=True,
    card=None,
    tolerance=None,
    say=logging.info,
    images=None,
):
    """Exports a classifier or detector for TensorFlow Serving and compares it.

    It writes `directory/name/version/` with a SavedModel, `assets/labels.txt`,
    requests that Serving runs before it answers
    (`assets.extra/tf_serving_warmup_requests`) and `card.md`. Then it loads
    what it wrote, runs it on clips or images and says how far its answers are
    from those of the model. The folder gets its name when all of this is done,
    so a server that watches it never sees a part. The signatures are in
    docs/serving.md.

    Example:

    >>> model = zoo.load("nl_c2d_tiny_longrange")
    >>> path = nonlocal_keras.export.to_serving(
    ...     model, "serving", name="nl_c2d_tiny_longrange"
    ... )
    >>> frames = nonlocal_keras.data.read_frames("clip.mp4", range(12))
    >>> served = tf.saved_model.load(path).signatures["video"]
    >>> served(frames=tf.constant(frames[None]))["top_labels"].shape
    TensorShape([1, 2])

    Args:
        model: A `nonlocal_keras.models.VideoClassifier` or `MaskRCNN`.
        directory: String or path, the folder of all models of a server.
        labels: Sequence of class names. Defaults to `None`, for
            `model.labels`, or, where that is `None` as well, "class 0" and so
            on.
        version: Integer from 1 to 2**63 - 1, or `None` for the one after the
            last. Defaults to `1`.
        name: String, the name by which clients call the model. Defaults to
            `None`, for `model.name`.
        signatures: Sequence of names out of `serving_default`, `features`,
            `video`, `video_features` and `jpeg`; of a detector out of
            `serving_default` and `encoded`. Defaults to `None`, all of them.
        clips: float32 array `(clips, frames, height, width, 3)`, real clips
            for the comparison. Defaults to `None`, for clips that are drawn.
        warmup: Boolean, whether to write requests for the warm-up. They need
            the package tensorflow-serving-api. Defaults to `True`.
        card: String of Markdown, the card of the model. Defaults to `None`,
            for one of what the model itself tells.
        tolerance: Float, the most that a logit may differ, as a part of the
            largest logit; of a detector the most that a probability may.
            Defaults to `None`, for 1e-4, of a detector 1e-3, or 0.05 for a
            model that computes in 16 bits.
        say: Function of a String, called with one line for each signature
            that was compared; `print` shows them. The card has them, too.
            Defaults to the log of absl.
        images: List of uint8 arrays `(height, width, 3)`, for the comparison
            of a detector. Defaults to `None`, for images that are drawn; a
            model that finds nothing in them is compared with other weights,
            see docs/detection.md.

    Returns:
        String, the path of the version.

    Raises:
        ExportError: If the model cannot be exported, with the layer and the
            reason, or predicts otherwise afterwards. Nothing is left.
        ValueError: If the version exists, or an argument is outside its rule.
        OSError: If the folder cannot be written. Nothing is left.
        ImportError: If TensorFlow is not installed.
    """
    optional.load("tensorflow", "`to_serving`")
    if detectors.is_detector(model, clips, images):
        return detector_serving.to_serving(
            model,
            directory,
            labels,
            version,
            name,
            signatures,
            images,
            warmup,
            card,
            tolerance,
            say,
        )
    signatures = tuple(SIGNATURES) if signatures is None else signatures
    if not isinstance(model, VideoClassifier):
        raise ExportError(
            "`model` must be a VideoClassifier or a MaskRCNN; put a backbone "
            "into one. "
            f"Received: {type(model).__name__}"
        )
    if warmup:
        warmup_requests.check()
    name = model.name if name is None else name
    saved_model.check_name(name)
    if labels is None:
        labels = model.labels or [
            f"class {i}" for i in range(model.num_classes)
        ]
    labels = class_names.check(labels, model.num_classes)
    if tolerance is None:
        dtype = model.backbone.output.dtype
        tolerance = TOLERANCES.get(dtype, TOLERANCE_OF_16_BITS)
    check_tolerance(tolerance)
    clip_shape.check_clips(model, clips)
    _check_sizes(model)
    base = pathlib.Path(directory) / name
    if version is None:
        version = saved_model.next_version(base)
    with saved_model.new_version(base, version) as folder:
        saved_model.write(model, folder, labels, signatures)
        lines = _compare(model, folder, signatures, clips, tolerance)
        if warmup:
            with saved_model.writing():
                warmup_requests.write(model, folder, name, signatures)
        if card is None:
            card = model_card.make_model_card(model, name, labels)
        text = model_card.add_signatures(card, signatures, lines)
        (folder / "card.md").write_text(text, encoding="utf-8")
    for line in lines:
        say(line)
    return str(base / str(version))


def _check_sizes(model):
    """Finds the layer for which the clips of an any-size model are too small.

    A model of fixed sizes was checked when it was built.
    """
    if None not in model.input_shape[1:4]:
        return
    sizes = sizes_of_clips(model)
    try:
        macs.calls(model, (*sizes, model.input_shape[4]))
    except ValueError as error:
        raise ExportError(
            "The model must take the clips that its preprocessing gives, "
            f"(frames, height, width) = {sizes}. Received: {error}"
        ) from error


def _compare(model, folder, signatures, clips, tolerance):
    """Runs what was written against the model; returns lines that say so."""
    import tensorflow as tf

    served = tf.saved_model.load(str(folder)).signatures
    clips = sample_clips(model, 4) if clips is None else clips
    logits = model.logits.predict(clips, batch_size=1, verbose=0)

    def of_clip(clip):
        return served["serving_default"](clip=tf.constant(clip))["logits"]

    lines = [_line("serving_default", logits, of_clip, clips, tolerance)]
    if "video" in signatures:
        # Whole videos, in another size than that of the model.
        videos = [longrange.draw_clip(seed)[0] for seed in range(VIDEOS)]
        expected = [
            model.predict(model.preprocess(frames), verbose=0)
            for frames in videos
        ]

        def of_video(frames):
            return served["video"](frames=tf.constant(frames))["probabilities"]

        expected, videos = np.concatenate(expected), np.stack(videos)
        line = _line("video", expected, of_video, videos, tolerance)
        lines.append(line.replace("logit", "probability"))
    return lines


def _line(signature, expected, predict, clips, tolerance):
    try:
        return f"{signature}: {compare(expected, predict, clips, tolerance)}"
    except ExportError as error:
        raise ExportError(f"{error} (signature {signature!r})") from error

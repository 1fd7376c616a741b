"""Predictions for single video files."""

import dataclasses

import keras
import numpy as np

from nonlocal_keras.data import ClipReader
from nonlocal_keras.data import ClipSpec
from nonlocal_keras.data import VideoList

AVERAGES = ("probabilities", "logits", "maximum")


def predict_video(
    model,
    path,
    clips=1,
    crops=1,
    size=None,
    window=None,
    average="probabilities",
    batch_size=6,
    rule="vnl",
):
    """Predicts the classes of a video file.

    Example:

    >>> model = zoo.load("nl_i3d_r101_kinetics")
    >>> views = zoo.info("nl_i3d_r101_kinetics").views
    >>> probabilities = nonlocal_keras.predict_video(
    ...     model, "clip.mp4", **views
    ... )
    >>> model.labels[probabilities.argmax()]
    'abseiling'

    Args:
        model: A `nonlocal_keras.models.VideoClassifier` with
            `preprocessing`, as those of the zoo.
        path: String or path of the video.
        clips: Integer, clips spread over the video; 1 stands in its middle.
        crops: 1, 3 or 10, crops per clip: the centre, three along the longer
            side, or the centre and the corners, also mirrored.
        size: Integer, side of the crops in pixels. `None` for that of the
            preprocessing.
        window: Tuple of 3 integers: the average pooling before the
            classifier has this window and slides over the features of res5,
            and the predictions of its places are averaged. `None` for the
            pooling of the model.
        average: What is averaged over the views, `"probabilities"` or
            `"logits"`; `"maximum"` takes the largest probability of any view.
        batch_size: Integer, views predicted at once.
        rule: String, where the clips and crops lie, a project whose test it
            is: see `nonlocal_keras.data.view_indices`.

    Returns:
        float32 array of one probability per class.

    Raises:
        ValueError: If the video cannot be read, the model does not know its
            preprocessing, or an argument is outside its rule.
    """
    if average not in AVERAGES:
        raise ValueError(
            f"`average` must be one of {AVERAGES}. Received: {average!r}"
        )
    if model.preprocessing is None:
        raise ValueError(
            "`model` must know its preprocessing; set model.preprocessing as "
            "the documentation of VideoClassifier says. Received: a model "
            "with preprocessing=None"
        )
    spec = ClipSpec.from_config(model.preprocessing)
    if size is not None:
        low = max(size, spec.short_side[0])
        spec = dataclasses.replace(spec, size=size, short_side=(low, low))
    if window is not None:
        model = _with_window(model, window)
    reader = ClipReader(VideoList([str(path)], [0], ("unknown",)), spec)
    views = reader.test_views(0, clips, crops, rule)
    if views is None:
        raise ValueError(reader.skipped[str(path)])
    scores = model.logits if average == "logits" else model
    predicted = [
        keras.ops.convert_to_numpy(
            scores(spec.normalize(views[i : i + batch_size]), training=False)
        )
        for i in range(0, len(views), batch_size)
    ]
    predicted = np.concatenate(predicted)
    if average == "maximum":
        return predicted.max(axis=0)
    mean = predicted.mean(axis=0)
    if average == "logits":
        mean = keras.ops.convert_to_numpy(model.activation(mean[None]))[0]
    return mean


def top_labels(probabilities, labels, k=5):
    """Gives the `k` likeliest classes as pairs of name and probability.

    Args:
        probabilities: Array of one probability per class.
        labels: Sequence of class names; `None` for their numbers.
        k: Integer. Fewer classes give fewer pairs.
    """
    order = np.argsort(-probabilities, kind="stable")[:k]
    names = labels or [f"class {i}" for i in range(len(probabilities))]
    return [(names[i], float(probabilities[i])) for i in order]


def _with_window(model, window):
    """Gives the same weights under a pooling that slides."""
    windowed = model.with_head(pool_size=tuple(window))
    source, target = (m.get_layer("pred") for m in (model, windowed))
    target.set_weights(source.get_weights())
    return windowed

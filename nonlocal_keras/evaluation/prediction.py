"""Predictions for single video files."""

import keras
import numpy as np

from nonlocal_keras.data import ClipReader
from nonlocal_keras.data import ClipSpec
from nonlocal_keras.data import VideoList
from nonlocal_keras.evaluation.protocol import Protocol


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

    >>> model = zoo.load("nl_c2d_tiny_longrange")
    >>> views = zoo.info("nl_c2d_tiny_longrange").views
    >>> probabilities = nonlocal_keras.predict_video(
    ...     model, "clip.mp4", **views
    ... )
    >>> model.labels[probabilities.argmax()]
    'same'

    Args:
        model: A `nonlocal_keras.models.VideoClassifier` with
            `preprocessing`, as those of the zoo.
        path: String or path of the video.
        clips: Integer, clips spread over the video; 1 stands in its middle.
            Defaults to `1`.
        crops: Integer, crops per clip: 1 in the center, 3 along the longer
            side, or 10, the center and the corners, also mirrored. Defaults
            to `1`.
        size: Integer, side of the crops in pixels. `None` for that of the
            preprocessing. Defaults to `None`.
        window: Tuple of 3 integers: the average pooling before the
            classifier has this window and slides over the features of res5,
            and the predictions of its places are averaged. `None` for the
            pooling of the model. Defaults to `None`.
        average: String, what is averaged over the views, `"probabilities"` or
            `"logits"`; `"maximum"` takes the largest probability of any view.
            Defaults to `"probabilities"`.
        batch_size: Integer, views predicted at once. Defaults to `6`.
        rule: String, where the clips and crops lie, a project whose test it
            is: see `nonlocal_keras.data.view_indices`. Defaults to `"vnl"`.

    Returns:
        float32 array `(classes,)` of probabilities.

    Raises:
        ValueError: If the video cannot be read, the model does not know its
            preprocessing, or an argument is outside its rule.
    """
    protocol = Protocol(clips, crops, size, window, average, rule)
    if model.preprocessing is None:
        raise ValueError(
            "`model` must know its preprocessing; set model.preprocessing as "
            "the documentation of VideoClassifier says. Received: a model "
            "with preprocessing=None"
        )
    spec = ClipSpec.from_config(model.preprocessing)
    scorer = protocol.make_scorer(model)
    reader = ClipReader(VideoList([str(path)], [0], ("unknown",)), spec)
    views = protocol.read_views(reader, 0)
    if views is None:
        raise ValueError(reader.skipped[str(path)])
    scores = [
        keras.ops.convert_to_numpy(
            scorer(spec.normalize(views[i : i + batch_size]), training=False)
        )
        for i in range(0, len(views), batch_size)
    ]
    (prediction,) = protocol.combine(np.concatenate(scores)[None], model)
    return prediction


def top_labels(probabilities, labels, k=5):
    """Returns the likeliest classes, the best one first.

    Args:
        probabilities: Array `(classes,)`.
        labels: Sequence of strings, the names of the classes; `None` for
            their numbers.
        k: Integer, number of classes; of fewer classes all. Defaults to `5`.

    Returns:
        List of tuples of a name and a probability.
    """
    order = np.argsort(-probabilities, kind="stable")[:k]
    names = labels or [f"class {i}" for i in range(len(probabilities))]
    return [(names[i], float(probabilities[i])) for i in order]

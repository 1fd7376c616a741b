"""Accuracy on whole videos: views are predicted, then averaged per video."""

import contextlib
import dataclasses
import math
import threading
from concurrent import futures

import keras
import numpy as np

from nonlocal_keras.evaluation.protocol import Protocol


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The accuracy of a model on a list of videos.

    Attributes:
        top1: Float between 0 and 1.
        top5: Float between 0 and 1.
        interval: Tuple of 2 floats, the 95% Wilson interval of `top1`.
        videos: Integer, number of videos that were read.
        skipped: Integer, number of broken videos left out.
        protocol: String, how the views were taken and combined.
    """

    top1: float
    top5: float
    interval: tuple
    videos: int
    skipped: int
    protocol: str


def wilson_interval(hits, trials, z=1.96):
    """Returns the 95% interval of a proportion (Wilson, 1927).

    Args:
        hits: Integer, number of successes.
        trials: Integer, number of trials, at least 1.
        z: Float, quantile of the normal distribution. Defaults to `1.96`.

    Returns:
        Tuple `(low, high)` of floats.
    """
    p, square = hits / trials, z * z
    center = (p + square / (2 * trials)) / (1 + square / trials)
    half = math.sqrt(p * (1 - p) / trials + square / (4 * trials * trials))
    half *= z / (1 + square / trials)
    return max(center - half, 0.0), min(center + half, 1.0)


def evaluate(
    model,
    reader,
    clips=1,
    crops=1,
    batch_size=32,
    progress=True,
    rule="vnl",
    size=None,
    window=None,
    average="probabilities",
):
    """Measures top-1 and top-5 accuracy of a classifier.

    The test that a model was published with is
    `evaluate(model, reader, **zoo.info(name).views)`.

    Example:

    >>> model = zoo.load("nl_c2d_tiny_longrange")
    >>> spec = nonlocal_keras.data.ClipSpec.from_config(model.preprocessing)
    >>> videos = nonlocal_keras.data.list_videos("videos/val")
    >>> reader = nonlocal_keras.data.ClipReader(videos, spec)
    >>> evaluation = nonlocal_keras.evaluate(model, reader, clips=2, crops=3)
    >>> evaluation.videos, evaluation.top1
    (4, 0.5)

    Args:
        model: A `nonlocal_keras.models.VideoClassifier`. Any other
            `keras.Model` from normalized clips to probabilities will do, or a
            function such as one of `compile_predict`, where there is no
            `window` and no `average` of logits.
        reader: A `nonlocal_keras.data.ClipReader`.
        clips: Integer, clips per video. Defaults to `1`.
        crops: Integer, crops per clip: 1, 3 or 10. 10 clips of 3 crops are
            the 30 views of the published accuracies. Defaults to `1`.
        batch_size: Integer, views predicted at once. Defaults to `32`.
        progress: Boolean, whether to print a bar. Defaults to `True`.
        rule: String, where the clips and crops lie, a project whose test it
            is: see `nonlocal_keras.data.view_indices`. Defaults to `"vnl"`.
        size: Integer, side of the crops in pixels. `None` for that of the
            reader. Defaults to `None`.
        window: Tuple of 3 integers, as for `predict_video`. Defaults to
            `None`.
        average: String, as for `predict_video`. Defaults to
            `"probabilities"`.

    Returns:
        An `Evaluation`.

    Raises:
        ValueError: If no video can be read, or an argument is outside its
            rule.
        FloatingPointError: If a prediction is no finite number.
    """
    protocol = Protocol(clips, crops, size, window, average, rule)
    number, hits, hits5 = 0, 0, 0
    bar = keras.utils.Progbar(len(reader.videos), verbose=int(progress))
    # Closed at an error or Ctrl-C, or the videos ahead would still be read.
    with contextlib.closing(
        predict_videos(model, reader, protocol, batch_size)
    ) as predictions:
        for scores, indices in predictions:
            labels = np.array([reader.videos.labels[i] for i in indices])
            order = np.argsort(-scores, axis=-1, kind="stable")
            hits += int((order[:, 0] == labels).sum())
            hits5 += int((order[:, :5] == labels[:, None]).any(axis=1).sum())
            number += len(labels)
            bar.add(len(labels))
    if not number:
        raise ValueError(
            f"Not one of the {len(reader.videos)} videos could be read, so "
            "there is no accuracy. The log names them and the reasons."
        )
    return Evaluation(
        top1=hits / number,
        top5=hits5 / number,
        interval=wilson_interval(hits, number),
        videos=number,
        skipped=len(reader.skipped),
        protocol=protocol.describe(reader.spec),
    )


def predict_videos(model, reader, protocol, batch_size=32):
    """Yields the predictions of all videos of a list that can be read.

    Args:
        model: As for `evaluate`.
        reader: A `nonlocal_keras.data.ClipReader`.
        protocol: A `nonlocal_keras.evaluation.protocol.Protocol`.
        batch_size: Integer, views predicted at once. Defaults to `32`.

    Yields:
        Tuples of an array `(videos, classes)` and the positions of the videos
        in the list.

    Raises:
        FloatingPointError: If a prediction is no finite number.
    """
    predict = protocol.make_scorer(model)
    if isinstance(predict, keras.Model):
        predict = compile_predict(predict)
    with contextlib.closing(
        _read_batches(reader, protocol, batch_size)
    ) as batches:
        for views, indices in batches:
            yield (
                protocol.combine(
                    _score(predict, reader, views, indices), model
                ),
                indices,
            )


def _score(predict, reader, views, indices):
    """Returns the scores `(videos, views, classes)` of all views."""
    shape = views.shape
    scores = predict(reader.spec.normalize(views.reshape(-1, *shape[2:])))
    scores = keras.ops.convert_to_numpy(scores)
    if not np.isfinite(scores).all():
        raise FloatingPointError(
            "the model predicts values that are not finite, for "
            f"{reader.videos.paths[indices[0]]} or a video after it"
        )
    return scores.reshape(*shape[:2], -1)


def compile_predict(model):
    """Returns a function from clips to predictions that is traced once.

    `model.predict` would run every batch on every replica of the strategy
    that the model was built under.

    Args:
        model: A `keras.Model`.
    """
    if keras.backend.backend() != "tensorflow":
        return lambda clips: model(clips, training=False)
    import tensorflow as tf

    signature = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)
    return tf.function(
        lambda clips: model(clips, training=False), input_signature=[signature]
    )


def _read_batches(reader, protocol, batch_size):
    """Yields uint8 views `(videos, views, T, H, W, 3)` and video indices."""
    size = max(batch_size // (protocol.clips * protocol.crops), 1)
    indices = range(len(reader.videos))
    chunks = [indices[i : i + size] for i in range(0, len(indices), size)]

    stopped = threading.Event()

    def read(chunk):
        views = (
            (protocol.read_views(reader, i), i)
            for i in chunk
            if not stopped.is_set()
        )
        return [(v, i) for v, i in views if v is not None]

    # Two batches ahead: decoding overlaps with prediction, memory is bounded.
    with futures.ThreadPoolExecutor(max_workers=2) as pool:
        waiting = [pool.submit(read, chunk) for chunk in chunks[:2]]
        try:
            for position in range(len(chunks)):
                batch = waiting.pop(0).result()
                if position + 2 < len(chunks):
                    waiting.append(pool.submit(read, chunks[position + 2]))
                if batch:
                    views, kept = zip(*batch)
                    yield np.stack(views), kept
        finally:
            stopped.set()

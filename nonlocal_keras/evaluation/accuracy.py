"""Accuracy on whole videos: views are predicted, then averaged per video."""

import contextlib
import dataclasses
import math
import threading
from concurrent import futures

import keras
import numpy as np


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The accuracy of a model on a list of videos.

    Attributes:
        top1, top5: Floats between 0 and 1.
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
    """Gives the 95% interval of a proportion (Wilson, 1927).

    Args:
        hits: Integer, number of successes.
        trials: Integer, number of trials, at least 1.
        z: Float, quantile of the normal distribution.

    Returns:
        Tuple `(low, high)`.
    """
    p, square = hits / trials, z * z
    centre = (p + square / (2 * trials)) / (1 + square / trials)
    half = math.sqrt(p * (1 - p) / trials + square / (4 * trials * trials))
    half *= z / (1 + square / trials)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def evaluate(
    model,
    reader,
    clips=1,
    crops=1,
    batch_size=32,
    progress=True,
    rule="vnl",
):
    """Measures top-1 and top-5 accuracy of a classifier.

    Example:

    >>> reader = nonlocal_keras.data.ClipReader(videos, spec)
    >>> nonlocal_keras.evaluate(model, reader, clips=10, crops=3).top1
    0.749

    Args:
        model: A `keras.Model` from normalized clips to probabilities, or any
            function that does the same, such as one of `compile_predict`.
        reader: A `nonlocal_keras.data.ClipReader`.
        clips: Integer, clips per video.
        crops: 1, 3 or 10, crops per clip. 10 clips of 3 crops are the 30
            views of the published accuracies.
        batch_size: Integer, views predicted at once.
        progress: Boolean, whether to print a bar.
        rule: String, where the clips and crops lie, a project whose test it
            is: see `nonlocal_keras.data.view_indices`.

    Returns:
        An `Evaluation`.

    Raises:
        ValueError: If no video can be read.
        FloatingPointError: If a prediction is no finite number.
    """
    predict = model
    if isinstance(model, keras.Model):
        predict = compile_predict(model)
    number, hits, hits5 = 0, 0, 0
    bar = keras.utils.Progbar(len(reader.videos), verbose=int(progress))
    # Closed at an error or Ctrl-C, or the videos ahead would still be read.
    with contextlib.closing(
        _batches(reader, clips, crops, batch_size, rule)
    ) as batches:
        for views, indices in batches:
            scores = _scores(predict, reader, views, indices)
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
        protocol=_protocol(reader.spec, clips, crops, rule),
    )


def _scores(predict, reader, views, indices):
    """Gives the mean of the predictions for the views of each video."""
    shape = views.shape
    scores = predict(reader.spec.normalize(views.reshape(-1, *shape[2:])))
    scores = keras.ops.convert_to_numpy(scores)
    if not np.isfinite(scores).all():
        raise FloatingPointError(
            "the model predicts values that are not finite, for "
            f"{reader.videos.paths[indices[0]]} or a video after it"
        )
    return scores.reshape(*shape[:2], -1).mean(axis=1)


def _protocol(spec, clips, crops, rule):
    """Says how the views were taken; what is usual is left out."""
    views = f"{clips} x {crops} views of {spec.frames} frames"
    views += f", stride {spec.stride}"
    if spec.fps is not None:
        views += f" at {spec.fps:g} frames per second"
    if rule != "vnl":
        views += f", placed as by {rule}"
    if spec.resize is not None:
        views += ", of frames stretched to {} x {}".format(*spec.resize)
    return f"{views}, {spec.size} pixels; mean of probabilities"


def compile_predict(model):
    """Gives a function from clips to predictions that is traced once.

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


def _batches(reader, clips, crops, batch_size, rule):
    """Yields uint8 views `(videos, views, T, H, W, 3)` and video indices."""
    size = max(batch_size // (clips * crops), 1)
    indices = range(len(reader.videos))
    chunks = [indices[i : i + size] for i in range(0, len(indices), size)]

    stopped = threading.Event()

    def read(chunk):
        views = (
            (reader.test_views(i, clips, crops, rule), i)
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

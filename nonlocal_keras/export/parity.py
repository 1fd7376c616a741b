"""Whether an exported file predicts what the Keras model predicts."""

import dataclasses

import keras
import numpy as np

from nonlocal_keras.data import ClipSpec
from nonlocal_keras.data import longrange


class ExportError(ValueError):
    """A model that cannot go there, or a file that predicts otherwise."""


@dataclasses.dataclass(frozen=True)
class Parity:
    """What a comparison gave.

    Attributes:
        clips: Integer, the number of clips.
        absolute: Float, the largest difference of two logits.
        relative: Float, `absolute` by the largest logit of the model.
        agreement: Float, the share of clips with the same best class.
        tolerance: Float, the most that `relative` may be.
    """

    clips: int
    absolute: float
    relative: float
    agreement: float
    tolerance: float

    def __str__(self):
        return (
            f"parity: {self.clips} clips, largest difference "
            f"{self.absolute:.1e} absolute, {self.relative:.1e} of the largest "
            f"logit (at most {self.tolerance:.2g}), same best class in "
            f"{self.agreement:.1%}"
        )


def compare(expected, predict, clips, tolerance):
    """Runs an exported file on clips and compares it with the model.

    Example:

    >>> from nonlocal_keras.export import parity
    >>> model = zoo.load("nl_c2d_tiny_longrange")
    >>> clips = nonlocal_keras.export.sample_clips(model, 1)
    >>> logits = model.logits.predict(clips)
    >>> print(parity.compare(logits, model.logits.predict, clips, 1e-4))
    parity: 1 clips, ... same best class in 100.0%

    Args:
        expected: Array `(clips, classes)`, the logits of the model.
        predict: Function from one clip, `(1, frames, height, width, 3)`, to
            its logits, `(1, classes)`, by the exported file.
        clips: float32 array `(clips, frames, height, width, 3)`.
        tolerance: Float, the most that the largest difference may be, as a
            part of the largest logit.

    Returns:
        A `Parity`.

    Raises:
        ExportError: If the difference is larger, or there is a NaN.
    """
    expected = np.asarray(expected, "float64")
    received = np.concatenate([predict(clip[None]) for clip in clips])
    received = received.astype("float64")
    absolute = float(np.max(np.abs(received - expected)))
    same = expected.argmax(axis=-1) == received.argmax(axis=-1)
    parity = Parity(
        clips=len(clips),
        absolute=absolute,
        relative=absolute / max(float(np.max(np.abs(expected))), 1e-30),
        agreement=float(np.mean(same)),
        tolerance=tolerance,
    )
    # Written so that a NaN fails.
    if not parity.relative <= tolerance:
        raise ExportError(
            "The exported file must predict what the model predicts. "
            f"Received: {parity}"
        )
    return parity


def check_tolerance(tolerance):
    """Raises `ExportError` for what bounds no difference."""
    if not 0 <= tolerance < float("inf"):
        raise ExportError(
            "`tolerance` must be a number of at least 0, the most that a "
            "logit may differ, as a part of the largest. Received: "
            f"tolerance={tolerance}"
        )


def sample_clips(model, count, first_seed=0, shape=None):
    """Draws clips of moving shapes as the model takes them.

    They are clips of `nonlocal_keras.data.longrange`, brought to the frames,
    the size and the normalization of the model.

    Args:
        model: A `nonlocal_keras.models.VideoClassifier`.
        count: Integer, the number of clips.
        first_seed: Integer; clip `i` is drawn from `first_seed + i`. Defaults
            to `0`.
        shape: Tuple `(frames, height, width)`. Defaults to `None`, for those
            of the model and, where it takes any, those of its
            `preprocessing`, else 8 frames of 64 pixels.

    Returns:
        float32 array `(count, frames, height, width, 3)`.
    """
    frames, height, width = shape or sizes_of_clips(model)
    spec = _clip_spec(model)
    clips = []
    for seed in range(first_seed, first_seed + count):
        drawn, _ = longrange.draw_clip(seed)
        # Evenly over the clip, whose relation spans all of it.
        places = np.linspace(0, len(drawn) - 1, frames).round().astype(int)
        scaled = keras.ops.image.resize(
            keras.ops.cast(drawn[places], "float32"),
            (height, width),
            interpolation="bilinear",
            data_format="channels_last",
        )
        clips.append(keras.ops.convert_to_numpy(spec.normalize(scaled)))
    return np.stack(clips)


def sizes_of_clips(model):
    """Returns `(frames, height, width)` of the clips that a model takes.

    Where it takes any, that of its `preprocessing`, else 8 frames of 64
    pixels.

    Args:
        model: A `nonlocal_keras.models.VideoClassifier`.
    """
    spec = _clip_spec(model)
    usual = (spec.frames, spec.size, spec.size)
    return tuple(n or m for n, m in zip(model.input_shape[1:4], usual))


# Where the model says nothing.
_SMALL = ClipSpec(frames=8, size=64, short_side=(64, 64))


def _clip_spec(model):
    told = model.preprocessing or {}
    usual = _SMALL.with_size(told.get("size", _SMALL.size))
    return ClipSpec.from_config(usual.to_config() | told)

"""The clips that an export is compared on, and their shape."""

import math

import numpy as np

from nonlocal_keras.analysis import macs
from nonlocal_keras.export.parity import ExportError

# Pixels of a clip, each three float32.
LARGEST = 2**31 // 12


def check_clips(model, clips, argument="clips"):
    """Raises `ExportError` for what are no clips of the model.

    Args:
        model: A `nonlocal_keras.models.VideoClassifier`.
        clips: Array, or `None` for clips that are drawn.
        argument: String, the name of the argument. Defaults to `"clips"`.
    """
    if clips is None:
        return
    taken, given = model.input_shape[1:], np.shape(clips)
    fits = len(given) == 5 and 0 not in given
    if not fits or any(n not in (None, m) for n, m in zip(taken, given[1:])):
        sizes = ", ".join("any" if n is None else str(n) for n in taken)
        raise ExportError(
            f"`{argument}` must be an array of the shape (clips, {sizes}), "
            "(clips, frames, height, width, channels), with at least one "
            f"clip. Received: the shape {given}"
        )
    if not np.isfinite(clips).all():
        raise ExportError(
            f"`{argument}` must hold finite numbers. Received: NaN or infinity"
        )


def choose_shape(model, clips, shape):
    """Returns the one shape of the clips that a file takes.

    Args:
        model: A `nonlocal_keras.models.VideoClassifier`.
        clips: Array `(clips, frames, height, width, channels)`, or `None`.
        shape: Tuple `(frames, height, width)`, or `None` for that of the
            clips, of the model, or of its preprocessing.

    Returns:
        Tuple `(frames, height, width)`.

    Raises:
        ValueError: If a size is unknown, does not fit the model or the clips,
            or is one that the layers do not take.
    """
    taken = tuple(model.input_shape[1:4])
    of_clips = None if clips is None else np.shape(clips)[1:4]
    usual = model.preprocessing or {}
    usual = [usual.get(name) for name in ("frames", "size", "size")]
    found = tuple(a or b for a, b in zip(taken, usual))
    if shape is not None:
        found = tuple(shape)
    elif of_clips is not None:
        found = tuple(of_clips)
    fits = len(found) == 3 and all(_is_size(n) for n in found)
    fits = fits and all(n in (None, m) for n, m in zip(taken, found))
    if not fits or of_clips not in (None, found):
        raise ValueError(
            "`shape` must give the frames, height and width of a clip, three "
            "positive integers, where the model leaves them free, since a "
            "LiteRT file has one shape: shape=(8, 224, 224). Received: "
            f"shape={shape}, clips of {of_clips}, and a model of {taken}"
        )
    if math.prod(found) > LARGEST:
        raise ValueError(
            f"`shape` must be of at most {LARGEST:,} pixels, since LiteRT "
            f"counts the bytes of a clip in 31 bits. Received: shape={found}"
        )
    try:
        macs.calls(model, (*found, model.input_shape[4]))
    except ValueError as error:
        raise ValueError(
            f"`shape` must be one that the layers take. Received: "
            f"shape={found}, and {error}"
        ) from error
    return found


def _is_size(n):
    return isinstance(n, int | np.integer) and not isinstance(n, bool) and n > 0

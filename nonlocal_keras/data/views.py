"""The clips and crops of published tests, each project by its own rule.

| rule | clips of a video of N frames | three crops along the longer side |
|---|---|---|
| `vnl` | at `int(N / clips * k)`, wrapped around | 0, 1, 2 half ways |
| `pyslowfast` | at `(N - span) * k / clips`, in time | ends and middle |
| `pytorchvideo` | even from first to last second | ends and middle |
| `mmaction2` | even from 0 to `N - span`, rounded | 0, 1, 2 half ways |
| `mmaction2_dense` | even from 0 to `N - span`, cut off | 0, 1, 2 half ways |
| `mmaction2_v0` | in the centre of equal parts | 0, 1, 2 half ways |
| `gluoncv_torch` | even, counted in frames that are kept | 0, 1, 2 half ways |
| `gluoncv` | in the centre of equal parts | 0, 1, 2 half ways |
| `tsm_dense` | even from 0 to `N - span`, cut off | across the width only |
| `lfb` | around the centre of equal parts | ends and middle |

A half way is half of the free pixels, rounded down, so that the last crop may
miss the last pixel. `tests/data/test_views.py` names the source of each rule.
"""

import math
import typing
from fractions import Fraction

import numpy as np

from nonlocal_keras.data import sampling


def view_indices(rule, clips, frames, stride, total, fps=None, rate=None):
    """Returns the frames of all test clips of a video.

    Example:

    >>> indices = nonlocal_keras.data.view_indices(
    ...     "mmaction2", clips=10, frames=32, stride=2, total=300
    ... )
    >>> indices[:, 0]
    array([  0,  26,  53,  79, 105, 132, 158, 184, 211, 237])

    Args:
        rule: String, one of `nonlocal_keras.data.VIEW_RULES`.
        clips: Integer, number of clips. One clip stands in the middle.
        frames: Integer, frames per clip.
        stride: Integer, distance between two frames of a clip; `None` for a
            clip that is spread over the video, which is the same by all rules.
        total: Integer, number of frames in the video.
        fps: Float, frames per second for which `stride` is meant: the clip
            counts time. `None` counts frames. Defaults to `None`.
        rate: Float, frames per second of the video, if `fps` is given.
            Defaults to `None`.

    Returns:
        Integer array of shape `(clips, frames)`.

    Raises:
        ValueError: For an unknown rule, or one that counts frames alone and
            is given `fps`.
    """
    found = _find(rule)
    if fps is not None and not found.counts_time:
        timed = [name for name, rule in RULES.items() if rule.counts_time]
        raise ValueError(
            f"`rule` must be one of {', '.join(timed)} for clips that count "
            f"time. Received: rule={rule!r}, fps={fps}"
        )
    if fps is not None and rate is None:
        raise ValueError(
            "`rate`, the frames per second of the video, must be given for "
            f"clips that count time. Received: fps={fps}, rate=None"
        )
    if stride is None:
        starts = [(k + 0.5) / clips * total / frames for k in range(clips)]
        clip = [sampling.clip_indices(s, frames, None, total) for s in starts]
        return np.stack(clip)
    timing = (fps, rate) if found.counts_time else ()
    indices = found.clips(clips, frames, stride, total, *timing)
    return np.asarray(indices, int).reshape(clips, frames)


def view_corners(rule, crops, height, width, size):
    """Returns the top left corners of the test crops of a frame.

    Args:
        rule: String, one of `nonlocal_keras.data.VIEW_RULES`.
        crops: Integer, 1, 3 or 10, see `crop_offsets`.
        height: Integer, height of the frame in pixels.
        width: Integer, width of the frame in pixels.
        size: Integer, side of the crop in pixels.

    Returns:
        List of tuples `(top, left)`; five for ten crops, which are mirrored
        as well.

    Raises:
        ValueError: For an unknown rule, or another number of crops.
    """
    # It refuses other numbers of crops, for all rules.
    usual = sampling.crop_offsets(crops, height, width, size)
    free_top, free_left = height - size, width - size
    kind = _find(rule).crops
    if kind == "ends" and crops != 10:
        top, left = math.ceil(free_top / 2), math.ceil(free_left / 2)
        if crops == 1:
            return [(top, left)]
        if height > width:
            return [(0, left), (top, left), (free_top, left)]
        return [(top, 0), (top, left), (top, free_left)]
    down, right = free_top // 4, free_left // 4
    if kind == "width" and crops == 3:
        return [(2 * down, step * right) for step in (0, 2, 4)]
    if kind == "quarters" and crops == 10:
        corners = [(v * down, h * right) for v in (0, 4) for h in (0, 4)]
        return [*corners, (2 * down, 2 * right)]
    return usual


def rounds_to_nearest(rule):
    """Tells whether the longer side of a scaled frame is rounded, not cut."""
    return _find(rule).nearest


class _Rule(typing.NamedTuple):
    # Function of clips, frames, stride and total, and fps and rate if it
    # counts time.
    clips: typing.Callable
    # "halves", "ends", "quarters" or "width", see `view_corners`.
    crops: str
    nearest: bool = False
    counts_time: bool = False


def _find(rule):
    if rule not in RULES:
        raise ValueError(
            f"`rule` must be one of {', '.join(RULES)}. Received: rule={rule!r}"
        )
    return RULES[rule]


def _wrapped(starts, frames, stride, total):
    return [
        sampling.clip_indices(int(start), frames, stride, total)
        for start in starts
    ]


def _vnl(clips, frames, stride, total, fps, rate):
    ratio = None if fps is None else float(rate) / fps
    starts = [int(total / clips * k) for k in range(clips)]
    if clips == 1:
        starts = [sampling.middle_start(frames, stride, total, ratio)]
    return [
        sampling.clip_indices(start, frames, stride, total, ratio)
        for start in starts
    ]


def _pyslowfast(clips, frames, stride, total, fps, rate):
    ratio = 1.0 if fps is None else float(rate) / fps
    free = max(total - sampling.span(frames, stride, ratio), 0)
    starts = [free * k / clips for k in range(clips)]
    if clips == 1:
        starts = [math.floor(free / 2)]
    return [
        sampling.clip_indices(start, frames, stride, total, ratio)
        for start in starts
    ]


def _pytorchvideo(clips, frames, stride, total, fps, rate):
    """Frames that are shown in `[start, start + length)`, thinned out."""
    if fps is None:
        fps, rate = 30, 30
    # In its own arithmetic: a length in seconds that is rounded once, then
    # exact fractions. A frame more or less hangs on it at every tie.
    length = Fraction(frames * stride / fps)
    rate = Fraction(rate)
    free = max(total / rate - length, Fraction(0))
    if clips == 1:
        starts = [free / 2]
    else:
        starts = [free / (clips - 1) * k for k in range(clips)]
    indices = []
    for start in starts:
        first = min(math.ceil(start * rate), total - 1)
        last = min(math.ceil((start + length) * rate) - 1, total - 1)
        places = sampling.spread(0, max(last - first, 0), frames)
        indices.append(first + places.astype(int))
    return indices


def _mmaction2(clips, frames, stride, total):
    free = max(total - ((frames - 1) * stride + 1), 0)
    if clips == 1:
        starts = [free // 2]
    else:
        starts = np.round(np.arange(clips) * (free / (clips - 1)))
    return _wrapped(starts, frames, stride, total)


def _dense(clips, frames, stride, total):
    # Its range is 64 frames, which are all that these clips span.
    free = max(total - frames * stride, 0)
    starts = np.linspace(0, free, clips, dtype=int)
    if clips == 1:
        starts = [free // 2]
    return _wrapped(starts, frames, stride, total)


def _centres(clips, frames, stride, total):
    free = total - frames * stride + 1
    if free <= 0:
        return [0] * clips
    part = free / clips
    return [int(part * k + part / 2) for k in range(clips)]


def _mmaction2_v0(clips, frames, stride, total):
    starts = _centres(clips, frames, stride, total)
    return _wrapped(starts, frames, stride, total)


def _gluoncv_torch(clips, frames, stride, total):
    # Every `stride`-th frame is kept, then clips are cut out of those.
    kept = math.ceil(total / stride)
    free = max(kept - frames, 0)
    if clips == 1:
        starts = [free // 2]
    else:
        starts = [int(k * (free / (clips - 1))) for k in range(clips)]
    return [
        np.minimum(start + np.arange(frames), kept - 1) * stride
        for start in starts
    ]


def _gluoncv(clips, frames, stride, total):
    indices = []
    for start in _centres(clips, frames, stride, total):
        # A clip stays at the last of its frames before the last of the video.
        stays = start + max((total - 2 - start) // stride, 0) * stride
        clip = start + stride * np.arange(frames)
        indices.append(np.minimum(clip, stays))
    return indices


def _lfb(clips, frames, stride, total):
    half = frames * stride // 2
    if clips == 1:
        # The middle of an action of EPIC-Kitchens, rounded down.
        centres = [total // 2]
    else:
        centres = [round(total / clips * (k + 0.5)) for k in range(clips)]
    return [
        np.clip(centre - half + stride * np.arange(frames), 0, total - 1)
        for centre in centres
    ]


RULES = {
    "vnl": _Rule(_vnl, "halves", counts_time=True),
    "pyslowfast": _Rule(_pyslowfast, "ends", counts_time=True),
    "pytorchvideo": _Rule(_pytorchvideo, "ends", counts_time=True),
    "mmaction2": _Rule(_mmaction2, "quarters", nearest=True),
    "mmaction2_dense": _Rule(_dense, "quarters", nearest=True),
    "mmaction2_v0": _Rule(_mmaction2_v0, "quarters", nearest=True),
    "gluoncv_torch": _Rule(_gluoncv_torch, "halves"),
    "gluoncv": _Rule(_gluoncv, "halves"),
    "tsm_dense": _Rule(_dense, "width"),
    "lfb": _Rule(_lfb, "ends"),
}
VIEW_RULES = tuple(RULES)

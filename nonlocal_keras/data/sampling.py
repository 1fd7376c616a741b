"""Which frames of a video make a clip: integers in, integers out.

The clips and crops of published tests are in `nonlocal_keras.data.views`.
"""

import math

import numpy as np


def clip_indices(start, frames, stride, total, ratio=None):
    """Returns the frame indices of a clip.

    Indices past the end wrap around to the beginning, as in the authors'
    release, so that a video shorter than a clip still fills it. A clip that
    counts time is that of PySlowFast: its frames are spread from its first to
    its last moment, both included, and stay within the video.

    Example:

    >>> nonlocal_keras.data.clip_indices(2, frames=4, stride=2, total=6)
    array([2, 4, 0, 2])

    Args:
        start: Integer or Float, index of the first frame.
        frames: Integer, number of frames in the clip.
        stride: Integer, distance between two frames of the clip. `None` for
            `total / frames`: the clip spreads over the whole video, as for
            the models with a temporal shift.
        total: Integer, number of frames in the video.
        ratio: Float, frame rate of the video over that for which `stride` is
            meant, for a clip that counts time. `None` counts frames. Defaults
            to `None`.

    Returns:
        Integer array of shape `(frames,)`.
    """
    if stride is None:
        places = np.floor(start + np.arange(frames) * (total / frames))
        return places.astype(int) % total
    if ratio is None:
        return (start + stride * np.arange(frames)) % total
    last = start + span(frames, stride, ratio) - 1
    return np.clip(spread(start, last, frames), 0, total - 1).astype(int)


def spread(first, last, number):
    """Returns positions from the first to the last, rounded as by PyTorch.

    `torch.linspace` computes in single precision, from both ends, and rounds
    once. At 25 frames per second one video in twelve has a position that is an
    integer but for that, and would be one frame off.

    Args:
        first: Float, the first position.
        last: Float, the last position.
        number: Integer, number of positions.

    Returns:
        float32 array `(number,)`.
    """
    first, last = np.float32(first), np.float32(last)
    step = float((last - first) / np.float32(max(number - 1, 1)))
    order = np.arange(number)
    return np.where(
        order < max(number // 2, 1),
        np.float32(float(first) + step * order),
        np.float32(float(last) - step * (number - 1 - order)),
    )


def span(frames, stride, ratio=None):
    """Returns the length of a clip in frames of the video.

    Args:
        frames: Integer, see `clip_indices`.
        stride: Integer, see `clip_indices`.
        ratio: Float, see `clip_indices`. Defaults to `None`.
    """
    if ratio is None:
        return frames * stride
    return max(frames * stride * ratio, 1.0)


def random_start(rng, frames, stride, total, ratio=None):
    """Draws the start of a training clip, uniform over all that fit.

    Args:
        rng: A `numpy.random.Generator`.
        frames: Integer, see `clip_indices`.
        stride: Integer, see `clip_indices`.
        total: Integer, see `clip_indices`.
        ratio: Float, see `clip_indices`. Defaults to `None`.

    Returns:
        Integer; 0 if the video is shorter than the clip. For a clip that is
        spread over the video, a float within its first part; for one that
        counts time, a float.
    """
    if stride is None:
        return float(rng.uniform(0, total / frames))
    free = max(total - span(frames, stride, ratio), 0)
    if ratio is None:
        return int(rng.integers(0, free + 1))
    return float(rng.uniform(0, free))


def middle_start(frames, stride, total, ratio=None):
    """Returns the start of the clip in the middle of a video.

    Args:
        frames: Integer, see `clip_indices`.
        stride: Integer, see `clip_indices`.
        total: Integer, see `clip_indices`.
        ratio: Float, see `clip_indices`. Defaults to `None`.

    Returns:
        Integer; a float for a clip that is spread over the video.
    """
    if stride is None:
        return total / frames / 2
    return math.floor(max(total - span(frames, stride, ratio), 0) / 2)


def crop_offsets(crops, height, width, size):
    """Returns the top left corners of the test crops of a frame.

    One crop stands in the center; three are spread along the longer side;
    ten are the center and the corners, each of them once more mirrored.

    Args:
        crops: Integer, 1, 3 or 10.
        height: Integer, height of the frame in pixels.
        width: Integer, width of the frame in pixels.
        size: Integer, side of the crop in pixels.

    Returns:
        List of tuples `(top, left)`; five for ten crops.

    Raises:
        ValueError: For another number of crops.
    """
    if crops not in (1, 3, 10):
        raise ValueError(f"`crops` must be 1, 3 or 10. Received: crops={crops}")
    steps = (1,) if crops == 1 else (0, 1, 2)
    top, left = (height - size) // 2, (width - size) // 2
    if crops == 10:
        bottom, right = height - size, width - size
        corners = [(0, 0), (0, right), (bottom, 0), (bottom, right)]
        return [*corners, (top, left)]
    if height > width:
        return [(step * top, left) for step in steps]
    return [(top, step * left) for step in steps]

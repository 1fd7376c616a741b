"""Which frames of a video make a clip: integers in, integers out."""

import numpy as np


def clip_indices(start, frames, stride, total):
    """Gives the frame indices of a clip.

    Indices past the end wrap around to the beginning, as in the authors'
    release, so that a video shorter than a clip still fills it.

    Example:

    >>> nonlocal_keras.data.clip_indices(2, frames=4, stride=2, total=6)
    array([2, 4, 0, 2])

    Args:
        start: Number, index of the first frame.
        frames: Integer, number of frames in the clip.
        stride: Integer, distance between two frames of the clip. `None` for
            `total / frames`: the clip spreads over the whole video, as for
            the models with a temporal shift.
        total: Integer, number of frames in the video.

    Returns:
        Integer array of shape `(frames,)`.
    """
    if stride is None:
        spread = np.floor(start + np.arange(frames) * (total / frames))
        return spread.astype(int) % total
    return (start + stride * np.arange(frames)) % total


def random_start(rng, frames, stride, total):
    """Draws the start of a training clip, uniform over all that fit.

    Args:
        rng: `numpy.random.Generator`.
        frames, stride, total: As for `clip_indices`.

    Returns:
        Integer; 0 if the video is shorter than the clip. For a clip that is
        spread over the video, a float within its first part.
    """
    if stride is None:
        return float(rng.uniform(0, total / frames))
    return int(rng.integers(0, max(total - frames * stride, 0) + 1))


def view_starts(clips, frames, stride, total):
    """Gives the starts of the test clips of one video.

    One clip stands in the middle of the video; more are spread evenly, at
    `int(total / clips * k)` (the authors' release).

    Args:
        clips: Integer, number of clips per video.
        frames, stride, total: As for `clip_indices`.

    Returns:
        List of integers; of floats for clips that are spread over the video.
    """
    if stride is None:
        return [(k + 0.5) / clips * total / frames for k in range(clips)]
    if clips == 1:
        return [max(total - frames * stride, 0) // 2]
    return [int(total / clips * k) for k in range(clips)]


def crop_offsets(crops, height, width, size):
    """Gives the top left corners of the test crops of a frame.

    One crop stands in the centre; three are spread along the longer side;
    ten are the centre and the corners, each of them once more mirrored.

    Args:
        crops: 1, 3 or 10.
        height, width: Integers, size of the frame in pixels.
        size: Integer, side of the crop in pixels.

    Returns:
        List of `(top, left)`; five for ten crops.
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

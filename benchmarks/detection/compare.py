"""Whether both sides find the same, before their time is taken."""

import numpy as np

# Part of their detections that ours must have as well: with random weights
# some boxes overlap by just about the threshold, and rounding decides.
SHARE = 0.95
# The largest difference of a loss, as a part of it.
LOSS = 1e-3


def found_again(theirs, ours):
    """Counts the detections that the other side has as well.

    That is one of the same class, with a box within 0.1 pixels, a score within
    0.001, and on the average of all pixels a mask within 0.001.

    Args:
        theirs: Dictionary of `boxes_{i}`, `labels_{i}`, `scores_{i}` and
            `masks_{i}` of each image `i`.
        ours: Dictionary of the same.

    Returns:
        Two Integers: how many are found again, and how many there are on the
        side that has more.
    """
    again = number = 0
    for place in range(sum(name.startswith("boxes_") for name in theirs)):
        one, other = (
            {
                name: side[f"{name}_{place}"]
                for name in ("boxes", "labels", "scores", "masks")
            }
            for side in (theirs, ours)
        )
        number += max(len(one["boxes"]), len(other["boxes"]))
        distance = np.abs(one["boxes"][:, None] - other["boxes"]).max(axis=-1)
        score = np.abs(one["scores"][:, None] - other["scores"])
        same = one["labels"][:, None] == other["labels"]
        same &= (distance < 0.1) & (score < 1e-3)
        for i, j in enumerate(same.argmax(axis=1) if same.size else ()):
            mask = np.abs(one["masks"][i] - other["masks"][j]).mean()
            again += bool(same[i, j] and mask < 1e-3)
    return again, number


def loss_difference(theirs, ours):
    """Returns the largest difference of two dictionaries of losses."""
    if sorted(theirs) != sorted(ours):
        raise ValueError(
            "Both sides must have the same losses. Received: "
            f"{sorted(theirs)} and {sorted(ours)}"
        )
    return max(
        float(abs(ours[name] - theirs[name]) / abs(theirs[name]))
        for name in theirs
    )

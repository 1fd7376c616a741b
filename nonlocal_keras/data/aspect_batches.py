"""Which images make a batch: wide ones with wide ones, tall with tall."""

import numpy as np


def arrange(wide, batch_size, rng):
    """Draws the batches of an epoch.

    An epoch has `images // batch_size` batches, and no image twice. Wide and
    tall images fill batches of their own; those that are left of both share
    one, if they fill it. Fewer than `batch_size` images are left out, others
    in each epoch.

    Args:
        wide: Boolean array `(images,)`.
        batch_size: Integer, images per batch.
        rng: A `numpy.random.Generator`.

    Returns:
        Integer array `(batches, batch_size)` of places of images.
    """
    order = rng.permutation(len(wide))
    whole, rest = [], []
    for group in (order[wide[order]], order[~wide[order]]):
        end = len(group) // batch_size * batch_size
        whole.append(group[:end])
        rest.append(group[end:])
    rest = rng.permutation(np.concatenate(rest))
    mixed = rest[: len(rest) // batch_size * batch_size]
    batches = np.concatenate([*whole, mixed]).reshape(-1, batch_size)
    return rng.permutation(batches)

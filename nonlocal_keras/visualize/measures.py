"""A map of weights in numbers: how far it is from one that says nothing."""

import dataclasses

import numpy as np

# How the weights of a pairwise function are shown, where it is no softmax.
NOTES = {
    "dot_product": "dot product: weights are products over the number of "
    "keys, of either sign, and have no fixed sum; shares are of their sizes",
    "concatenation": "concatenation: weights are what ReLU lets through, over "
    "the number of keys, and have no fixed sum; shares are of their sum",
}


# Entropy from which a map is even for the eye: the block averages.
EVEN = 0.9999


@dataclasses.dataclass(frozen=True)
class Measures:
    """Numbers of the map of one query.

    Each share stands beside that of an even map, which gives all keys the
    same: a share means nothing alone. Signed weights count by their size.

    Attributes:
        strongest: Tuple of integers, the key of the largest weight.
        weight: Float, its weight.
        entropy: Float, from 0.0 for one key to 1.0 for an even map. `nan` if
            all weights are zero, as are the shares.
        same_frame: Float, the share of keys in the frame of the query.
            `None` without an axis of frames.
        same_frame_even: Float, the same of an even map.
        near: Float, the share of the key of the query and its neighbors, 3 x
            3 in the same frame (3 steps of a sequence).
        near_even: Float, the same of an even map.
        negative: Float, the share of negative weights.
    """

    strongest: tuple
    weight: float
    entropy: float
    same_frame: float | None
    same_frame_even: float | None
    near: float
    near_even: float
    negative: float

    @property
    def is_even(self):
        """Whether the map says nothing: the largest weight is of no note."""
        return self.entropy > EVEN

    def lines(self):
        """Returns lines of text for a picture or a terminal."""
        found = [
            "an even map: all keys alike"
            if self.is_even
            else f"strongest key {self.strongest}: {self.weight:.3g}",
            f"entropy {self.entropy:.2f} of 1 for an even map",
            f"within 1 cell {self.near:.0%} (even {self.near_even:.0%})",
        ]
        if self.same_frame is not None:
            found.append(
                f"same frame {self.same_frame:.0%} "
                f"(even {self.same_frame_even:.0%})"
            )
        if self.negative:
            found.append(f"negative {self.negative:.0%}")
        return found


def measure(attention, query=0):
    """Computes the numbers of the map of a query.

    Example:

    >>> model = zoo.load("nl_c2d_tiny_longrange")
    >>> clip = nonlocal_keras.visualize.read_clip("clip.mp4", model)
    >>> (first, last) = nonlocal_keras.visualize.attention(model, clip)
    >>> numbers = nonlocal_keras.visualize.measure(first)
    >>> 0.0 < numbers.entropy <= 1.0
    True

    Args:
        attention: A `nonlocal_keras.visualize.Attention`.
        query: Integer, which of its queries. Defaults to `0`.

    Returns:
        A `nonlocal_keras.visualize.Measures`.
    """
    attended = attention.attended[query]
    weights = np.where(attended, attention.weights[query], 0).astype("float64")
    sizes, even = np.abs(weights), attended / max(attended.sum(), 1)
    total = sizes.sum()
    shares = sizes / total if total else np.full(sizes.shape, np.nan)
    own = own_key(attention, query)
    near = _near(attention, own)
    has_frames = attention.clip.frames is not None
    (strongest, *_) = attention.strongest(query, 1)
    strongest = tuple(map(int, strongest))
    return Measures(
        strongest=strongest,
        weight=float(weights[strongest]),
        entropy=_entropy(shares[attended]),
        same_frame=float(shares[own[0]].sum()) if has_frames else None,
        same_frame_even=float(even[own[0]].sum()) if has_frames else None,
        near=float(shares[near].sum()),
        near_even=float(even[near].sum()),
        negative=float(shares[weights < 0].sum()),
    )


def own_key(attention, query=0):
    """Returns the key whose cell holds the middle of a query's cell."""
    found = []
    for cells, keys, i in zip(
        attention.query_cells, attention.key_cells, attention.queries[query]
    ):
        distance = np.abs(keys.mean(axis=1) - cells[i].mean())
        found.append(int(distance.argmin()))
    return tuple(found)


def _near(attention, own):
    """Slices of the key and its neighbors in the same frame."""
    around = [slice(max(i - 1, 0), i + 2) for i in own]
    if attention.clip.frames is not None:
        around[0] = slice(own[0], own[0] + 1)
    return tuple(around)


def _entropy(shares):
    if len(shares) < 2 or np.isnan(shares).any():
        return 0.0 if len(shares) == 1 else float("nan")
    positive = shares[shares > 0]
    entropy = -(positive * np.log(positive)).sum() / np.log(len(shares))
    return max(float(entropy), 0.0)  # Not -0.0.

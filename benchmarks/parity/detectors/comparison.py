"""Compares what two detectors find, object by object."""

import numpy as np

# Pixels, and probabilities.
TOLERANCE = {"boxes": 0.05, "scores": 1e-4, "masks": 1e-3, "keypoints": 0.5}
# Logits of heat maps, which spread by 4 (`weights.py`).
_SAME_MAXIMUM = 1e-3


class Comparison:
    """Sums up what is found in several images.

    Args:
        whole_pixels: Boolean, whether masks are drawn into whole pixels of
            their boxes, so that a tiny difference may move one by a pixel.
            Defaults to `False`.
        limit: Integer, the objects that both find in an image at most.
            Defaults to `None`.

    Attributes:
        images: Integer.
        objects: Integer, those that the project has found.
        other: Integer, those that only one of both has found.
        ties: Integer, those at another place of the order whose scores are
            as good as equal, those that the limit of objects leaves out for
            one of that kind, and keypoints at another place of heat maps whose
            maxima are so.
        swapped: Integer, those at another place without such an excuse.
        edges: Integer, those whose mask is drawn into other whole pixels,
            which is not compared.
        differences: Dictionary of the largest differences; those of masks
            without what that of their boxes explains.
    """

    def __init__(self, whole_pixels=False, limit=None):
        self.whole_pixels, self.limit = whole_pixels, limit
        self.images = self.objects = self.other = 0
        self.ties = self.swapped = self.edges = 0
        self.differences = {}

    @property
    def passed(self):
        """Whether all is the same, within the tolerance."""
        return (
            self.objects > 0
            and self.other == self.swapped == 0
            and all(gap < TOLERANCE[k] for k, gap in self.differences.items())
        )

    def add(self, ours, theirs):
        """Compares what was found in one image.

        Args:
            ours: Dictionary of arrays, see `found`.
            theirs: The same, of the project.
        """
        mine, other = match(distances(ours, theirs), TOLERANCE["boxes"])
        self.images += 1
        self.objects += len(theirs["labels"])
        for one, paired, last in ((ours, mine, theirs), (theirs, other, ours)):
            alone = np.delete(one["scores"], paired)
            # The limit of objects may fall between two equal scores.
            lowest = last["scores"].min(initial=1.0)
            tie = np.abs(alone - lowest) < TOLERANCE["scores"]
            tie &= len(ours["scores"]) == len(theirs["scores"]) == self.limit
            self.ties += int(tie.sum())
            self.other += int((~tie).sum())
        # Places among those that both have found.
        rank = np.argsort(np.argsort(mine))
        scores = theirs["scores"][other]
        moved = rank != np.arange(len(rank))
        tie = np.abs(scores - scores[rank]) < TOLERANCE["scores"]
        self.ties += int((moved & tie).sum())
        self.swapped += int((moved & ~tie).sum())
        for name in TOLERANCE:
            if name in theirs:
                gaps = np.abs(ours[name][mine] - theirs[name][other])
                if name == "masks":
                    boxes = ours["boxes"][mine], theirs["boxes"][other]
                    # A NaN stays one.
                    gaps = np.maximum(gaps - _moved(*boxes)[:, None, None], 0)
                if name == "masks" and self.whole_pixels:
                    same = _pixels(ours["boxes"][mine])
                    same = same == _pixels(theirs["boxes"][other])
                    self.edges += int((~same.all(axis=1)).sum())
                    gaps = gaps[same.all(axis=1)]
                if name == "keypoints" and "keypoint_scores" in theirs:
                    # Heat maps may have two maxima that are as good as equal.
                    maxima = [
                        found["keypoint_scores"][index]
                        for found, index in ((ours, mine), (theirs, other))
                    ]
                    equal = np.abs(maxima[0] - maxima[1]) < _SAME_MAXIMUM
                    far = (gaps >= TOLERANCE[name]).any(axis=-1)
                    self.ties += int((far & equal).sum())
                    gaps = gaps[~(far & equal)]
                known = self.differences.get(name, 0.0)
                # Which keeps what is no number.
                largest = np.maximum(known, gaps.max(initial=0))
                self.differences[name] = float(largest)


def _moved(ours, theirs):
    """Returns by how much a mask may differ since its box does, per object.

    Probabilities of 28 x 28 change by up to one from cell to cell, and cells
    are smaller than pixels where boxes are.
    """
    gaps = np.abs(ours - theirs).max(axis=-1, initial=0)
    sides = (theirs[:, 2:] - theirs[:, :2]).min(axis=-1, initial=np.inf)
    return gaps * 28 / np.maximum(sides, 1e-6)


def _pixels(boxes):
    """Returns the whole pixels into which torchvision draws masks."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    # A mask of 28 x 28 has a border of zeros there.
    half = (boxes[:, 2:] - boxes[:, :2]) / 2 * np.float32(30 / 28)
    return np.concatenate([middle - half, middle + half], axis=1).astype(int)


def distances(ours, theirs):
    """Returns how far apart two boxes are, of all pairs.

    Returns:
        Array `(n, m)` of the largest distance of their sides in pixels, which
        is infinite for objects of different classes.
    """
    gaps = np.abs(ours["boxes"][:, None] - theirs["boxes"]).max(-1, initial=0)
    return np.where(_same_class(ours, theirs), gaps, np.inf)


def misfits(ours, theirs):
    """Returns 1 - IoU of all pairs, and 2 for different classes."""
    mine, other = ours["boxes"][:, None], theirs["boxes"][None]
    low = np.maximum(mine[..., :2], other[..., :2])
    high = np.minimum(mine[..., 2:], other[..., 2:])
    shared = np.maximum(high - low, 0).prod(-1)
    areas = [(x[..., 2:] - x[..., :2]).prod(-1) for x in (mine, other)]
    iou = shared / (areas[0] + areas[1] - shared)
    return np.where(_same_class(ours, theirs), 1 - iou, 2)


def _same_class(ours, theirs):
    return ours["labels"][:, None] == theirs["labels"]


def match(gaps, limit):
    """Takes the nearest pairs, of which each row and column is in one.

    Args:
        gaps: Array `(n, m)`.
        limit: Float, the gap from which two are no pair.

    Returns:
        Two Integer arrays, the rows and the columns of all pairs, in the order
        of the columns.
    """
    pairs, free = [], np.ones(gaps.shape, bool)
    for index in np.argsort(gaps, axis=None, kind="stable"):
        row, column = np.unravel_index(index, gaps.shape)
        if gaps[row, column] >= limit:
            break
        if free[row, column]:
            free[row] = free[:, column] = False
            pairs.append((column, row))
    columns, rows = np.array(sorted(pairs), int).reshape(-1, 2).T
    return rows, columns

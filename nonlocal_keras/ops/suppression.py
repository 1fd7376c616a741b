"""Greedy non-maximum suppression with static shapes.

The boxes of a row are taken in the order of their scores; one that overlaps a
taken one too much is left out. Rows go through in tiles of the best boxes that
are left, and stop as soon as enough are taken, so that any number of
candidates costs little more than those that are needed.
"""

import math

from keras import ops

from nonlocal_keras.ops import boxes as box_ops

NEVER = -math.inf
_TILE = 512
# torchvision moves groups apart on a CPU up to this number of boxes, and
# compares groups beyond it.
_MOVED = 1000


def suppress(boxes, scores, count, iou_threshold, groups=None):
    """Returns the boxes of each row that greedy suppression keeps, best first.

    Boxes of equal scores are taken in their order in the row.

    Args:
        boxes: float32 tensor `(rows, n, 4)`, of a static `n`.
        scores: float32 tensor `(rows, n)`, `NEVER` for boxes to leave out.
        count: Integer, how many boxes of a row are kept at most.
        iou_threshold: Float, a box whose intersection over union with a kept
            one is above it is left out.
        groups: Integer tensor `(rows, n)`; boxes of different groups do not
            suppress each other. Defaults to `None`, one group.

    Returns:
        int32 tensor `(rows, count)` of places in the row, and a Boolean
        tensor of the same shape that is true where there is a box.
    """
    boxes, scores = ops.stop_gradient(boxes), ops.stop_gradient(scores)
    tile = min(_TILE, scores.shape[1])
    missing = -scores.shape[1] % tile
    if missing:
        boxes = ops.pad(boxes, ((0, 0), (0, missing), (0, 0)))
        scores = ops.pad(scores, ((0, 0), (0, missing)), constant_values=NEVER)
        if groups is not None:
            groups = ops.pad(groups, ((0, 0), (0, missing)))
    tiles = scores.shape[1] // tile
    # (tiles, rows, tile): `argsort` of every backend keeps the order of equals.
    order = ops.cast(ops.argsort(-scores, axis=1), "int32")
    order = ops.transpose(ops.reshape(order, (-1, tiles, tile)), (1, 0, 2))
    places = ops.arange(count, dtype="int32")[None]

    def look_up(index):
        chosen = ops.take_along_axis(boxes, index[..., None], axis=1)
        if groups is None:
            return chosen, None
        return chosen, ops.take_along_axis(groups, index, axis=1)

    def is_needed(number, kept, taken):
        del kept
        # The rows of a tile that has none, and of all after it, are through.
        best = _take_tile(order, ops.minimum(number, tiles - 1))[:, :1]
        left = ops.take_along_axis(scores, best, axis=1)[:, 0] > NEVER
        return (number < tiles) & ops.any(left & (taken < count))

    def take_tile(number, kept, taken):
        index = _take_tile(order, number)
        alive = ops.take_along_axis(scores, index, axis=1) > NEVER
        candidates = look_up(index)
        if tiles > 1:
            over = _overlap(look_up(kept), candidates, iou_threshold)
            is_kept = places < taken[:, None]
            alive = alive & ~ops.any(over & is_kept[..., None], axis=1)
        over = _overlap(candidates, candidates, iou_threshold)
        alive = _keep_greedily(alive, over)
        # The p-th place gets the box of the tile with which its count of
        # living boxes reaches what is missing up to p.
        living = ops.cumsum(ops.cast(alive, "int32"), axis=1)
        wanted = places + 1 - taken[:, None]
        found = ops.minimum(_count_below(living, wanted), tile - 1)
        fresh = (wanted > 0) & (wanted <= living[:, -1:])
        kept = ops.where(fresh, ops.take_along_axis(index, found, axis=1), kept)
        return number + 1, kept, ops.minimum(taken + living[:, -1], count)

    taken = ops.zeros_like(order[0, :, 0])
    kept = ops.zeros_like(taken[:, None] + places)
    start = (ops.convert_to_tensor(0, "int32"), kept, taken)
    _, kept, taken = ops.while_loop(is_needed, take_tile, start)
    return kept, places < taken[:, None]


def move_apart(boxes, groups, valid):
    """Moves boxes so that those of different groups do not meet, if few.

    `suppress` compares groups and needs no such thing. But torchvision moves
    boxes, in float32, whose rounding decides which of two boxes with an
    overlap next to the threshold stay. So the same is done where it does it.

    Args:
        boxes: float32 tensor `(rows, n, 4)`, none negative.
        groups: Integer tensor `(rows, n)`, or one that broadcasts to it.
        valid: Boolean tensor `(rows, n)`, which boxes count.

    Returns:
        float32 tensor like `boxes`.
    """
    largest = ops.max(
        ops.where(valid[..., None], boxes, 0.0), axis=(1, 2), keepdims=True
    )
    shift = ops.cast(groups, "float32")[..., None] * (largest + 1.0)
    number = ops.sum(ops.cast(valid, "int32"), axis=1)[:, None, None]
    return ops.where(number <= _MOVED, boxes + shift, boxes)


def _count_below(living, wanted):
    # Compared, not searched: other runtimes have no search in a sorted row.
    below = living[:, None] < wanted[..., None]  # (rows, count, tile)
    return ops.sum(ops.cast(below, "int32"), axis=-1)


def _take_tile(order, number):
    return ops.take(order, number, axis=0)


def _overlap(one, other, iou_threshold):
    """Returns which pairs `(rows, n, m)` of boxes exclude each other."""
    over = box_ops.iou(one[0], other[0]) > iou_threshold
    if one[1] is None:
        return over
    return over & (one[1][..., :, None] == other[1][..., None, :])


def _keep_greedily(alive, over):
    """Returns which boxes of a tile stay, given that they are in order.

    All are kept at first, and each step leaves out those that overlap a kept
    one before them. After step `n` the boxes are right that depend on a chain
    of at most `n` others, so this ends, mostly after a few steps.
    """
    size = alive.shape[1]
    index = ops.arange(size)
    over = over & (index[:, None] < index[None])

    def is_changing(kept, changed):
        del kept
        return changed

    def step(kept, changed):
        del changed
        new = alive & ~ops.any(over & kept[..., None], axis=1)
        return new, ops.any(new != kept)

    start = (alive, ops.convert_to_tensor(True, "bool"))
    return ops.while_loop(is_changing, step, start)[0]

"""Which box overlaps a reference most: anchors and proposals meet objects.

Tables of all pairs would be large, hundreds of thousands of anchors times
the objects of a crowded image. So boxes go by in small tiles.
"""

from keras import ops

from nonlocal_keras.ops import boxes as box_ops

_TILE = 16


def match(references, boxes, valid):
    """Finds the box that overlaps each reference most.

    Args:
        references: float32 tensor `(batch, n, 4)`, or `(1, n, 4)` for the
            same ones in all images.
        boxes: float32 tensor `(batch, m, 4)`, of at least one row.
        valid: Boolean tensor `(batch, m)`, which of them count.

    Returns:
        float32 tensor `(batch, n)`, the largest intersection over union of
        each reference with a box, 0 where there is none; int32 tensor
        `(batch, n)`, the row of that box, the first one of equals; Boolean
        tensor `(batch, n)`, true where no other reference overlaps some box
        more.
    """
    tiles = (ops.shape(boxes)[1] + _TILE - 1) // _TILE
    missing = tiles * _TILE - ops.shape(boxes)[1]
    boxes = ops.pad(boxes, ((0, 0), (0, missing), (0, 0)))
    valid = ops.pad(valid, ((0, 0), (0, missing)), constant_values=False)
    boxes = _tiles(boxes, (_TILE, 4))
    valid = _tiles(valid, (_TILE,))

    def is_left(number, *state):
        del state
        return number < tiles

    def look_at(number, overlap, index, is_best):
        there = ops.take(valid, number, axis=0)[:, None]  # (batch, 1, tile)
        found = box_ops.iou(references, ops.take(boxes, number, axis=0))
        found = ops.where(there, found, 0.0)  # (batch, n, tile)
        largest = ops.max(found, axis=2)
        row = ops.cast(ops.argmax(found, axis=2), "int32") + number * _TILE
        index = ops.where(largest > overlap, row, index)
        most = ops.max(found, axis=1, keepdims=True)
        # Of a box that nothing overlaps no reference is the best one.
        best = ops.any((found == most) & (most > 0.0), axis=2)
        return (
            number + 1,
            ops.maximum(overlap, largest),
            index,
            is_best | best,
        )

    # (batch, n), where references may be of one image for all.
    zero = ops.zeros_like(boxes[0, :, :1, 0]) + ops.zeros_like(
        references[..., 0]
    )
    start = (
        ops.convert_to_tensor(0, "int32"),
        zero,
        ops.cast(zero, "int32"),
        ops.cast(zero, "bool"),
    )
    return ops.while_loop(is_left, look_at, start)[1:]


def _tiles(x, shape):
    """Returns `(batch, tiles * _TILE, ...)` as `(tiles, batch, _TILE, ...)`."""
    x = ops.reshape(x, (ops.shape(x)[0], -1, *shape))
    return ops.swapaxes(x, 0, 1)

"""One block at work: its queries and keys for a clip, and where they lie."""

import keras
import numpy as np
from keras import ops

from nonlocal_keras.ops import positions
from nonlocal_keras.ops import weighted_sum

# Entries of the matrix of weights that are computed at once.
TILE = 2**22


class Look:
    """The queries and keys of a block for one input.

    Args:
        call: A `BlockCall` whose axes are known.
        inputs: Tensor, what the block was called on.
        mask: Tensor, its mask, or `None`.
        sizes: Tuple of integers, the length of the input of the model along
            each axis.
    """

    def __init__(self, call, inputs, mask, sizes):
        self.call, layer = call, call.layer
        self.theta, self.phi, options = layer.queries_and_keys(inputs, mask)
        self.key_mask = options.pop("mask")
        self.options = options
        shape = tuple(inputs.shape)
        last = layer.data_format == "channels_last"
        self.query_grid = shape[1:-1] if last else shape[2:]
        told = tuple(axis.size for axis in call.axes)
        if told != self.query_grid:
            raise ValueError(
                "The positions of a block can be placed only behind layers "
                "that are known to keep or move them. Received: block "
                f"{call.name!r}, which sees {self.query_grid} positions where "
                f"its layers tell {told}"
            )
        rank = len(self.query_grid)
        self.pool_size = layer.pool_size or (1,) * rank
        self.key_grid = self._key_grid(layer.frame_groups)
        self.query_sets = self._sets(self.query_grid)  # (sets, queries)
        self.key_sets = self._sets(self.key_grid)  # (sets, keys)
        self.query_cells = tuple(
            _within([axis.cell(i) for i in range(axis.size)], size)
            for axis, size in zip(call.axes, sizes)
        )
        self.key_cells = tuple(
            _within(self._pooled_cells(axis), size)
            for axis, size in enumerate(sizes)
        )

    def _key_grid(self, groups):
        first, *rest = self.query_grid
        # Each group of frames is pooled by itself.
        sizes = [first // groups, *rest]
        pooled = [n // p for n, p in zip(sizes, self.pool_size)]
        return (groups * pooled[0], *pooled[1:])

    def _sets(self, grid):
        """Numbers of the positions of a grid, in the order of the weights."""
        layer = self.call.layer
        numbers = np.arange(np.prod(grid), dtype="int32")
        numbers = ops.reshape(numbers, (1, *grid, 1))
        numbers = positions.split_frames(numbers, layer.frame_groups)
        numbers = positions.to_sets(numbers, layer.attended_axes)
        return keras.ops.convert_to_numpy(numbers)[..., 0]

    def _pooled_cells(self, axis):
        """Where the keys of an axis begin and end: the cells they pool."""
        groups = self.call.layer.frame_groups if axis == 0 else 1
        length = self.query_grid[axis] // groups
        pool = self.pool_size[axis]
        cell = self.call.axes[axis].cell
        return [
            (cell(first)[0], cell(first + pool - 1)[1])
            for group in range(groups)
            for first in range(
                group * length, group * length + length - pool + 1, pool
            )
        ]

    def weights(self, queries):
        """Computes the weights of some positions.

        Args:
            queries: List of tuples, positions in `query_grid`.

        Returns:
            Tuple of a float32 array `(queries, *key_grid)`, zero where a
            query does not attend, and a boolean array that tells where it
            does.
        """
        keys = int(np.prod(self.key_grid))
        weights = np.zeros((len(queries), keys), "float32")
        attended = np.zeros((len(queries), keys), bool)
        for i, query in enumerate(queries):
            number = np.ravel_multi_index(query, self.query_grid)
            (one_set,), (row,) = np.nonzero(self.query_sets == number)
            members = self.key_sets[one_set]
            weights[i, members] = self._rows(one_set, row, row + 1)[0]
            attended[i, members] = self._valid(one_set)
            self._check(query, weights[i], attended[i])
        shape = (len(queries), *self.key_grid)
        return weights.reshape(shape), attended.reshape(shape)

    def _check(self, query, weights, attended):
        name = self.call.name
        if not np.isfinite(weights).all():
            raise ValueError(
                f"The weights of block {name!r} must be finite; look for "
                "numbers that are not in the input and in the weights of the "
                f"model. Received: weights {weights.min()} to {weights.max()}"
            )
        if not attended.any():
            raise ValueError(
                f"A query of block {name!r} must attend to a key, and the mask "
                f"leaves none. Received: query {tuple(map(int, query))}"
            )

    def receives_most(self):
        """Returns the key to which all queries together give most weight.

        Signed weights count by their size. The rows of the matrix are computed
        in tiles.

        Returns:
            Tuple of integers, a position in `key_grid`.
        """
        received = np.zeros(int(np.prod(self.key_grid)))
        rows = max(TILE // self.key_sets.shape[1], 1)
        for one_set, members in enumerate(self.key_sets):
            for first in range(0, self.query_sets.shape[1], rows):
                tile = self._rows(one_set, first, first + rows)
                received[members] += np.abs(tile).sum(axis=0)
        best = np.unravel_index(received.argmax(), self.key_grid)
        return tuple(map(int, best))

    def _rows(self, one_set, first, last):
        """The weights (rows, keys) of some queries of a set."""
        mask = self.key_mask
        if mask is not None:
            mask = mask[one_set : one_set + 1]
        rows = weighted_sum.weights(
            self.theta[one_set : one_set + 1, first:last],
            self.phi[one_set : one_set + 1],
            mask=mask,
            **self.options,
        )
        return keras.ops.convert_to_numpy(rows)[0]

    def _valid(self, one_set):
        if self.key_mask is None:
            return True
        return keras.ops.convert_to_numpy(self.key_mask[one_set]) > 0.5


def _within(cells, size):
    """Cells `(positions, 2)`, cut off where the input ends."""
    return np.clip(np.array(cells, "float64").reshape(-1, 2), 0.0, size)

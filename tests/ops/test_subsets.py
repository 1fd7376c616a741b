"""Random subsets have the sizes that were asked for, and are random."""

import keras
import numpy as np
import pytest
from keras import ops

from nonlocal_keras.ops.subsets import draw_balanced
from tests.support.backends import numpy


def rows(*counts, n=40):
    """Positive and negative entries, so many of each per row, mixed."""
    rng = np.random.default_rng(0)
    kinds = [
        rng.permutation([1] * p + [2] * q + [0] * (n - p - q))
        for p, q in counts
    ]
    return np.array(kinds) == 1, np.array(kinds) == 2


def draw(positive, negative, count, fraction, seed=0):
    tensors = map(ops.convert_to_tensor, (positive, negative))
    index, drawn = map(numpy, draw_balanced(*tensors, count, fraction, seed))
    assert index.shape == drawn.shape == (len(positive), count)
    return [row[there].tolist() for row, there in zip(index, drawn)]


@pytest.mark.any_backend
@pytest.mark.parametrize(
    "found, expected",
    [
        # Enough of both; few positive ones; few negative ones; none.
        ((20, 20), (4, 12)),
        ((2, 30), (2, 14)),
        ((20, 3), (4, 3)),
        ((0, 30), (0, 16)),
        ((0, 0), (0, 0)),
    ],
)
def test_negatives_fill_up_what_positives_leave(found, expected):
    positive, negative = rows(found, (10, 10))
    taken = draw(positive, negative, count=16, fraction=0.25)[0]
    assert len(set(taken)) == len(taken)
    kinds = positive[0][taken]
    assert (kinds.sum(), (~kinds).sum()) == expected
    assert negative[0][taken].sum() == expected[1]
    # The positive ones come first.
    assert kinds[: expected[0]].all()


@pytest.mark.any_backend
def test_all_are_drawn_where_there_are_no_more():
    positive, negative = rows((5, 9))
    taken = draw(positive, negative, count=100, fraction=0.5)[0]
    assert sorted(taken) == np.nonzero(positive[0] | negative[0])[0].tolist()


def test_every_entry_is_drawn_equally_often():
    positive, negative = rows(*[(10, 30)] * 2000)
    taken = draw(positive, negative, count=8, fraction=0.5)
    counts = np.zeros(40)
    kinds = {True: 10, False: 30}
    for row, entries in enumerate(taken):
        for entry in entries:
            counts[entry] += 1 / 4 * kinds[bool(positive[row, entry])]
    # Each row has its own order, so entries of all kinds are mixed: 2000
    # draws, of a deviation of about 2% of the mean for each entry.
    assert np.abs(counts / 2000 - 1).max() < 0.25


def test_a_generator_gives_other_subsets_each_time_and_again_from_its_seed():
    positive, negative = rows((20, 20))

    def several():
        generator = keras.random.SeedGenerator(7)
        return [draw(positive, negative, 8, 0.5, generator) for _ in range(3)]

    first = several()
    assert first == several()
    assert first[0] != first[1] != first[2]

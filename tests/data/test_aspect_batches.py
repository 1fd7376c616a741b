"""Which images make a batch."""

import numpy as np
import pytest

from nonlocal_keras.data import aspect_batches


@pytest.mark.parametrize("batch_size", [1, 2, 3, 5])
@pytest.mark.parametrize("tall", [0, 1, 6, 20])
def test_an_epoch_has_no_image_twice_and_leaves_out_less_than_a_batch(
    tall, batch_size
):
    wide = np.arange(20) >= tall
    for seed in range(5):
        rng = np.random.default_rng(seed)
        found = aspect_batches.arrange(wide, batch_size, rng)
        assert found.shape == (20 // batch_size, batch_size)
        assert len(set(found.ravel())) == found.size


def test_at_most_one_batch_mixes_wide_and_tall():
    wide = np.random.default_rng(0).random(100) > 0.4
    for seed in range(20):
        rng = np.random.default_rng(seed)
        found = wide[aspect_batches.arrange(wide, 7, rng)]
        mixed = found.any(axis=1) & ~found.all(axis=1)
        assert mixed.sum() <= 1


def test_images_of_a_kind_are_left_out_equally_often():
    wide = np.arange(9) < 4
    drawn = [
        aspect_batches.arrange(wide, 2, np.random.default_rng(seed))
        for seed in range(3000)
    ]
    counts = np.bincount(np.ravel(drawn), minlength=9)
    assert (counts[wide] == 3000).all()
    # Five standard deviations of a count.
    assert abs(counts[~wide] - 2400).max() < 5 * (3000 * 4 / 25) ** 0.5


def test_the_kinds_come_in_any_order():
    wide = np.arange(8) < 4
    first = [
        wide[aspect_batches.arrange(wide, 2, np.random.default_rng(seed))[0, 0]]
        for seed in range(1000)
    ]
    assert abs(np.mean(first) - 0.5) < 5 * (0.25 / 1000) ** 0.5


def test_too_few_images_make_no_batch():
    rng = np.random.default_rng(0)
    assert aspect_batches.arrange(np.ones(3, bool), 4, rng).shape == (0, 4)

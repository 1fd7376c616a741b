"""What the shipped model looks at, in numbers, over 200 clips of the test.

The figures stand in docs/visualize.md, with what they do not say.
"""

import keras
import numpy as np
import pytest

import zoo
from nonlocal_keras.data import ClipSpec
from nonlocal_keras.data import longrange
from nonlocal_keras.ops import weighted_sum
from nonlocal_keras.visualize.block_calls import find_blocks
from nonlocal_keras.visualize.recording import block_inputs

NAME = "nl_c2d_tiny_longrange"
CLIPS, FIRST_SEED = 200, 2_000_000_000
# A cell is on a ring from this part of its pixels on.
COVERED = 0.1


def draw(seed):
    """A clip, its label, and the pixels of its first and second ring."""
    (first, second), cores = longrange.draw_relation(seed)
    clip, label = longrange.draw_clip(seed)
    rings = []
    # What changes with the color of a ring is the ring.
    for relation in (((first + 1) % 4, second), (first, (second + 1) % 4)):
        other, _ = longrange.draw_clip(seed, (relation, cores))
        rings.append(np.abs(clip.astype(int) - other).max(axis=-1) > 8)
    return clip, label, np.stack(rings)


@pytest.fixture(scope="module")
def clips():
    drawn = [draw(FIRST_SEED + i) for i in range(CLIPS)]
    return tuple(np.stack(part) for part in zip(*drawn))


@pytest.fixture(scope="module")
def model():
    return zoo.load(NAME)


def inputs_of(model, clips):
    spec = ClipSpec.from_config(model.preprocessing)
    return np.concatenate([spec.preprocess(clip) for clip in clips])


def cells_on_rings(call, rings):
    """Which positions of a block lie on the first and the second ring.

    Args:
        call: A `BlockCall`.
        rings: Booleans `(clips, 2, frames, height, width)`, of what the model
            sees.

    Returns:
        Booleans `(clips, 2, positions)`.
    """
    grid = [axis.size for axis in call.axes]
    on = np.zeros((len(rings), 2, *grid), bool)
    for position in np.ndindex(*grid):
        part = tuple(
            slice(*(max(round(edge), 0) for edge in axis.cell(i)))
            for axis, i in zip(call.axes, position)
        )
        covered = rings[(..., *part)].mean(axis=(2, 3, 4))
        on[(..., *position)] = covered >= COVERED
    return on.reshape(*on.shape[:2], -1)


def measured(model, clips, block):
    """The weights `(clips, queries, keys)` of a block, and cells on rings."""
    videos, _, rings = clips
    x = inputs_of(model, videos)
    calls = find_blocks(model, (1, *x.shape[1:]))
    (call,) = [c for c in calls if c.name == block]
    runs = block_inputs(model, x, calls)
    theta, phi, options = call.layer.queries_and_keys(
        runs[calls.index(call)][0]
    )
    weights = weighted_sum.weights(theta, phi, **options)
    # The clip takes every fourth frame, and the middle 32 of 36 pixels.
    seen = rings[:, :, ::4, 2:34, 2:34]
    return keras.ops.convert_to_numpy(weights), cells_on_rings(call, seen)


def share(weights, queries, keys):
    """The mean share of weight from queries to keys, and that of even maps."""
    among = np.einsum("cqk,cq,ck->c", weights, queries, keys)
    asked = queries.sum(axis=1)
    some = (asked > 0) & keys.any(axis=1)
    return (among[some] / asked[some]).mean(), keys[some].mean()


def accuracy(model, clips):
    videos, labels, _ = clips
    scores = keras.ops.convert_to_numpy(model(inputs_of(model, videos)))
    return (scores.argmax(axis=1) == labels).mean()


def test_the_answer_comes_through_weights_between_the_halves(model, clips):
    whole = accuracy(model, clips)
    blocks = [call.layer for call in find_blocks(model, (1, 4, 32, 32, 3))]
    for block in blocks:
        block.frame_groups = 2  # The badges are in different halves.
    try:
        cut = accuracy(model, clips)
    finally:
        for block in blocks:
            block.frame_groups = 1
    assert whole == pytest.approx(0.905, abs=0.02)
    assert cut == pytest.approx(0.5, abs=0.07)


def test_the_background_looks_at_the_rings_and_the_rings_look_away(
    model, clips
):
    weights, on = measured(model, clips, "nonlocal_res3_0")
    first, second = on[:, 0], on[:, 1]
    rings = first | second
    background, even = share(weights, ~rings, rings)
    assert even == pytest.approx(0.32, abs=0.02)
    assert background == pytest.approx(0.58, abs=0.05)
    between, chance = share(weights, second, first)
    assert chance == pytest.approx(0.17, abs=0.03)
    assert between == pytest.approx(0.04, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(
    "seed, expected", [(0, 0.27), (1, 0.37), (2, 0.48), (3, 0.80)]
)
def test_untrained_models_look_at_the_rings_more_or_less(clips, seed, expected):
    keras.utils.set_random_seed(seed)
    untrained = zoo.load(NAME, weights=False)
    weights, on = measured(untrained, clips, "nonlocal_res3_0")
    rings = on.any(axis=1)
    background, _ = share(weights, ~rings, rings)
    assert background == pytest.approx(expected, abs=0.02)

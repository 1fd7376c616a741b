"""Weights of asked queries are the rows of the matrix, in their places."""

import keras
import numpy as np
import pytest
from keras import layers

from nonlocal_keras import NonLocal1D
from nonlocal_keras import NonLocal2D
from nonlocal_keras import NonLocal3D
from nonlocal_keras import visualize
from nonlocal_keras.visualize import look
from tests.support.backends import all_slow_on_jax

pytestmark = [pytest.mark.any_backend, *all_slow_on_jax]

OPTIONS = {
    "plain": {},
    "gaussian": {"pairwise": "gaussian", "scale": 0.1},
    "dot_product": {"pairwise": "dot_product"},
    "concatenation": {"pairwise": "concatenation"},
    "pooled": {"pool_size": (1, 2, 2)},
    "pooled-first": {"pool_size": (2, 2, 2), "pool_first": True},
    "groups": {"frame_groups": 2},
    "space": {"attend_axes": "space", "pool_size": (1, 2, 2)},
    "time": {"attend_axes": "time"},
    "columns": {"attend_axes": (0, 2)},
}
SIZES = (4, 6, 5)


def clip(*sizes, channels=4):
    rng = np.random.default_rng(0)
    return rng.normal(size=(1, *sizes, channels)).astype("float32")


def model_of(block, shape):
    inputs = keras.Input(shape)
    return keras.Model(inputs, block(inputs))


def placed(scores, options, query, sizes=SIZES):
    """The row of a query out of scores `(sets, queries, keys)`, as a map."""
    pool = options.get("pool_size", (1, 1, 1))
    groups = options.get("frame_groups", 1)
    axes = {"space": (1, 2), "time": (0,)}.get(
        options.get("attend_axes"), options.get("attend_axes", (0, 1, 2))
    )

    def order(grid):
        """Positions by set: groups, then the axes that do not attend."""
        number = np.arange(np.prod(grid)).reshape(
            groups, grid[0] // groups, *grid[1:]
        )
        kept = [a + 1 for a in range(3) if a not in axes]
        number = number.transpose(0, *kept, *(a + 1 for a in axes))
        attended = np.prod([number.shape[-1 - i] for i in range(len(axes))])
        return number.reshape(-1, attended)

    keys = [n // p for n, p in zip(sizes, pool)]
    scores = scores.reshape(-1, *scores.shape[-2:])
    number = np.ravel_multi_index(query, sizes)
    ((one_set, row),) = np.argwhere(order(sizes) == number)
    expected = np.zeros(int(np.prod(keys)))
    expected[order(keys)[one_set]] = scores[one_set, row]
    return expected.reshape(keys)


@pytest.mark.parametrize("name", OPTIONS)
def test_the_weights_are_rows_of_the_scores(name):
    options, x = OPTIONS[name], clip(*SIZES)
    block = NonLocal3D(name="b", **options)
    model = model_of(block, x.shape[1:])
    _, scores = block(x, return_attention_scores=True)
    scores = keras.ops.convert_to_numpy(scores)
    queries = [(0, 0, 0), (3, 5, 4), (2, 1, 3)]
    (found,) = visualize.attention(model, x, queries, index=True)
    for i, query in enumerate(queries):
        expected = placed(scores, options, query)
        np.testing.assert_allclose(
            found.weights[i], expected, rtol=1e-5, atol=1e-6
        )
        assert not found.weights[i][~found.attended[i]].any()
    assert found.key_grid == found.weights.shape[1:]


def test_only_the_rows_of_the_queries_are_computed(monkeypatch):
    shapes = []
    weights = look.weighted_sum.weights

    def spy(theta, phi, **options):
        shapes.append((theta.shape[1], phi.shape[1]))
        return weights(theta, phi, **options)

    monkeypatch.setattr(look.weighted_sum, "weights", spy)
    x = clip(*SIZES)
    model = model_of(NonLocal3D(implementation="streamed"), x.shape[1:])
    visualize.attention(model, x, (0, 0, 0))
    assert shapes == [(1, 120)]


def test_the_model_runs_once():
    x, runs = clip(8), []
    inputs = keras.Input((8, 4))
    y = layers.Lambda(lambda t: runs.append(t) or t, output_shape=(8, 4))(
        inputs
    )
    model = keras.Model(inputs, NonLocal1D()(NonLocal1D()(y)))
    runs.clear()
    assert len(visualize.attention(model, x)) == 2
    assert len(runs) == 1


def test_without_a_query_it_is_the_position_that_receives_most(monkeypatch):
    x = clip(*SIZES)
    block = NonLocal3D(pairwise="dot_product")
    model = model_of(block, x.shape[1:])
    _, scores = block(x, return_attention_scores=True)
    received = np.abs(keras.ops.convert_to_numpy(scores)[0]).sum(axis=0)
    # Rows come in tiles.
    monkeypatch.setattr(look, "TILE", 1000)
    (found,) = visualize.attention(model, x)
    assert np.ravel_multi_index(found.queries[0], SIZES) == received.argmax()


def test_all_blocks_are_asked_at_the_place_that_the_last_one_chose():
    x = clip(16, 16)
    inputs = keras.Input((16, 16, 4))
    y = NonLocal2D(name="fine")(inputs)
    y = layers.Conv2D(4, 4, 4)(y)
    model = keras.Model(inputs, NonLocal2D(name="coarse")(y))
    fine, coarse = visualize.attention(model, x)
    for axis in range(2):
        middle = fine.query_cells[axis][fine.queries[0][axis]].mean()
        start, stop = coarse.query_cells[axis][coarse.queries[0][axis]]
        assert start <= middle <= stop


def test_masked_keys_are_not_attended_to():
    x = clip(10)
    x[:, 7:] = 0.0
    inputs = keras.Input((10, 4))
    model = keras.Model(inputs, NonLocal1D()(layers.Masking()(inputs)))
    (found,) = visualize.attention(model, x, (0,))
    assert found.attended[0].tolist() == [True] * 7 + [False] * 3
    assert found.weights[0].sum() == pytest.approx(1.0, abs=1e-5)


def test_channels_may_come_first():
    x = clip(6, 5)
    last, first = (
        NonLocal2D(data_format=f) for f in ("channels_last", "channels_first")
    )
    models = model_of(last, (6, 5, 4)), model_of(first, (4, 6, 5))
    first.set_weights(last.get_weights())
    maps = [
        visualize.attention(model, y, (5, 0))[0]
        for model, y in zip(models, (x, np.moveaxis(x, -1, 1)))
    ]
    np.testing.assert_allclose(maps[0].weights, maps[1].weights, atol=1e-5)
    assert maps[1].query_grid == (6, 5)


def test_pooled_keys_lie_over_the_cells_they_pool():
    x = clip(*SIZES)
    block = NonLocal3D(pool_size=(1, 2, 2), frame_groups=2)
    (found,) = visualize.attention(model_of(block, x.shape[1:]), x, (0, 0, 0))
    frames, rows, columns = found.key_cells
    assert frames.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]
    assert rows.tolist() == [[0, 2], [2, 4], [4, 6]]
    # The last column is in no pool.
    assert columns.tolist() == [[0, 2], [2, 4]]


def test_groups_of_frames_that_the_pool_does_not_divide_start_anew():
    x = clip(6, 2, 2)
    block = NonLocal3D(pool_size=(2, 1, 1), frame_groups=2)
    (found,) = visualize.attention(model_of(block, x.shape[1:]), x, (0, 0, 0))
    assert found.key_cells[0].tolist() == [[0, 2], [3, 5]]


def test_the_strongest_come_first_and_are_attended_to():
    x = clip(*SIZES)
    block = NonLocal3D(pairwise="dot_product", attend_axes="time")
    (found,) = visualize.attention(model_of(block, x.shape[1:]), x, (1, 2, 3))
    keys = found.strongest(0, top=20)
    assert len(keys) == 4
    assert {tuple(key[1:]) for key in keys} == {(2, 3)}
    sizes = [abs(found.weights[0][tuple(key)]) for key in keys]
    assert sizes == sorted(sizes, reverse=True)


def test_an_unknown_block_is_refused_with_the_names():
    model = model_of(NonLocal1D(name="middle"), (8, 4))
    with pytest.raises(ValueError, match="'midle'. Did you mean 'middle'"):
        visualize.attention(model, clip(8), block="midle")


def test_an_input_of_another_shape_is_refused():
    model = model_of(NonLocal1D(), (8, 4))
    with pytest.raises(ValueError, match=r"of shape \(1, 8, 4\)"):
        visualize.attention(model, clip(9))


def test_a_block_that_cannot_be_placed_is_refused_with_the_layer():
    inputs = keras.Input((8, 4))
    y = layers.Reshape((4, 8), name="fold")(inputs)
    model = keras.Model(inputs, NonLocal1D(name="b")(y))
    with pytest.raises(ValueError, match="block 'b' behind 'fold'"):
        visualize.attention(model, clip(8))


def test_the_layer_is_left_as_it_was():
    block = NonLocal1D()
    model = model_of(block, (8, 4))
    visualize.attention(model, clip(8))
    assert "call" not in vars(block)


def test_weights_that_are_no_numbers_are_said():
    model = model_of(NonLocal1D(name="b"), (8, 4))
    with pytest.raises(ValueError, match="block 'b' must be finite"):
        visualize.attention(model, np.full((1, 8, 4), np.nan), (0,))


def test_a_query_without_a_key_is_said():
    inputs = keras.Input((10, 4))
    model = keras.Model(inputs, NonLocal1D()(layers.Masking()(inputs)))
    with pytest.raises(ValueError, match="the mask leaves none"):
        visualize.attention(model, np.zeros((1, 10, 4)), (0,))


def test_a_model_that_cannot_run_is_a_sentence():
    def broken(x):
        raise RuntimeError("no such place")

    inputs = keras.Input((10, 4))
    x = layers.Lambda(broken, output_shape=(10, 4))(inputs)
    model = keras.Model(inputs, NonLocal1D()(x))
    with pytest.raises(ValueError, match="could not run.*no such place"):
        visualize.attention(model, clip(10), (0,))


@pytest.mark.parametrize("block", [[], 3])
def test_no_block_at_all_is_refused(block):
    model = model_of(NonLocal1D(), (8, 4))
    with pytest.raises(ValueError, match="a name or a list of names"):
        visualize.attention(model, clip(8), block=block)

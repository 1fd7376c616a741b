"""What a model of non-local blocks says of its memory."""

import keras
import pytest

import nonlocal_keras

SHAPE = (8, 8, 8, 16)


def table(shape=SHAPE, **options):
    inputs = keras.Input((None, None, None, 16))
    layer = nonlocal_keras.NonLocal3D(name="block", **options)
    model = keras.Model(inputs, layer(inputs))
    return nonlocal_keras.memory_estimate(model, shape)


def estimate(shape=SHAPE, **options):
    (block,) = table(shape, **options)
    return block


def test_matrix_holds_every_pair_in_float32():
    block = estimate(pool_size=(1, 2, 2))
    assert (block.queries, block.keys) == (512, 128)
    assert block.matrix == 512 * 128 * 4
    assert block.name == "block"


def test_sets_of_positions_add_up():
    block = estimate(attend_axes="space")
    assert (block.queries, block.keys) == (64, 64)
    assert block.matrix == 8 * 64 * 64 * 4


@pytest.mark.parametrize(
    "pairwise",
    ["gaussian", "embedded_gaussian", "dot_product", "concatenation"],
)
def test_only_the_matrix_grows_with_the_square(pairwise):
    small, large = (
        estimate((frames, 56, 56, 16), pairwise=pairwise) for frames in (4, 16)
    )
    assert large.matrix == 16 * small.matrix
    assert large.streamed <= 4.1 * small.streamed
    assert large.streamed < large.matrix / 10


def test_it_tells_which_form_the_layer_uses():
    assert estimate().implementation == "matrix"
    assert estimate(implementation="streamed").implementation == "streamed"
    assert estimate((16, 28, 28, 16)).implementation == "streamed"
    line = str(table((16, 28, 28, 16))).splitlines()[-1]
    assert line.split()[0] == "block" and "12544 x 12544" in line
    assert "629.4 MB" in line and line.endswith("uses streamed")


def test_it_prints_nothing_itself(capsys):
    estimate()
    assert not capsys.readouterr().out


def test_unknown_sizes_are_asked_for():
    with pytest.raises(ValueError, match="`input_shape` must be given"):
        estimate(None)

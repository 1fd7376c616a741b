"""Pictures hold what the maps hold."""

import dataclasses
import io

import av
import keras
import numpy as np
import pytest
from matplotlib import patches
from PIL import Image

from nonlocal_keras import NonLocal1D
from nonlocal_keras import NonLocal2D
from nonlocal_keras import NonLocal3D
from nonlocal_keras import visualize
from nonlocal_keras.visualize import saving

BLOCKS = {1: NonLocal1D, 2: NonLocal2D, 3: NonLocal3D}


def maps(*sizes, query=None, **options):
    """The maps of two blocks, over an input of one to three axes."""
    x = np.random.default_rng(0).normal(size=(1, *sizes, 4)).astype("float32")
    inputs = keras.Input(x.shape[1:])
    block = BLOCKS[len(sizes)]
    y = block(name="first", **options)(inputs)
    model = keras.Model(inputs, block(name="second", **options)(y))
    return visualize.attention(model, x, query)


def arrows(figure):
    # Each is drawn twice: a dark one below.
    found = [
        a for a in figure.artists if isinstance(a, patches.ConnectionPatch)
    ]
    return found[1::2]


def words(figure):
    return " ".join(
        text.get_text()
        for axes in figure.axes
        for text in (*axes.texts, axes.title)
    )


def test_arrows_lead_to_the_largest_weights_and_fade():
    found = maps(3, 6, 6, query=(1, 0.5, 0.5))[0]
    figure = visualize.figure(found, style="arrows", top=5)
    drawn = arrows(figure)
    expected = [found.weights[0][tuple(k)] for k in found.strongest(top=5)]
    opacity = [arrow.get_alpha() for arrow in drawn][::-1]
    np.testing.assert_allclose(opacity, np.array(expected) / expected[0])
    heads = {tuple(arrow.xy2) for arrow in drawn}
    assert heads == {(k[2] + 0.5, k[1] + 0.5) for k in found.strongest(top=5)}


def test_a_row_has_a_picture_per_frame_of_the_keys():
    figure = visualize.figure(maps(3, 6, 6), style="heat")
    titles = [a.get_title() for a in figure.axes if a.get_title()]
    assert titles == 2 * ["frame 0", "frame 1", "frame 2"]
    assert "first" in words(figure) and "second" in words(figure)


def test_of_many_frames_those_of_the_query_and_the_largest_are_shown():
    found = maps(12, 2, 2, query=(7, 0, 0))[0]
    figure = visualize.figure(found, style="arrows", frames=3)
    assert "frame 7" in words(figure)
    assert (
        words(figure).count("frame ") - words(figure).count("same frame") == 3
    )
    assert "of the largest lie in other frames" in words(figure)


def test_frames_that_are_not_attended_to_are_said():
    found = maps(3, 4, 4, query=(1, 0, 0), attend_axes="space")[0]
    assert words(visualize.figure(found)).count("not attended to") == 4


def test_negative_weights_are_dashed_and_said():
    found = maps(2, 4, 4, query=(0, 0, 0), pairwise="dot_product")[0]
    figure = visualize.figure(found, style="arrows", top=32)
    weights = [found.weights[0][tuple(k)] for k in found.strongest(top=32)]
    dashed = [a for a in arrows(figure) if a.get_linestyle() != "solid"]
    solid = len(arrows(figure)) - len(dashed)
    assert (solid, len(dashed)) == (
        sum(w > 0 for w in weights),
        sum(w < 0 for w in weights),
    )
    assert "of either sign" in figure.get_supxlabel()


def test_an_image_has_one_picture_and_a_sequence_bars():
    image = visualize.figure(maps(6, 8)[0], style="both")
    assert sum(bool(axes.images) for axes in image.axes) == 2
    steps = visualize.figure(maps(10)[0])
    assert not any(axes.images for axes in steps.axes)
    assert len(steps.axes[0].collections[0].get_paths()) == 10


def test_titles_name_the_rows():
    found = maps(6, 8)
    figure = visualize.figure(found, titles=["before", "after"], style="heat")
    assert "before" in words(figure) and "after" in words(figure)
    with pytest.raises(ValueError, match="must hold 2 strings"):
        visualize.figure(found, titles=["before"])


@pytest.mark.parametrize("style", ["line", None])
def test_an_unknown_style_is_refused(style):
    with pytest.raises(ValueError, match="`style` must be one of"):
        visualize.figure(maps(6, 8), style=style)


@pytest.mark.parametrize("suffix", saving.SUFFIXES)
def test_a_picture_is_written_whole(tmp_path, suffix):
    path = tmp_path / f"look{suffix}"
    path.write_text("older")
    saving.save(visualize.figure(maps(2, 4, 4)), path)
    assert path.stat().st_size > 5000
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_an_animation_has_a_picture_per_frame_of_the_clip(tmp_path):
    found = maps(3, 4, 6)[0]
    visualize.animate(found, tmp_path / "look.gif")
    with Image.open(tmp_path / "look.gif") as gif:
        assert gif.n_frames == 3
    visualize.animate(found, tmp_path / "look.mp4", fps=2)
    with av.open(str(tmp_path / "look.mp4")) as container:
        assert len(list(container.decode(video=0))) == 3


def test_what_does_not_play_is_not_animated(tmp_path):
    with pytest.raises(ValueError, match="must be of a clip"):
        visualize.animate(maps(6, 8)[0], tmp_path / "look.gif")
    with pytest.raises(ValueError, match=r"must end in \.gif, \.mp4"):
        visualize.animate(maps(2, 4, 4)[0], tmp_path / "look.avi")
    assert not list(tmp_path.iterdir())


def test_an_even_map_has_no_arrows_and_is_said():
    found = maps(2, 4, 4, query=(0, 0, 0))[0]
    even = np.full_like(found.weights, 1 / 32)
    figure = visualize.figure(
        dataclasses.replace(found, weights=even), style="arrows"
    )
    assert not arrows(figure)
    assert "an even map" in words(figure)


def test_names_that_are_no_plain_text_are_drawn_as_they_are():
    found = dataclasses.replace(maps(6, 8)[0], block="$\\frac{a$\x1b")
    assert "$\\frac{a$\\x1b" in words(visualize.figure(found))
    drawn = visualize.figure(found)
    drawn.savefig(io.BytesIO(), format="png")


def test_a_picture_of_too_many_rows_is_refused():
    found = maps(10, query=[(i % 10,) for i in range(41)])[0]
    with pytest.raises(ValueError, match="at most 40 rows.*41 rows"):
        visualize.figure(found)


@pytest.mark.parametrize("name", ["top", "frames"])
def test_numbers_that_draw_nothing_are_refused(name):
    with pytest.raises(ValueError, match=f"`{name}` must be a positive"):
        visualize.figure(maps(2, 4, 4), **{name: 0})


def test_an_animation_is_of_a_query_that_was_asked(tmp_path):
    found = maps(2, 4, 4)[0]
    with pytest.raises(ValueError, match="one of 1, counted"):
        visualize.animate(found, tmp_path / "look.gif", query=1)
    with pytest.raises(ValueError, match="`fps` must be a positive"):
        visualize.animate(found, tmp_path / "look.gif", fps=0)

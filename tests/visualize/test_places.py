"""A bright square is found where the cells say that it is, in the source."""

import keras
import numpy as np
import pytest

from nonlocal_keras import models
from nonlocal_keras import visualize
from nonlocal_keras.data import ClipSpec
from nonlocal_keras.models.video.variants import FAMILIES
from nonlocal_keras.visualize.block_calls import find_blocks
from nonlocal_keras.visualize.recording import block_inputs
from tests.support import videos
from tests.support.marks import mostly_slow

# Of the video: frames, height and width; the square, and how it moves.
FRAMES, HEIGHT, WIDTH, SIDE = 40, 96, 160, 8
PLACES = [(14, 30, 60), (25, 60, 90)]


def averaging(model):
    """Makes all kernels averages, which blur the square and never move it."""
    for layer in model._flatten_layers():
        weights = layer.get_weights() if not layer._layers else []
        for place, value in enumerate(weights):
            if value.ndim > 1:
                fan = np.prod(value.shape[:-1])
                weights[place] = np.full_like(value, 1 / fan)
        if weights:
            layer.set_weights(weights)


def model_of(family):
    """A short network with the stem and stages of a family."""
    options = {} if family == "tiny" else {"stem_width": 8}
    backbone = models.video_resnet(
        "i3d" if family not in ("tiny", "tsm", "mmaction2_tsm") else "c2d",
        family=family,
        stage_blocks=(1, 1, 1, 1),
        non_local={"res3": (0,), "res4": (0,)},
        input_shape=(32, 64, 64, 3),
        **options,
    )
    # Not below zero, so that every ReLU lets through what comes.
    pixels = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
    spec = ClipSpec(32, 1, size=64, short_side=(72, 72), **pixels)
    model = models.VideoClassifier(backbone, 2, preprocessing=spec.to_config())
    averaging(backbone)
    return model


def video(path, place=None):
    """A dark video; at a frame and pixel a square appears for 4 frames."""
    frames = [np.full((HEIGHT, WIDTH, 3), 16, "uint8") for _ in range(FRAMES)]
    if place is not None:
        frame, row, column = place
        for image in frames[frame - 2 : frame + 2]:
            half = SIDE // 2
            image[row - half : row + half, column - half : column + half] = 235
    return videos.write_images(path, frames, crf="5")


@mostly_slow(pytest.mark.parametrize("family", list(FAMILIES)), 1)
def test_the_cells_of_a_family_lie_where_its_features_answer(family, tmp_path):
    model = model_of(family)
    dark = visualize.read_clip(video(tmp_path / "dark.mp4"), model)
    calls = find_blocks(model, dark.inputs.shape)
    quiet = block_inputs(model, dark.inputs, calls)
    for number, place in enumerate(PLACES):
        path = video(tmp_path / f"{number}.mp4", place)
        clip = visualize.read_clip(path, model)
        answers = block_inputs(model, clip.inputs, calls)
        maps = visualize.attention(model, clip, (0.5, 0.5, 0.5))
        for found, (x, _), (y, _) in zip(maps, quiet, answers, strict=True):
            answer = keras.ops.convert_to_numpy(y - x)[0]
            answer = np.abs(answer).sum(axis=-1)
            assert answer.max() > 1e-6
            for axis, expected in enumerate(place):
                others = tuple(a for a in range(3) if a != axis)
                best = answer.sum(axis=others).argmax()
                start, stop = found.source_query_cells[axis][best]
                cell = max(stop - start, 1)
                middle = (start + stop) / 2
                assert abs(middle - expected) <= cell, (found.block, axis)

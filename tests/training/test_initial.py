"""What a run starts from: `init` of its recipe."""

import dataclasses
import json

import numpy as np
import pytest

from nonlocal_keras import models
from nonlocal_keras.convert.identify import find_source
from nonlocal_keras.training import experiments
from nonlocal_keras.training import initial as initials
from nonlocal_keras.training.detection import detector
from nonlocal_keras.training.video import classifier
from nonlocal_keras.training.video import finetune
from tests.support import checkpoint_names as names
from tests.support import checkpoint_writers as w
from tests.support.paths import GOLDEN
from tests.support.random_weights import randomize

RECIPE = experiments.get_experiment("longrange").override(
    {"frames": 4, "size": 32}
)


def build(name="nl_c2d_tiny", recipe=RECIPE, classes=("a", "b")):
    return classifier.build_model(recipe, name, len(classes))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A baseline of two classes in a file."""
    path = tmp_path_factory.mktemp("models") / "own.keras"
    model = randomize(build("c2d_tiny"))
    model.labels = ("a", "b")
    model.save(path)
    return path, model


def start(model, folder, init, recipe=RECIPE, classes=("a", "b")):
    said = []
    recipe = dataclasses.replace(recipe, init=str(init))
    initial = initials.open_initial(str(init))
    classifier.start(model, recipe, initial, classes, folder, said.append)
    return "\n".join(said)


def test_random_weights_have_no_source():
    assert initials.open_initial("") is None
    assert initials.open_initial("none") is None


def test_blocks_in_front_of_an_own_baseline(saved, tmp_path):
    path, source = saved
    model = build()
    said = start(model, tmp_path, path)
    clip = np.random.default_rng(0).normal(size=(1, 4, 32, 32, 3)).astype("f4")
    np.testing.assert_allclose(model(clip), source(clip), atol=1e-5)
    assert "2 new blocks are the identity until they are trained" in said
    assert "fresh classifier" not in said
    names = json.loads((tmp_path / "init.json").read_text())
    assert names["origin"] == str(path)
    assert "nonlocal_res3_0.theta.kernel" in names["fresh"]


def test_other_classes_have_a_fresh_classifier_and_it_is_said(saved, tmp_path):
    path, source = saved
    # As many, but others.
    model = build("c2d_tiny")
    said = start(model, tmp_path, path, classes=("a", "c"))
    assert "fresh classifier of 2 classes" in said
    kernels = [m.get_layer("pred").kernel.numpy() for m in (model, source)]
    assert np.abs(kernels[0] - kernels[1]).max() > 0.1


def test_frozen_statistics_are_those_that_were_taken_over(saved, tmp_path):
    recipe = RECIPE.override({"statistics": "frozen"})
    model = build(recipe=recipe)
    start(model, tmp_path, saved[0], recipe)
    assert not model.backbone.get_layer("res3_0_branch1_bn").trainable
    # With a frozen gamma of zero a new block would never learn.
    assert model.backbone.get_layer("nonlocal_res3_0").norm.trainable


def test_frozen_normalizations_of_random_weights_are_warned_of(tmp_path):
    recipe = RECIPE.override({"statistics": "frozen"})
    said = start(build(recipe=recipe), tmp_path, "none", recipe)
    assert "warning: nl_c2d_tiny: its normalizations are frozen" in said
    recipe = experiments.get_experiment("longrange_shapes").override(
        {"normalization": "frozen"}
    )
    model = detector.build_model(
        recipe, "mask_rcnn_tiny_fpn", None, ("background", "a")
    )
    said = []
    detector.fill(model, recipe, None, tmp_path, said.append)
    assert "it starts from random weights" in said[0]


def test_another_stem_of_the_source_is_said(saved, tmp_path):
    backbone = models.from_name(
        "c2d_tiny", stem_strides=(1, 2, 2), input_shape=(4, 32, 32, 3)
    )
    model = models.VideoClassifier(backbone, 2)
    said = start(model, tmp_path, saved[0])
    assert "stem_strides (1, 4, 4) there, (1, 2, 2) here" in said


@pytest.mark.parametrize(
    "file, source",
    [
        ("vnl_i3d_nonlocal_8x8_r50_width8.pkl", "vnl"),
        ("pyslowfast_c2d_8x8_r50_width8.pyth", "pyslowfast"),
        ("mmaction2_i3d_r50_nl_dot_product_width8.pth", "mmaction2"),
        ("gluoncv_i3d_nl5_r50_width8.params", "gluoncv"),
        ("tsm_r50_nl_width8.pth", "tsm"),
    ],
)
def test_published_files_are_told_by_their_names(file, source):
    assert find_source(GOLDEN / file) == (source, True)


@pytest.mark.slow
def test_a_published_file_is_a_source():
    path = GOLDEN / "vnl_i3d_nonlocal_8x8_r50_width8.pkl"
    initial = initials.open_initial(str(path))
    assert isinstance(initial.model, models.VideoClassifier)
    assert initial.short_name == "vnl_i3d_nonlocal_8x8_r50_width8"


def test_a_2d_network_is_inflated_into_a_video_network(tmp_path):
    flat = w.network(**w.DENSE, places=None, stage_blocks=(1, 1, 1, 1))
    path = tmp_path / "resnet50-drawn.pth"
    path.write_bytes(
        w.torch_file(w.tensors(flat, names.TorchVision(), flat=True))
    )
    backbone = models.from_name(
        "i3d_tiny", stem_width=4, input_shape=(4, 32, 32, 3)
    )
    model = models.VideoClassifier(backbone, 2, name="i3d_tiny")
    said = start(model, tmp_path, path)
    assert "| of these inflated, divided by the number of frames | 5 |" in said
    assert "fresh classifier of 2 classes" in said
    kernel = model.backbone.get_layer("res2_0_branch2a").kernel.numpy()
    theirs = flat.backbone.get_layer("res2_0_branch2a").kernel.numpy()
    np.testing.assert_allclose(kernel[1], theirs[0] / 3, rtol=1e-5)


@pytest.mark.parametrize(
    "init, words",
    [
        ("no_such_model", "`init`='no_such_model'.*"),
        ("folder/model.pth", "`init` must be a file that exists"),
        ("gone.keras", "`init` must be a name of .* or a .keras file"),
    ],
)
def test_what_is_not_there_is_refused(init, words):
    with pytest.raises(ValueError, match=words):
        initials.open_initial(init)


def test_keras_has_no_weights_of_every_network():
    initial = initials.open_initial("imagenet")
    with pytest.raises(ValueError, match="Received: init='imagenet' for Re"):
        initials.read_depth(initial, 152, groups=32)
    with pytest.raises(ValueError, match="for ResNet-14"):
        initials.read_depth(initial, 14, groups=1)


# Detectors


LABELS = ("background", "a", "b")
SHAPES = experiments.get_experiment("longrange_shapes")


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A baseline with habits of its own, and what a run makes of it."""
    folder = tmp_path_factory.mktemp("models")
    source = models.from_name(
        "faster_rcnn_tiny_fpn",
        num_classes=3,
        labels=LABELS,
        normalization="batch",
        strided="1x1",
        mean=(0.4, 0.5, 0.6),
        std=(0.1, 0.2, 0.3),
        roi_aligned=True,
    )
    randomize(source).save(folder / "own.keras")
    recipe = dataclasses.replace(SHAPES, init=str(folder / "own.keras"))
    name = "nl_faster_rcnn_tiny_fpn"
    start = detector.read_start(recipe, name)
    model = detector.build_model(
        recipe, name, None, LABELS, options=start.options
    )
    said = []
    detector.fill(model, recipe, start, folder, said.append)
    return source, model, said


def test_a_detector_goes_on_as_the_one_it_starts_from(pair):
    source, model, said = pair
    for key in ("mean", "std", "roi_aligned"):
        assert model.get_config()[key] == source.get_config()[key]
    assert model.backbone.get_config()["strided"] == "1x1"
    image = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype("f4")
    ours, theirs = (m.backbone(image)["res5"] for m in (model, source))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    kernels = [
        m.get_layer("box_head").get_layer("box_class").kernel.numpy()
        for m in (model, source)
    ]
    np.testing.assert_array_equal(*kernels)
    assert "| fresh" not in said[1]
    assert "| new blocks, as they begin | 8 | nonlocal_res4[0] |" in said[1]


def test_stem_and_first_stage_stay_as_they_were_trained(pair):
    _, model, said = pair
    trained = {v.path.split("/")[0] for v in model.backbone.trainable_variables}
    trained = {path.split("_")[0] for path in trained}
    assert trained == {"res3", "res4", "res5", "nonlocal"}
    assert said[-1] == "not trained: conv1, res2"


def test_other_classes_of_a_detector_are_fresh(pair, tmp_path):
    source, model, _ = pair
    initial = initials.Initial("own", source)
    other = detector.Start(initial, source, {}, ("background", "c", "d"), ())
    before = model.get_weights()
    randomized = randomize(model, seed=5)
    kept = randomized.get_layer("box_head").get_layer("box_class").get_weights()
    said = []
    detector.fill(model, SHAPES, other, tmp_path, said.append)
    after = model.get_layer("box_head").get_layer("box_class").get_weights()
    for ours, theirs in zip(after, kept, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert "fresh, not taken over | 4 | box_class box_deltas |" in said[1]
    model.set_weights(before)


def test_recipes_of_the_paper_start_from_imagenet():
    for name, recipe in experiments.EXPERIMENTS.items():
        if name.endswith("_kinetics_128"):
            assert recipe.init.endswith("d_r50_kinetics.vnl_32x2")
        else:
            published = "_coco" in name or "_kinetics" in name
            assert (recipe.init == "imagenet") == published, name


# Recipes that leave model and clips to `init`.


def test_finetune_takes_the_clips_of_the_model():
    recipe = finetune.complete(experiments.get_experiment("finetune"))
    assert recipe.models == ("nl_c2d_tiny_longrange",)
    assert (recipe.frames, recipe.stride, recipe.size) == (4, 4, 32)
    assert recipe.short_side == (36, 36)
    assert recipe.mean == (0.45, 0.45, 0.45)


def test_what_the_user_asks_for_goes_before_the_model():
    recipe = experiments.get_experiment("finetune").override(
        {"frames": 16, "size": 64}
    )
    recipe = finetune.complete(recipe)
    assert (recipe.frames, recipe.size, recipe.stride) == (16, 64, 4)
    assert recipe.short_side == (64, 64)


@pytest.mark.parametrize("init", ["imagenet", "none"])
def test_finetune_needs_a_network_of_videos(init):
    recipe = experiments.get_experiment("finetune").override({"init": init})
    with pytest.raises(ValueError, match="--overrides=models=nl_c2d_r50"):
        finetune.complete(recipe)
    with pytest.raises(ValueError, match="`models` and `family` go together"):
        finetune.complete(recipe.override({"models": "nl_c2d_tiny"}))

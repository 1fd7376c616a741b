"""The recipes of detectors, against what is published."""

import keras
import pytest

from nonlocal_keras.training import experiments
from nonlocal_keras.training import optimizers
from nonlocal_keras.training.detection import detector


def test_the_tables_of_the_paper_have_a_recipe_for_each_row():
    names = set(experiments.EXPERIMENTS)
    for size in ("r50", "r101", "x152"):
        for non_local in ("", "nl_"):
            assert f"{non_local}mask_rcnn_{size}_fpn_coco" in names
    for non_local in ("", "nl4_", "nl_"):
        assert f"{non_local}keypoint_rcnn_r101_fpn_coco_2x" in names


@pytest.mark.parametrize("suffix, scale", [("", 1), ("_2x", 2)])
def test_rates_are_those_of_the_schedule(suffix, scale):
    recipe = experiments.get_experiment(f"mask_rcnn_r50_fpn_coco{suffix}")
    rate = optimizers.make_optimizer(recipe)._learning_rate
    steps = {500: 0.01, 1000: 0.02, 59_000 * scale: 0.02, 61_000 * scale: 2e-3}
    steps |= {79_000 * scale: 2e-3, 81_000 * scale: 2e-4}
    for step, expected in steps.items():
        assert float(rate(step)) == pytest.approx(expected, rel=1e-5)


def test_a_rate_with_growth_and_steps_is_saved():
    recipe = experiments.get_experiment("mask_rcnn_r50_fpn_coco")
    optimizer = optimizers.make_optimizer(recipe)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert not copy.nesterov and copy.momentum == 0.9
    assert float(copy._learning_rate(500)) == pytest.approx(0.01)


def test_decay_is_of_kernels_alone():
    recipe = experiments.get_experiment("longrange_shapes").override(
        {"optimizer": "momentum", "weight_decay": 0.5}
    )
    names = ("background", "a", "b")
    model = detector.build_model(recipe, "mask_rcnn_tiny_fpn", None, names)
    detector.fill(model, recipe, None, None)
    kernels = [w for w in model.trainable_variables if w.name == "kernel"]
    assert len(model.losses) == len(kernels) > 10
    expected = sum(float((w.numpy() ** 2).sum()) / 4 for w in kernels)
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-4)
    assert model.labels == names

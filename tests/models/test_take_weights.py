"""What one model computes, another computes with its weights."""

import keras
import numpy as np
import pytest

from nonlocal_keras import models
from nonlocal_keras.models import take_weights
from nonlocal_keras.models.transfer import name_parts
from tests.support import small_detector
from tests.support.backends import slow_on_jax
from tests.support.random_weights import randomize

pytestmark = pytest.mark.any_backend
CLIP = np.random.default_rng(0).normal(size=(1, 4, 16, 16, 3)).astype("f4")


def classifier(name="c2d_tiny", classes=3, **options):
    options = {"stem_width": 4, "input_shape": (4, 16, 16, 3), **options}
    backbone = models.from_name(name, **options)
    return models.VideoClassifier(backbone, classes, name=name)


def logits(model):
    outputs = model.logits(CLIP, training=False)
    return keras.ops.convert_to_numpy(outputs)


def assert_same(model, source):
    assert np.abs(logits(source)).max() > 0.1
    np.testing.assert_allclose(
        logits(model), logits(source), rtol=1e-4, atol=1e-5
    )


def test_a_twin_computes_the_same():
    source = randomize(classifier("nl_c2d_tiny"))
    twin = classifier("nl_c2d_tiny")
    transfer = take_weights(twin, source)
    assert_same(twin, source)
    assert len(transfer.taken) == len(source.weights)
    assert not transfer.fresh and not transfer.left_out


def test_new_blocks_are_the_identity_and_named():
    source, model = randomize(classifier()), classifier("nl_c2d_tiny")
    transfer = take_weights(model, source)
    assert_same(model, source)
    assert transfer.new_blocks == ("nonlocal_res3_0", "nonlocal_res4_0")
    row = next(r for r in str(transfer).split("\n") if "new blocks" in r)
    assert row.endswith("| nonlocal_res3[0] nonlocal_res4[0] |")


def test_blocks_that_the_model_has_not_are_left_out():
    transfer = take_weights(classifier(), classifier("nl_c2d_tiny"))
    assert {name.split(".")[0] for name in transfer.left_out} == {
        "nonlocal_res3_0",
        "nonlocal_res4_0",
    }


@slow_on_jax
def test_a_block_of_another_width_is_not_taken_in_part():
    source = randomize(classifier("nl_c2d_tiny"))
    options = {"intermediate_dim": 3}
    model = classifier("nl_c2d_tiny", non_local_options=options)
    plain = classifier()
    transfer = take_weights(model, source)
    assert transfer.new_blocks == ("nonlocal_res3_0", "nonlocal_res4_0")
    assert "nonlocal_res3_0.norm.gamma" in transfer.misfits
    take_weights(plain, source)
    assert_same(model, plain)


@slow_on_jax
def test_kernels_in_the_middle_are_the_2d_network_on_every_frame():
    source, model = randomize(classifier()), classifier("i3d_tiny")
    transfer = take_weights(model, source, inflation="center")
    assert_same(model, source)
    assert transfer.inflated["conv1.kernel"] == 5
    assert transfer.inflated["res3_0_branch2a.kernel"] == 3


def test_repeated_kernels_are_divided_by_their_number():
    source, model = randomize(classifier()), classifier("i3d_tiny")
    take_weights(model, source)
    ours, theirs = (
        keras.ops.convert_to_numpy(m.backbone.get_layer("conv1").kernel)
        for m in (model, source)
    )
    for frame in range(5):
        np.testing.assert_allclose(ours[frame], theirs[0] / 5, rtol=1e-6)


@pytest.mark.parametrize("in_blocks", [None, "affine"])
def test_statistics_become_scale_and_offset(in_blocks):
    """As the authors did for clips of 128 frames."""
    source = randomize(classifier("nl_c2d_tiny", epsilon=1e-2))
    options = {"normalization": in_blocks}
    model = classifier(
        "nl_c2d_tiny", normalization="affine", non_local_options=options
    )
    assert not take_weights(model, source).fresh
    assert_same(model, source)


@slow_on_jax
def test_scale_and_offset_become_statistics():
    source = randomize(classifier(normalization="affine"))
    model = classifier(epsilon=1e-2)
    take_weights(model, source)
    assert_same(model, source)


@slow_on_jax
def test_another_epsilon_does_not_matter():
    source = randomize(classifier(epsilon=0.3))
    model = classifier(epsilon=1e-5)
    take_weights(model, source)
    assert_same(model, source)


def test_a_classifier_of_other_classes_is_fresh_with_its_shapes():
    model = classifier(classes=5)
    before = keras.ops.convert_to_numpy(model.get_layer("pred").kernel)
    transfer = take_weights(model, randomize(classifier(classes=3)))
    after = keras.ops.convert_to_numpy(model.get_layer("pred").kernel)
    np.testing.assert_array_equal(before, after)
    assert "pred.kernel 128x3 there, 128x5 here" in str(transfer)
    assert "left out" not in str(transfer)


def test_layers_that_are_asked_for_stay_fresh():
    transfer = take_weights(classifier(), classifier(), fresh=("pred",))
    assert transfer.fresh == ("pred.kernel", "pred.bias")
    assert transfer.left_out == ("pred.kernel", "pred.bias")


@pytest.mark.parametrize(
    "options, words",
    [
        ({"stage_blocks": (1, 2, 1, 1)}, "res3_1_branch2a.kernel is not there"),
        ({"stem_width": 8}, r"conv1.kernel has shape \(1, 7, 7, 3, 4\) there"),
    ],
)
@slow_on_jax
def test_another_network_is_refused_and_nothing_changed(options, words):
    model = classifier(**options)
    before = model.get_weights()
    with pytest.raises(ValueError, match=words):
        take_weights(model, randomize(classifier()))
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@slow_on_jax
def test_a_deeper_source_is_refused():
    deep = classifier(stage_blocks=(1, 2, 1, 1))
    with pytest.raises(ValueError, match="res3_1_branch2a.* has no place here"):
        take_weights(classifier(), deep)


def test_kernels_of_clips_do_not_become_those_of_images():
    with pytest.raises(ValueError, match=r"\(5, 7, 7, 3, 4\) there"):
        take_weights(classifier(), classifier("i3d_tiny"))


@slow_on_jax
def test_a_detector_with_new_blocks_and_classes_keeps_the_rest():
    source = randomize(small_detector.small())
    model = small_detector.small(
        {"non_local": {"res4": (0,)}}, num_classes=5, keypoint_non_local={}
    )
    transfer = take_weights(model, source)
    fresh = {name.split(".")[0] for name in transfer.misfits}
    assert fresh == {"box_class", "box_deltas", "mask_logits"}
    assert transfer.new_blocks == ("nonlocal_res4_0", "keypoint_nonlocal_2")
    image = np.random.default_rng(1).normal(size=(1, 64, 64, 3)).astype("f4")
    for detector in (source, model):
        stages = detector.backbone(image, training=False)
        pyramid = detector.get_layer("fpn")(stages, training=False)
        found = keras.ops.convert_to_numpy(pyramid[2])
        if detector is source:
            expected = found
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_many_layers_are_named_in_few_words():
    names = [f"res4_{i}_branch2a_bn.gamma" for i in (0, 1, 2, 5, 6)]
    names += ["fpn_inner_2.kernel", "nonlocal_res4_3.theta.kernel"]
    assert name_parts(names) == "res4[0-2,5,6] fpn_inner_2 nonlocal_res4[3]"

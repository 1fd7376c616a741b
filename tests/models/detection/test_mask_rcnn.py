"""The detector as a whole: predictions, files, policies, blocks."""

import keras
import numpy as np
import pytest

from nonlocal_keras import insert_non_local
from nonlocal_keras.models import ImageResNet
from nonlocal_keras.models import MaskRCNN
from tests.support.backends import BACKEND
from tests.support.backends import numpy
from tests.support.backends import tensorflow_only
from tests.support.detectors import BACKBONE
from tests.support.detectors import HEADS
from tests.support.detectors import assert_equal
from tests.support.detectors import eager
from tests.support.detectors import images
from tests.support.detectors import small
from tests.support.marks import mostly_slow

pytestmark = [pytest.mark.any_backend]
if BACKEND == "jax":
    pytestmark.append(pytest.mark.slow)  # It compiles for half a minute.


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return small(labels=("background", "cat", "dog"))


@pytest.fixture(scope="module")
def found(model):
    return model.predict(images((50, 80), (90, 60)))


def test_predictions_have_the_sizes_of_the_images(found):
    assert found["boxes"].shape == (2, 5, 4)
    assert found["labels"].shape == found["confidence"].shape == (2, 5)
    assert found["keypoints"].shape == (2, 5, 2, 3)
    assert found["keypoint_scores"].shape == (2, 5, 2)
    counts = found["num_detections"]
    assert counts.min() > 0
    shapes = [mask.shape for mask in found["masks"]]
    assert shapes == [(counts[0], 50, 80), (counts[1], 90, 60)]


def test_predictions_lie_in_the_images_in_descending_order(found):
    for image, (height, width) in enumerate([(50, 80), (90, 60)]):
        number = found["num_detections"][image]
        boxes = found["boxes"][image, :number]
        assert (boxes >= 0).all()
        assert (boxes <= [width, height, width, height]).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        assert (np.diff(found["confidence"][image, :number]) <= 0).all()
        assert set(found["labels"][image, :number]) <= {1, 2}
        masks = found["masks"][image]
        assert masks.min() >= 0 and masks.max() <= 1


@pytest.mark.slow
def test_batches_are_made_of_as_many_images_as_asked_for(model):
    # Of one size, so that padding is the same in every batch.
    given = images((50, 80), (50, 80))
    whole = model.predict(given)
    found = model.predict(given, batch_size=1)
    assert_equal(found, whole, rtol=1e-4, atol=1e-3)


def test_less_probable_objects_are_left_out(model, found):
    scores = found["confidence"][0, : found["num_detections"][0]]
    threshold = float(scores[1] + scores[2]) / 2
    assert len(scores) > 2 and scores[1] > scores[2]
    given = images((50, 80), (90, 60))
    fewer = model.predict(given, score_threshold=threshold)
    assert fewer["num_detections"][0] == 2
    assert fewer["masks"][0].shape == (2, 50, 80)
    for name in ("boxes", "labels", "confidence", "keypoints"):
        np.testing.assert_allclose(
            fewer[name][0, :2], found[name][0, :2], rtol=1e-4, atol=1e-3
        )
        assert (fewer[name][0, 2:] == -1).all()


def test_weights_that_are_no_numbers_find_nothing_and_say_so():
    model = small()
    weight = model.get_layer("box_head").weights[0]
    weight.assign(weight * np.nan)
    with pytest.raises(FloatingPointError, match="lower learning rate"):
        model.predict(images((50, 80)))


def test_a_file_predicts_the_same(model, found, tmp_path):
    model.save(tmp_path / "model.keras")
    twin = eager(keras.saving.load_model(tmp_path / "model.keras"))
    assert twin.get_config() == model.get_config()
    assert twin.labels == ("background", "cat", "dog")
    assert_equal(twin.predict(images((50, 80), (90, 60))), found, atol=1e-5)


def test_new_non_local_blocks_change_no_prediction(model, found):
    twin = small(
        {"non_local": {"res3": (0,)}, "name": model.backbone.name},
        keypoint_non_local={"pairwise": "dot_product"},
        name=model.name,
    )
    weights = {weight.path: weight for weight in model.weights}
    blocks = set()
    for weight in twin.weights:
        if "nonlocal" not in weight.path:
            weight.assign(weights[weight.path])
            continue
        blocks.add(weight.path.split("/")[-3])
        if weight.name in ("gamma", "beta"):
            weight.assign(0 * weight)
    assert {"nonlocal_res3_0", "keypoint_nonlocal_2"} <= blocks
    again = twin.predict(images((50, 80), (90, 60)))
    assert_equal(again, found, rtol=1e-4, atol=1e-3)


def test_blocks_are_inserted_into_the_backbone(model):
    copy = insert_non_local(model, "res4_0_relu", pool_size=2)
    block = copy.backbone.get_layer("res4_0_relu_non_local")
    assert block.pool_size == (2, 2)
    inserted = {id(weight) for weight in block.weights}
    kept = [weight for weight in copy.weights if id(weight) not in inserted]
    for one, other in zip(kept, model.weights, strict=True):
        np.testing.assert_array_equal(numpy(one), numpy(other))


@pytest.mark.slow
def test_graphs_predict_the_same(model, found):
    # Of two sizes, so that TensorFlow traces unknown ones.
    given = images((50, 80), (90, 60))
    twin = MaskRCNN.from_config(model.get_config())
    twin.set_weights(model.get_weights())
    twin.predict(given[:1])
    assert_equal(twin.predict(given), found, rtol=1e-4, atol=1e-3)


@pytest.mark.slow
@tensorflow_only
def test_xla_compiles_it(model, found):
    given = images((50, 80), (90, 60))
    twin = MaskRCNN.from_config(model.get_config())
    twin.set_weights(model.get_weights())
    twin.jit_compile = True
    assert_equal(twin.predict(given), found, rtol=1e-4, atol=1e-3)


@mostly_slow(
    pytest.mark.parametrize("policy", ["mixed_bfloat16", "float16"]), 0
)
def test_boxes_and_scores_are_float32_under_every_policy(policy):
    model = small({"dtype": policy}, dtype=policy)
    found = model.predict(images((50, 80)))
    for name in ("boxes", "confidence", "keypoints", "keypoint_scores"):
        assert found[name].dtype == "float32"
        assert np.isfinite(found[name]).all()
    head = model.get_layer("mask_head").get_layer("mask_conv1")
    assert head.compute_dtype == policy.removeprefix("mixed_")


def test_a_detector_may_have_no_head_but_that_of_boxes():
    model = small(masks=False, num_keypoints=None)
    assert "R-CNN on ResNet-14" in model.describe()
    assert set(model.output) == {
        "boxes",
        "labels",
        "confidence",
        "num_detections",
    }


# What detectors of other projects have.
OTHER = {
    "rpn_convolutions": 2,
    "box_filters": (4, 3),
    "box_units": (6,),
    "normalization": "frozen",
    "anchor_boxes": 5 * [[(-8, -8, 8, 8), (0, 0, 40, 30)]],
    "anchor_strides": (4, 8, 16, 32, 64),
    "rpn_ranking": "logit",
    "roi_aligned": True,
    "roi_sampling_ratio": None,
    "roi_shrink": 1.0,
}


def test_detectors_of_other_projects_are_made_again_from_their_config():
    model = small(**OTHER)
    twin = eager(MaskRCNN.from_config(model.get_config()))
    assert twin.get_config() == model.get_config()
    twin.set_weights(model.get_weights())
    given = images((50, 80))
    found = model.predict(given)
    assert found["num_detections"].sum()
    assert_equal(twin.predict(given), found, rtol=1e-6, atol=1e-6)
    names = {weight.path.split("/")[-2] for weight in model.weights}
    assert {"rpn_conv2", "box_conv2_bn", "mask_conv1_bn", "fpn_inner_2_bn"} <= (
        names
    )
    assert "box_fc7" not in names
    trained = {w.path.split("/")[-2] for w in model.trainable_weights}
    assert not any(name.endswith("_bn") for name in trained)


@pytest.mark.slow
@tensorflow_only
def test_xla_compiles_detectors_of_other_projects():
    model = small(**OTHER)
    given = images((50, 80))
    found = model.predict(given)
    twin = MaskRCNN.from_config(model.get_config())
    twin.set_weights(model.get_weights())
    twin.jit_compile = True
    assert_equal(twin.predict(given), found, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"box_units": ()}, "`box_units` must hold the units of at least one"),
        ({"normalization": "group"}, "`normalization` must be one of None"),
        ({"anchor_strides": (4, 8)}, "`anchor_strides` must hold 5 strides"),
        ({"anchor_boxes": [[1, 2]]}, "`anchor_boxes` must hold, for each of"),
        ({"rpn_ranking": "size"}, "`rpn_ranking` must be one of"),
        ({"roi_sampling_ratio": 0}, "`roi_sampling_ratio` must be a positive"),
        ({"num_classes": 1}, "`num_classes` must be at least 2"),
        ({"min_size": 0}, "`min_size` must be a positive integer"),
        ({"max_size": 32}, "`max_size` limits the long side"),
        ({"score_threshold": 2}, "`score_threshold` must be a number from 0"),
        ({"anchor_sizes": ((8,),)}, "`anchor_sizes` must hold a tuple of"),
        ({"labels": ("cat",)}, "`labels` must hold 3 names"),
        (
            {"num_keypoints": None, "keypoint_non_local": {}},
            "`keypoint_non_local` without `num_keypoints` would change nothing",
        ),
    ],
)
def test_wrong_arguments_are_named(options, message):
    backbone = ImageResNet(**BACKBONE)
    with pytest.raises(ValueError, match="Received: ") as caught:
        MaskRCNN(backbone, **{**HEADS, **options})
    assert message in str(caught.value)


def test_a_backbone_must_have_stages():
    with pytest.raises(ValueError, match="`backbone` must be a functional"):
        MaskRCNN(keras.Sequential([keras.layers.Dense(1)]), 3)

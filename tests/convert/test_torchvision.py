"""Detectors of torchvision: box for box what they find there.

The weights of the reference are drawn by their names, in torchvision and here.
"""

import dataclasses

import numpy as np
import pytest

from nonlocal_keras import convert
from nonlocal_keras.convert import ConversionError
from nonlocal_keras.convert import detector_name_maps
from nonlocal_keras.convert.assign import Tensors
from nonlocal_keras.convert.detector import Context
from nonlocal_keras.convert.detector import Detector
from nonlocal_keras.convert.detector import infer_detector
from nonlocal_keras.convert.detector_plan import make_detector_plan
from nonlocal_keras.convert.detector_sources import Published
from nonlocal_keras.convert.detector_sources import published
from tests.support import checkpoint_writers as w
from tests.support import detector_pairs as pairs
from tests.support.backends import BACKEND

pytestmark = [pytest.mark.any_backend]
if BACKEND == "jax":
    pytestmark.append(pytest.mark.slow)  # It compiles for half a minute.

FILES = {
    "mask": "torchvision_maskrcnn_r50_drawn",
    "keypoint": "torchvision_keypointrcnn_r50_drawn",
    "mask_v2": "torchvision_maskrcnn_r50_v2_drawn",
}
KINDS = tuple(FILES)
# By which the weights of a file are drawn.
SEEDS = {"mask_v2": 7}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A checkpoint of each kind, as torch.save writes it."""
    folder = tmp_path_factory.mktemp("torchvision")
    for kind in KINDS:
        arrays = pairs.load(FILES[kind])
        tensors = pairs.draw_tensors(arrays, SEEDS.get(kind, 6))
        data = w.torch_file(tensors, counters=False)
        (folder / f"{kind}.pth").write_bytes(data)
    return folder


def converted(files, kind, **overrides):
    path = files / f"{kind}.pth"
    return convert.convert(
        path, "torchvision", **{**pairs.SETTINGS, **overrides}
    )


@pytest.mark.parametrize("kind", KINDS)
def test_detections_are_those_of_torchvision(files, kind):
    model, report = converted(files, kind)
    if BACKEND == "tensorflow":
        model.run_eagerly = True
    arrays = pairs.load(FILES[kind])
    pairs.check(model.predict(pairs.images_of(arrays)), arrays)
    # Every tensor is used.
    assert report.warnings == report.fresh == []
    used = [entry.note for entry in report.with_status("used")]
    assert len(set(used)) == len(used) == len(model.weights)
    assert {entry.note for entry in report.with_status("skipped")} <= {
        "not a tensor"
    }
    name = kind.removesuffix("_v2").title()
    assert report.model == f"{name} R-CNN on ResNet-50: no non-local block"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mask", "keypoint"])
def test_new_blocks_find_the_same_until_they_are_trained(files, kind):
    overrides = {"non_local": 1, "non_local_options": {"pool_size": 2}}
    if kind == "keypoint":
        overrides["keypoint_non_local"] = {}
    model, report = converted(files, kind, **overrides)
    assert model.backbone.non_local == {"res4": (4,)}
    assert len(report.fresh) == (12 if kind == "mask" else 5 * 12)
    arrays = pairs.load(FILES[kind])
    pairs.check(model.predict(pairs.images_of(arrays)), arrays)


NAMES = detector_name_maps.TORCHVISION
SIX = 6 * [1.0]
# A detector whose file is small, with other numbers than the usual ones.
DETECTOR = Detector(
    stage_blocks=(1, 1, 1, 1),
    groups=2,
    width_per_group=1,
    fpn_filters=3,
    anchors=6,
    box_units=(5, 8),
    num_classes=4,
    mask_filters=(2, 3),
    mask_hidden=4,
    keypoint_filters=(5, 6, 7),
    num_keypoints=9,
)


# One with everything that other releases and projects have.
LATER = dataclasses.replace(
    DETECTOR,
    rpn_convolutions=2,
    box_filters=(4, 5),
    box_units=(6,),
    normalized=True,
    context=Context(("res3", "res5"), 128, "average", ("add", "multiply")),
)


@pytest.mark.parametrize("detector", [DETECTOR, LATER])
def test_sizes_are_read_off_the_shapes(detector):
    assert infer_detector(detector.shapes(), NAMES.spell) == detector


@pytest.mark.parametrize(
    "name",
    ["rpn_conv", "rpn_objectness", "box_fc6", "box_class", "mask_deconv"],
)
def test_a_missing_kernel_that_tells_a_size_is_named(name):
    shapes = DETECTOR.shapes()
    del shapes[f"{name}.kernel"]
    with pytest.raises(ConversionError, match="tells a size") as caught:
        infer_detector(shapes, NAMES.spell)
    assert repr(NAMES.spell(f"{name}.kernel")) in str(caught.value)


def test_a_missing_convolution_in_the_middle_of_a_head_is_named():
    shapes = DETECTOR.shapes()
    del shapes["keypoint_conv2.kernel"]
    with pytest.raises(ConversionError, match="Found: number 1, 3"):
        infer_detector(shapes, NAMES.spell)


def test_any_other_missing_tensor_is_named(tmp_path):
    tensors = {
        NAMES.spell(name): np.ones(shape, "float32")
        for name, shape in DETECTOR.shapes().items()
        if name != "res5_0_branch2b_bn.beta"
    }
    (tmp_path / "file.pth").write_bytes(w.torch_file(tensors))
    with pytest.raises(ConversionError) as caught:
        convert.convert(tmp_path / "file.pth", "torchvision", aspect_ratios=SIX)
    message = "'backbone.body.layer4.0.bn2.bias' is missing"
    assert message in str(caught.value)


def test_other_backbones_are_named(tmp_path):
    tensors = {
        NAMES.spell(name): np.ones(shape, "float32")
        for name, shape in DETECTOR.shapes().items()
    }
    tensors["backbone.body.0.0.weight"] = np.ones((16, 3, 3, 3), "float32")
    (tmp_path / "file.pth").write_bytes(w.torch_file(tensors))
    with pytest.raises(ConversionError, match="a detector on a MobileNet"):
        convert.convert(tmp_path / "file.pth", "torchvision", aspect_ratios=SIX)


@pytest.mark.parametrize(
    "old, new",
    [
        (
            "backbone.fpn.inner_blocks.3.weight",
            "backbone.fpn.inner_blocks.3.0.weight",
        ),
        (
            "backbone.fpn.layer_blocks.0.bias",
            "backbone.fpn.layer_blocks.0.0.bias",
        ),
        ("rpn.head.conv.weight", "rpn.head.conv.0.0.weight"),
        (
            "roi_heads.mask_head.mask_fcn4.weight",
            "roi_heads.mask_head.3.0.weight",
        ),
    ],
)
def test_names_of_the_first_releases_are_of_the_same_weights(old, new):
    assert NAMES.translate(old)[0] == NAMES.translate(new)[0]


@pytest.mark.parametrize(
    "file, backbone",
    [
        ("maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth", {"epsilon": 0.0}),
        ("maskrcnn_mine.pth", {}),
    ],
)
def test_the_names_of_published_files_tell_the_epsilon(file, backbone):
    tensors = Tensors(NAMES, {})
    of_source = published(tensors, file, {})
    plan = make_detector_plan(DETECTOR, of_source, {"aspect_ratios": SIX})
    given = {k: v for k, v in plan.backbone.items() if k == "epsilon"}
    assert given == backbone
    asked = {"epsilon": 1e-3, "aspect_ratios": SIX}
    plan = make_detector_plan(DETECTOR, of_source, asked)
    assert plan.backbone["epsilon"] == 1e-3
    assert [note for note in plan.notes if "epsilon" in note] == [
        "epsilon: 0.001, as asked for"
    ]


def test_anchors_must_be_as_many_as_the_outputs():
    with pytest.raises(ConversionError, match="outputs for, 6. Received"):
        make_detector_plan(DETECTOR, Published(), {})


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"frames": 8}, "An override of source 'torchvision' must be one of"),
        ({"min_size": "large"}, "`min_size` must be a positive integer"),
        ({"anchor_sizes": ((8,),)}, "`anchor_sizes` must be a tuple of"),
        ({"iou_threshold": 2}, "`iou_threshold` must be from 0 to 1"),
    ],
)
def test_wrong_overrides_are_named(files, overrides, message):
    with pytest.raises(ConversionError) as caught:
        converted(files, "mask", **overrides)
    assert message in str(caught.value)

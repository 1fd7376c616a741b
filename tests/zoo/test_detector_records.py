"""The records of published detectors tell what their makers published."""

import re

import pytest

import zoo
from zoo import record as records
from zoo import registry
from zoo.tasks import object_detection

FILES = sorted((registry.PACKAGE_ROOT / "records").glob("*.json"))
RECORDS = [records.read_record(file) for file in FILES]
DETECTORS = [r for r in RECORDS if r.task == "object_detection"]
PUBLISHED = [r for r in DETECTORS if r.download is not None]
# Numbers of categories without a category, as COCO's annotations have them.
GAPS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)


def by_name(group):
    return [pytest.param(record, id=record.name) for record in group]


@pytest.mark.parametrize("record", by_name(PUBLISHED))
def test_a_name_says_what_is_found(record):
    # Widths of groups and the second release are in the name alone.
    plain = re.sub(r"^gc_|_32x8d|_32x4d|_64x4d|_v2", "", record.plain_name)
    assert plain == f"{record.architecture['model']}_coco"
    kind = plain.partition("_")[0]
    found = {k.partition("_")[0] for k in record.metrics if k.endswith("_ap")}
    assert found == {"box", kind} - {"faster"}
    blocks = "global_context" in record.architecture["options"]
    assert blocks == record.name.startswith("gc_")
    assert record.metrics["dataset"] == "COCO val2017"
    # Tables print percents of three digits.
    for key in record.metrics:
        if object_detection.MEASURE.fullmatch(key):
            per_mille = 1000 * record.metrics[key]
            assert abs(per_mille - round(per_mille)) < 1e-9 and per_mille > 300


@pytest.mark.parametrize("record", by_name(PUBLISHED))
def test_labels_are_those_of_the_project(record):
    person = "keypoint" in record.name
    counts_as_coco = record.download["converter"] == "torchvision"
    number = 2 if person else 91 if counts_as_coco else 81
    assert len(record.labels) == number
    assert record.labels[:2] == ("background", "person")
    named = object_detection.class_names(record)
    assert len(named) == (1 if person else 80)


def test_the_numbers_of_coco_have_gaps():
    labels = zoo.info("mask_rcnn_r50_fpn_coco.torchvision").labels
    found = [i for i, name in enumerate(labels) if name == object_detection.GAP]
    assert tuple(found) == GAPS
    # From annotations of COCO 2017.
    known = {1: "person", 13: "stop sign", 44: "bottle", 90: "toothbrush"}
    assert {number: labels[number] for number in known} == known


@pytest.mark.parametrize("record", by_name(PUBLISHED))
def test_what_the_name_of_a_file_tells_is_not_needed(record):
    """A file of the user may have another name: its record tells all."""
    source, file = record.download["converter"], record.file_name
    expected = {}
    if re.search("-(258fb6c6|bf2d0c1e|fc266e95)", file):
        expected = {"epsilon": 0.0}
    elif source == "mmdetection":
        expected = {"bgr": "caffe" in file}
    assert record.download["overrides"] == expected


@pytest.mark.parametrize(
    ("name", "box", "other"),
    [
        ("faster_rcnn_r50_fpn_coco.torchvision", 0.370, None),
        ("faster_rcnn_r50_fpn_v2_coco.torchvision", 0.467, None),
        ("mask_rcnn_r50_fpn_coco.torchvision", 0.379, 0.346),
        ("mask_rcnn_r50_fpn_v2_coco.torchvision", 0.474, 0.418),
        ("keypoint_rcnn_r50_fpn_coco.torchvision", 0.546, 0.650),
        ("keypoint_rcnn_r50_fpn_coco.torchvision_legacy", 0.506, 0.611),
        ("mask_rcnn_r50_fpn_coco.detectron2_3x", 0.410, 0.372),
        ("mask_rcnn_x101_32x8d_fpn_coco.detectron2_3x", 0.443, 0.395),
        ("keypoint_rcnn_r101_fpn_coco.detectron2_3x", 0.564, 0.661),
        ("mask_rcnn_r50_fpn_coco.detectron_2x", 0.386, 0.345),
        ("keypoint_rcnn_x101_32x8d_fpn_coco.detectron_s1x", 0.569, 0.670),
        ("mask_rcnn_r50_fpn_coco.mmdetection_caffe_poly_3x", 0.408, 0.370),
        ("gc_mask_rcnn_r101_fpn_coco.mmdetection_r4_1x", 0.422, 0.378),
    ],
)
def test_what_was_published(name, box, other):
    record = zoo.info(name)
    found = [v for k, v in record.metrics.items() if k.endswith("_ap")]
    assert found == ([box] if other is None else [box, other])


@pytest.mark.parametrize("record", by_name(PUBLISHED))
def test_the_license_is_that_of_the_project(record):
    licenses = {
        "torchvision": "BSD-3-Clause",
        "mmdetection": "Apache-2.0",
        "detectron2": "CC-BY-SA-3.0",
        "detectron": "CC-BY-SA-3.0",
    }
    assert record.license == licenses[record.download["converter"]]


# What torchvision 0.28 publishes of networks whose normalizations are not
# frozen in training: parameters, and multiply-adds of 800 x 800 pixels.
@pytest.mark.parametrize(
    ("name", "parameters", "giga"),
    [
        ("faster_rcnn_r50_fpn_v2_coco.torchvision", 43_712_278, 280.371),
        ("mask_rcnn_r50_fpn_v2_coco.torchvision", 46_359_409, 333.577),
    ],
)
def test_the_second_release_costs_what_torchvision_says(name, parameters, giga):
    record = zoo.info(name)
    assert record.parameters == parameters
    assert round(record.macs / 1e9, 3) == giga


def test_names_mean_what_can_be_used_by_anyone_first():
    first = zoo.info("mask_rcnn_r50_fpn_coco")
    assert first.name == "mask_rcnn_r50_fpn_coco.torchvision"
    # Their host answers, other than that of mmdetection.
    for body in ("r101", "x101_32x8d"):
        name = zoo.info(f"mask_rcnn_{body}_fpn_coco").name
        assert name == f"mask_rcnn_{body}_fpn_coco.detectron2_3x"

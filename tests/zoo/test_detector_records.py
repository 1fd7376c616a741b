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
    kind = record.plain_name.removeprefix("gc_").partition("_")[0]
    found = {k.partition("_")[0] for k in record.metrics if k.endswith("_ap")}
    assert found == {"box", kind} - {"faster"}
    assert record.name.startswith(f"{record.architecture['model']}")
    assert record.plain_name.endswith("_coco")
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
    of_name = re.search("-(258fb6c6|bf2d0c1e|fc266e95)", record.file_name)
    wanted = {"epsilon": 0.0} if of_name else {}
    for options in (
        record.architecture["options"],
        record.download["overrides"],
    ):
        found = {k: v for k, v in options.items() if k == "epsilon"}
        assert found == wanted


@pytest.mark.parametrize(
    ("name", "box", "other"),
    [
        ("faster_rcnn_r50_fpn_coco.torchvision", 0.370, None),
        ("mask_rcnn_r50_fpn_coco.torchvision", 0.379, 0.346),
        ("keypoint_rcnn_r50_fpn_coco.torchvision", 0.546, 0.650),
        ("keypoint_rcnn_r50_fpn_coco.torchvision_legacy", 0.506, 0.611),
    ],
)
def test_what_torchvision_publishes(name, box, other):
    record = zoo.info(name)
    found = [v for k, v in record.metrics.items() if k.endswith("_ap")]
    assert found == ([box] if other is None else [box, other])
    assert record.license == "BSD-3-Clause"
    assert "licenses or terms" in record.note

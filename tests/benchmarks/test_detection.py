"""The benchmark of detectors: its cases, comparisons and page."""

import numpy as np
import pytest

from benchmarks import measure
from benchmarks import results
from benchmarks.detection import cases
from benchmarks.detection import compare
from benchmarks.detection import report
from tests.benchmarks.test_cases import MACHINE


def detections():
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 100, (6, 2))
    return {
        "boxes_0": np.concatenate([corner, corner + 20], 1).astype("float32"),
        "labels_0": np.array([1, 1, 2, 2, 3, 3]),
        "scores_0": np.linspace(0.9, 0.4, 6, dtype="float32"),
        "masks_0": rng.uniform(size=(6, 1, 30, 40)).astype("float32"),
    }


def test_detections_are_found_again_in_any_order():
    theirs = detections()
    ours = {name: values[::-1] for name, values in detections().items()}
    assert compare.found_again(theirs, ours) == (6, 6)


@pytest.mark.parametrize(
    "name, change",
    [("boxes_0", 0.5), ("labels_0", 5), ("scores_0", 0.01), ("masks_0", 0.1)],
)
def test_a_detection_that_differs_is_not_found_again(name, change):
    ours = detections()
    ours[name][2] += ours[name].dtype.type(change)
    assert compare.found_again(detections(), ours) == (5, 6)


def test_what_the_peer_has_not_counts_as_well():
    theirs = {name: values[:4] for name, values in detections().items()}
    assert compare.found_again(theirs, detections()) == (4, 6)


def test_losses_are_compared_one_by_one():
    theirs = {"a": np.float32(2.0), "b": np.float32(10.0)}
    ours = {"a": np.float32(2.1), "b": np.float32(10.0)}
    assert compare.loss_difference(theirs, ours) == pytest.approx(0.05)
    with pytest.raises(ValueError, match="the same losses"):
        compare.loss_difference(theirs, {"a": 2.0})


def test_objects_lie_in_their_images():
    for case in cases.cases():
        if case["work"] == "training":
            height, width = cases.shape(case)
            boxes = cases.targets(case)["boxes"]
            assert min(height, width) == case["size"]
            assert boxes.min() >= 0
            assert (boxes[..., 2:] <= (width, height)).all()


def test_a_photo_has_large_areas_and_all_of_the_light():
    (image,) = cases.images({"work": "inference", "size": 512, "batch": 1})
    assert image.shape == (480, 640, 3) and image.dtype == np.uint8
    assert image.min() < 10 and image.max() > 245
    # Neighbors are much alike, and those far away are not.
    light = image[..., 0].astype(float)
    near, far = (np.abs(light[:, k:] - light[:, :-k]).mean() for k in (1, 99))
    assert near < 0.5 * far


def test_the_page_has_rates_memory_and_what_was_refused(tmp_path):
    pytest.importorskip("matplotlib")
    found = results.Results(tmp_path, "detection", MACHINE, "make bench")
    one, *_, other = cases.cases()
    alone = {
        side: {"extra_mb": mb, "peak_mb": 900.0 + mb}
        for side, mb in (("peer", 300.0), ("ours", 200.0))
    }
    found.add(
        one,
        alone=alone,
        found=[99, 100],
        seconds={
            side: measure.spread([seconds])
            for side, seconds in (("peer", 3.0), ("ours", 2.0))
        },
        ratio={"peer / ours": measure.spread([1.5])},
        tell={"profile": {"Conv2D": 3.0, "others": 1.0}},
    )
    found.add(other, alone=alone, difference=0.2, refused="losses differ")
    report.write(found)
    page = (tmp_path / "detection.md").read_text()
    assert (
        "| 512 | 1 | 0.33 | 0.50 | 1.5 (1.5–1.5) | 99 of 100 | 300 MB | 200 MB "
        "| 1200 MB | 1100 MB |" in page
    )
    assert "| 800 | 2 | – | – | losses differ | losses within 2e-01 |" in page
    assert "| inference | 512 | 1 | 75 | 25 |" in page

"""A comparison of detectors sees every difference that counts."""

import copy

import numpy as np
import pytest

from nonlocal_keras.export import ExportError
from nonlocal_keras.export import detector_parity

IMAGES = detector_parity.draw_images([(40, 60), (50, 30)])


def finding():
    """Three detections of each image, the last row is padding."""
    boxes = np.full((1, 4, 4), -1.0, "float32")
    boxes[0, :3] = [[0, 0, 9, 9], [5, 5, 20, 30], [2, 3, 4, 5]]
    return {
        "boxes": boxes,
        "labels": np.array([[1, 2, 1, -1]]),
        "confidence": np.array([[0.9, 0.8, 0.7, -1]]),
        "num_detections": np.array([3]),
        "masks": np.full((1, 4, 28, 28), 0.5),
        "keypoints": np.full((1, 4, 17, 3), 7.0),
    }


@pytest.fixture(autouse=True)
def model_finds(monkeypatch):
    monkeypatch.setattr(detector_parity, "find", lambda *unused: finding())


def compare(changed):
    return detector_parity.compare(None, lambda images: changed, IMAGES)


def test_the_same_in_another_order_agrees():
    changed = finding()
    for name in ("boxes", "labels", "confidence"):
        changed[name] = changed[name][:, [2, 1, 0, 3]]
    parity = compare(changed)
    assert (parity.images, parity.detections) == (2, 6)
    assert (parity.agreement, parity.keypoints) == (1, 1)
    assert parity.box == parity.confidence == parity.mask == 0
    assert "6 detections, 100.0% found by both" in str(parity)


@pytest.mark.parametrize(
    "name, change",
    [
        ("boxes", 0.2),
        ("labels", 1),
        ("confidence", -0.01),
        ("confidence", np.nan),
        ("masks", 0.01),
        ("keypoints", 0.6),
        ("num_detections", -1),
    ],
)
def test_a_difference_is_no_agreement(name, change):
    changed = copy.deepcopy(finding())
    if name in ("masks", "keypoints"):
        changed[name][0, 1] += change
    else:
        changed[name] = changed[name] + change
    with pytest.raises(ExportError, match="must find what the model finds"):
        compare(changed)


def test_differences_of_rounding_are_measured():
    changed = copy.deepcopy(finding())
    changed["boxes"] += 0.05
    changed["confidence"] += 5e-4
    parity = compare(changed)
    assert abs(parity.box - 0.05) < 1e-5
    assert abs(parity.confidence - 5e-4) < 1e-5


def test_nothing_found_proves_nothing(monkeypatch):
    empty = {**finding(), "num_detections": np.array([0])}
    monkeypatch.setattr(detector_parity, "find", lambda *unused: empty)
    with pytest.raises(ExportError, match="`images` must hold objects"):
        compare(empty)

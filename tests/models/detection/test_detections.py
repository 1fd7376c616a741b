"""Detections: one class per box, without repetitions in a class."""

import numpy as np
import pytest
from keras import ops

from nonlocal_keras.models.detection.detections import detect
from tests.support.backends import numpy

OPTIONS = {
    "score_threshold": 0.1,
    "iou_threshold": 0.5,
    "detections_per_image": 4,
}


def run(probabilities, boxes, valid=None, size=(50, 100), **options):
    """Detections of one image from boxes that do not move."""
    probabilities = np.array(probabilities, "float32")
    n, classes = probabilities.shape
    inputs = (
        np.log(probabilities)[None],
        np.zeros((1, n, 4 * classes), "float32"),
        np.array(boxes, "float32")[None],
        np.ones((1, n), bool) if valid is None else np.array([valid]),
        np.array([size], "int32"),
    )
    inputs = map(ops.convert_to_tensor, inputs)
    found = detect(*inputs, {**OPTIONS, **options})
    boxes, labels, scores, number = (numpy(x)[0] for x in found)
    # What follows the last detection is filled.
    for values in (boxes, labels, scores):
        assert (values[number:] == -1).all()
    return [
        (int(label), round(float(score), 3), box.tolist())
        for label, score, box in zip(labels[:number], scores, boxes)
    ]


A, B = [0, 0, 10, 10], [30, 0, 40, 10]


@pytest.mark.any_backend
def test_a_box_may_be_of_several_classes_but_not_the_background():
    found = run([[0.5, 0.2, 0.3], [0.1, 0.85, 0.05]], [A, B])
    assert found == [(1, 0.85, B), (2, 0.3, A), (1, 0.2, A)]


def test_boxes_of_one_class_suppress_each_other():
    near = [1, 0, 11, 10]
    found = run([[0.4, 0.6, 1e-9], [0.2, 0.3, 0.5]], [A, near])
    assert found == [(1, 0.6, A), (2, 0.5, near)]


def test_proposals_that_do_not_count_are_left_out():
    found = run([[0.1, 0.9], [0.2, 0.8]], [A, B], valid=[False, True])
    assert found == [(1, 0.8, B)]


def test_less_probable_boxes_than_the_threshold_are_left_out():
    rows = [[0.3, 0.7], [0.4, 0.6]]
    assert run(rows, [A, B], score_threshold=0.65) == [(1, 0.7, A)]
    assert run(rows, [A, B], score_threshold=0.99) == []


def test_no_more_are_given_than_asked_for():
    rows = [[0.3, 0.7], [0.4, 0.6]]
    assert run(rows, [A, B], detections_per_image=1) == [(1, 0.7, A)]


def test_boxes_end_at_the_image():
    found = run([[0.3, 0.7]], [[90, 40, 130, 80]])
    assert found == [(1, 0.7, [90, 40, 100, 50])]


def test_deltas_of_a_class_move_its_box_alone():
    deltas = np.zeros((1, 1, 12), "float32")
    deltas[0, 0, 8] = 10.0  # class 2: one width to the right
    inputs = (
        np.log(np.array([[[0.2, 0.5, 0.3]]], "float32")),
        deltas,
        np.array([[A]], "float32"),
        np.ones((1, 1), bool),
        np.array([[50, 100]], "int32"),
    )
    boxes, labels, *_ = detect(*map(ops.convert_to_tensor, inputs), OPTIONS)
    assert numpy(labels)[0, :2].tolist() == [1, 2]
    np.testing.assert_allclose(numpy(boxes)[0, :2], [A, [10, 0, 20, 10]])

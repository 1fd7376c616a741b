"""Losses against their definitions in NumPy, in float64."""

import numpy as np
import pytest
from keras import ops

from nonlocal_keras.models.detection import losses
from tests.support.backends import numpy

pytestmark = pytest.mark.any_backend
RNG = np.random.default_rng(0)


def call(function, *arrays):
    return float(numpy(function(*map(ops.convert_to_tensor, arrays))))


def drawn(*shape):
    return (3 * RNG.standard_normal(shape)).astype("float32")


def chosen(*shape):
    return (RNG.uniform(size=shape) < 0.5).astype("float32")


def binary(logits, targets):
    p = 1 / (1 + np.exp(-logits.astype(float)))
    return -(targets * np.log(p) + (1 - targets) * np.log(1 - p))


def categorical(logits, label):
    p = np.exp(logits.astype(float))
    return -np.log(p[label] / p.sum())


def test_objectness_is_the_mean_over_what_counts():
    logits, positive, weights = drawn(2, 9), chosen(2, 9) > 0, chosen(2, 9)
    expected = binary(logits, positive)[weights > 0].mean()
    found = call(losses.objectness_loss, logits, positive, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_boxes_are_summed_over_positives_and_divided_by_all():
    deltas, targets, positive = drawn(12, 4) / 9, drawn(12, 4) / 9, chosen(12)
    weights = np.maximum(positive, chosen(12))
    assert positive.sum() < weights.sum() < 12
    error = np.abs(deltas.astype(float) - targets)
    assert (error < 1 / 9).any() and (error > 1 / 9).any()
    smooth = np.where(error < 1 / 9, 4.5 * error**2, error - 1 / 18)
    expected = smooth[positive > 0].sum() / weights.sum()
    found = call(losses.box_loss, deltas, targets, positive, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_classes_have_the_mean_cross_entropy():
    logits, weights = drawn(8, 5), chosen(8)
    labels = RNG.integers(0, 5, 8).astype("int32")
    each = [categorical(*pair) for pair in zip(logits, labels)]
    expected = np.mean(np.array(each)[weights > 0])
    found = call(losses.class_loss, logits, labels, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_masks_are_those_of_the_right_class():
    logits, targets = drawn(4, 3, 3, 5), chosen(4, 3, 3)
    labels = np.array([1, 4, 2, 2], "int32")
    weights = np.array([1, 0, 1, 1], "float32")
    each = [
        binary(logits[i, ..., label], targets[i]).mean()
        for i, label in enumerate(labels)
    ]
    expected = np.mean(np.array(each)[weights > 0])
    found = call(losses.mask_loss, logits, targets, labels, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_keypoints_have_a_cross_entropy_over_all_places():
    logits, weights = drawn(3, 4, 4, 2), chosen(3, 2)
    weights[0, 0] = 1
    places = RNG.integers(0, 16, (3, 2)).astype("int32")
    each = [
        [categorical(logits[i, ..., k].ravel(), places[i, k]) for k in range(2)]
        for i in range(3)
    ]
    expected = np.mean(np.array(each)[weights > 0])
    found = call(losses.keypoint_loss, logits, places, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_nothing_that_counts_is_no_loss():
    zero = np.zeros(3, "float32")
    labels = zero.astype("int32")
    assert call(losses.class_loss, drawn(3, 2), labels, zero) == 0
    assert call(losses.objectness_loss, drawn(3), zero > 0, zero) == 0
    assert call(losses.box_loss, drawn(3, 4), drawn(3, 4), zero, zero) == 0


def test_large_logits_have_finite_losses():
    logits = np.array([1e4, -1e4], "float32")
    wrong, weights = np.array([False, True]), np.ones(2, "float32")
    assert call(losses.objectness_loss, logits, wrong, weights) == 1e4

"""A SavedModel is compared with a detector also where that finds nothing."""

import types

import numpy as np
import pytest

from nonlocal_keras.export import ExportError
from nonlocal_keras.export import detector_drawn
from nonlocal_keras.export import detector_parity
from tests.support import detectors
from tests.support.marks import mostly_slow

HEADS = {"num_keypoints": None}
IMAGES = detector_parity.draw_images([(32, 48)])


def small(**options):
    return detectors.small(**{**HEADS, **options})


@pytest.fixture(scope="module")
def built():
    return small(), small()


@pytest.fixture
def model(built):
    """A detector that takes everything for background."""
    model, _ = built
    before = model.get_weights()
    silence(model)
    yield model
    model.set_weights(before)


@pytest.fixture
def twin(built, model):
    """Another one of the same weights."""
    _, twin = built
    twin.set_weights(model.get_weights())
    return twin


def silence(model):
    bias = model.get_layer("box_head").get_layer("box_class").bias
    bias.assign([50.0, 0.0, 0.0])


def compare(model, twin):
    """Compares them, with the second one in the place of a SavedModel."""
    before = model.get_weights()
    try:
        (parity,) = detector_drawn.compare(
            model,
            types.SimpleNamespace(weights=twin.variables),
            [lambda images: detector_parity.find(twin, images[0])],
            IMAGES,
            1e-3,
        )
        return parity
    finally:
        for one, other in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_model_that_finds_nothing_is_compared_and_stays_as_it_was(
    model, twin
):
    assert not detector_parity.find(model, IMAGES[0])["num_detections"].any()
    parity = compare(model, twin)
    assert parity.detections > 0 and parity.agreement == 1
    assert parity.mask is not None


@pytest.mark.slow
def test_a_high_threshold_leaves_one_class():
    model, twin = (small(score_threshold=0.9) for _ in range(2))
    silence(model)
    twin.set_weights(model.get_weights())
    assert compare(model, twin).detections > 0


def test_boxes_that_are_all_empty_are_compared_as_anchors(model, twin):
    for one in (model, twin):
        bias = one.get_layer("rpn").get_layer("rpn_deltas").bias
        # Left and up by many widths and heights: out of the image.
        bias.assign(np.full(bias.shape, -1e4))
    assert compare(model, twin).detections > 0


def test_other_weights_are_named(model, twin):
    kernel = twin.get_layer("box_head").get_layer("box_fc7").kernel
    kernel.assign(kernel + 1e-6)
    with pytest.raises(ExportError, match="other values of .*box_fc7/kernel"):
        compare(model, twin)


@mostly_slow(
    pytest.mark.parametrize("options", [{"mean": (0, 0, 0)}, {"max_size": 64}]),
    0,
)
def test_the_same_weights_in_another_graph_are_seen(model, options):
    other = small(**options)
    other.set_weights(model.get_weights())
    with pytest.raises(ExportError, match="must find what the model finds"):
        compare(model, other)

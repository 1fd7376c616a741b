"""Losses and gradients are those of torchvision, on the same weights.

The weights are drawn by their names, in torchvision and here, images and
targets by `tests/support/training_scene.py`. So many anchors and proposals
are learned from that all are, and nothing is left to chance.
"""

import numpy as np
import pytest

from nonlocal_keras import convert
from nonlocal_keras.convert import detector_name_maps
from tests.support import checkpoint_writers
from tests.support import drawn_weights
from tests.support import paths
from tests.support import training_scene
from tests.support.backends import BACKEND
from tests.support.backends import gradients_of_weights

pytestmark = [pytest.mark.any_backend]
if BACKEND == "jax":
    pytestmark.append(pytest.mark.slow)  # It compiles for half a minute.

NAMES = detector_name_maps.TORCHVISION


@pytest.fixture(scope="module")
def reference():
    path = paths.GOLDEN / "torchvision_training_drawn.npz"
    with np.load(path) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def model(reference, tmp_path_factory):
    shapes = [tuple(n for n in row if n) for row in reference["shapes"]]
    tensors = {
        str(name): drawn_weights.draw(name, shape)
        for name, shape in zip(reference["names"], shapes)
    }
    path = tmp_path_factory.mktemp("torchvision") / "training.pth"
    data = checkpoint_writers.torch_file(tensors, counters=False)
    path.write_bytes(data)
    model, _ = convert.convert(path, "torchvision", min_size=128, max_size=224)
    model.compile(
        "sgd",
        pre_nms_top_n=200,
        post_nms_top_n=60,
        rpn_samples=8192,
        roi_samples=256,
        roi_positive_fraction=0.5,
    )
    return model


@pytest.fixture(scope="module")
def found(model, reference):
    """The losses, and the gradients of their sum by names of torchvision."""
    images, targets = training_scene.draw()
    inputs = model.preprocess(images)
    assert inputs["image_sizes"].tolist() == list(
        map(list, training_scene.SIZES)
    )
    weights = {weight.path: weight for weight in model.trainable_weights}
    names = {
        name.removeprefix("gradient_"): None
        for name in reference
        if name.startswith("gradient_")
    }
    for name in names:
        part, _, kind = NAMES.translate(name)[0].rpartition(".")
        found = [
            w for path, w in weights.items() if path.endswith(f"{part}/{kind}")
        ]
        (names[name],) = found
    losses, gradients = gradients_of_weights(
        model, {**inputs, "targets": targets}, list(names.values())
    )
    return losses, dict(zip(names, gradients))


@pytest.mark.parametrize("name", training_scene.LOSSES)
def test_a_loss_is_that_of_torchvision(found, reference, name):
    losses, _ = found
    assert losses.keys() == training_scene.LOSSES.keys()
    expected = reference[training_scene.LOSSES[name]]
    np.testing.assert_allclose(losses[name], expected, rtol=1e-4)


def test_gradients_are_those_of_torchvision(found, reference):
    _, gradients = found
    assert len(gradients) == 23
    for name, gradient in gradients.items():
        expected = reference[f"gradient_{name}"]
        if gradient.ndim == 4:
            gradient = gradient.transpose(3, 2, 0, 1)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(
            gradient, expected, rtol=1e-3, atol=1e-4 * scale, err_msg=name
        )

"""Models that were saved by earlier versions load, and predict the same.

The files of `tests/golden` were written when all layers still lay in other
modules: files name classes by `nonlocal_keras>Name` and not by where they are
defined, and renaming a class or an argument would make them unreadable. They
are packed again, since most of an HDF5 file is air, and their weights have
the digits of float16. The input is drawn from seed 0.
"""

import keras
import numpy as np
import pytest

from nonlocal_keras.models import VideoClassifier
from tests.support import backends
from tests.support import paths
from tests.support.marks import mostly_slow

pytestmark = pytest.mark.any_backend

FILES = (
    # I3D: batch normalization, poolings, blocks of three forms.
    "saved_nl_i3d",
    # Temporal shifts, affine layers, a Gaussian block, a sliding window.
    "saved_nl_shifted_affine",
    # Blocks of images and sequences.
    "saved_ranks",
    # Global context blocks of both poolings and fusions.
    "saved_global_context",
)
# Boxes, masks and keypoints, blocks in backbone and head.
DETECTOR = "saved_detector"
# Of the largest output; processors and backends round differently.
TOLERANCE = 1e-5
# Compiling takes long elsewhere.
IN_THE_FAST_SUITE = (0, 1, 2, 3) if backends.BACKEND == "tensorflow" else (1,)


def load(name):
    return keras.saving.load_model(paths.GOLDEN / f"{name}.keras")


@mostly_slow(pytest.mark.parametrize("name", FILES), *IN_THE_FAST_SUITE)
def test_a_saved_model_predicts_what_it_did(name):
    model = load(name)
    shape = (2, *model.input_shape[1:])
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    graph = getattr(model, "logits", model)
    found = backends.run(graph, x)
    with np.load(paths.GOLDEN / f"{name}.npz") as file:
        expected = file["outputs"]
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found / scale, expected / scale, atol=TOLERANCE)


@backends.tensorflow_only
def test_a_saved_detector_finds_what_it_did():
    model = load(DETECTOR)
    model.run_eagerly = True
    shape = (2, 50, 80, 3)
    images = np.random.default_rng(0).integers(0, 256, shape, "uint8")
    found = model.predict(images)
    found["masks"] = [mask.mean(axis=(1, 2)) for mask in found["masks"]]
    with np.load(paths.GOLDEN / f"{DETECTOR}.npz") as file:
        for name, expected in file.items():
            np.testing.assert_allclose(
                found[name], expected, rtol=1e-4, atol=1e-3
            )
    assert model.labels == ("background", "cat", "dog")


@backends.tensorflow_only
def test_a_saved_model_keeps_its_labels_and_preprocessing():
    model = load("saved_nl_i3d")
    assert type(model) is VideoClassifier
    assert model.labels == ("left", "right", "still")
    assert model.preprocessing["short_side"] == 32
    assert list(model.backbone.non_local) == ["res2", "res3", "res4"]


@backends.tensorflow_only
def test_the_saved_models_hold_every_layer_that_can_be_saved():
    found = set()
    for name in (*FILES, DETECTOR):
        model = load(name)
        for layer in [model, *model._flatten_layers()]:
            found.add(keras.saving.get_registered_name(type(layer)))
    ours = {
        name.partition(">")[2]
        for name, kind in keras.saving.get_custom_objects().items()
        if name.startswith("nonlocal_keras>")
        and issubclass(kind, keras.layers.Layer)
    }
    held = {n.partition(">")[2] for n in found if n.startswith("nonlocal")}
    assert held == ours

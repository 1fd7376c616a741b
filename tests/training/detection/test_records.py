"""The proof that a trained detector is the one that the zoo loads."""

import types

import numpy as np
import pytest

import zoo
from nonlocal_keras.training import experiments
from nonlocal_keras.training import registration
from nonlocal_keras.training.detection import records
from tests.support import detectors
from tests.support.marks import mostly_slow

RECIPE = experiments.get_experiment("longrange_shapes")
PIXELS = detectors.images((50, 80))[0]
TEST = types.SimpleNamespace(
    dataset=types.SimpleNamespace(readable=lambda: iter([(None, PIXELS)]))
)
ROW = types.SimpleNamespace(
    model="nl_mask_rcnn_tiny_fpn",
    description="of a test",
    parameters=1,
    macs=1,
    numbers={"boxes": {"AP": 0.0}},
    images=1,
    protocol="one scale",
)


def silent():
    """A poor detector, which takes everything for background."""
    model = detectors.small(
        masks=False, num_keypoints=None, labels=detectors.LABELS
    )
    bias = model.get_layer("box_head").get_layer("box_class").bias
    bias.assign([50.0, 0.0, 0.0])
    return model


@pytest.fixture(scope="module")
def models():
    """The trained one, and the one that the zoo loads."""
    trained, loaded = silent(), silent()
    loaded.set_weights(trained.get_weights())
    return trained, loaded


@pytest.fixture
def register(models, monkeypatch):
    trained, loaded = models

    def written(model, fields):
        record = zoo.Record(version=1, **fields)
        monkeypatch.setattr(zoo, "info", lambda name: record)
        return record

    monkeypatch.setattr(registration, "for_use", lambda model: loaded)
    monkeypatch.setattr(zoo, "register", written)
    monkeypatch.setattr(zoo, "load", lambda name: loaded)
    return lambda: records.register(RECIPE, trained, ROW, TEST, "train.py")


def test_the_name_is_that_which_make_zoo_ships(register):
    record = register()
    assert record.name == "nl_mask_rcnn_tiny_fpn_longrange_shapes.local"
    assert record.labels == detectors.LABELS


@mostly_slow(
    pytest.mark.parametrize(
        "layer, change, error",
        [
            ("rpn_deltas", 1e-2, "predicts differently: the largest"),
            ("box_fc7", 1e-2, "predicts differently: the largest"),
            ("box_fc7", np.nan, "must be finite"),
        ],
    ),
    0,
)
def test_a_part_that_differs_is_seen_though_nothing_is_found(
    register, models, layer, change, error
):
    trained, loaded = models
    (kernel,) = (w for w in loaded.weights if f"{layer}/kernel" in w.path)
    try:
        kernel.assign(kernel + change)
        with pytest.raises((RuntimeError, FloatingPointError), match=error):
            register()
    finally:
        loaded.set_weights(trained.get_weights())
    assert not loaded.predict([PIXELS])["num_detections"].any()

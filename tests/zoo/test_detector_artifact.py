"""A registered detector ships, with a SavedModel that is proven."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from tests.support import detectors
from tests.support import shipped
from tests.support import zoo_files
from zoo import artifacts
from zoo import proof
from zoo import record as records
from zoo import registration
from zoo.tasks import object_detection

NAME = "faster_rcnn_tiny_test"


@pytest.fixture(scope="module")
def model():
    """What is quickest to trace; it takes everything for background."""
    model = detectors.small(masks=False, num_keypoints=None)
    bias = model.get_layer("box_head").get_layer("box_class").bias
    bias.assign([50.0, 0.0, 0.0])
    return model


@pytest.fixture(scope="module")
def root(tmp_path_factory, model):
    """A package into which the model was shipped from the zoo of a user."""
    user, root = map(tmp_path_factory.mktemp, ("user", "package"))
    fields = detectors.record(f"{NAME}.local")
    fields |= shipped.tell(model, records.Record(version=1, **fields))
    with zoo_files.twin_alone():
        zoo.register(model, fields, user)
    registration.ship(f"{NAME}.local", cache_dir=user, root=root)
    return root


def test_what_ships_of_a_detector_is_whole(root, model):
    loaded = shipped.assert_whole(zoo.info(NAME, root), root)
    for one, other in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_both_signatures_are_served_with_names(root, model):
    served = tf.saved_model.load(str(zoo.path(NAME, root)))
    assert set(served.signatures) == {"serving_default", "encoded"}
    given = served.signatures["encoded"].structured_input_signature[1]
    assert given["encoded"].dtype == tf.string
    for signature in served.signatures.values():
        assert {"boxes", "label_names"} <= set(signature.structured_outputs)
    # Of the class that a SavedModel is told to find, it gives the name.
    places = [weight.path for weight in model.variables]
    bias = next(n for n, p in enumerate(places) if p.endswith("box_class/bias"))
    served.weights[bias].assign([0.0, -50.0, 50.0])
    (image,) = detectors.images((50, 80))
    found = served.signatures["serving_default"](images=image[None])
    number = int(found["num_detections"][0])
    names = found["label_names"].numpy()[0]
    assert number and set(names[:number]) == {b"dog"}


def test_a_saved_model_of_other_weights_is_told(root, model):
    (kernel,) = (w for w in model.weights if "box_fc6/kernel" in w.path)
    before = kernel.numpy()
    kernel.assign(before + 1e-6)
    folder = zoo.path(NAME, root)
    fault = object_detection.find_fault(model, zoo.info(NAME, root), folder)
    kernel.assign(before)
    assert "other values of box_fc6/kernel" in fault


def test_a_saved_model_with_a_fault_is_not_kept(root, model, monkeypatch):
    monkeypatch.setattr(
        object_detection, "find_fault", lambda *given: "the fault"
    )
    folder = zoo.path(NAME, root)
    files = [folder / name for name in (artifacts.TWIN, artifacts.SAVED_MODEL)]
    words = f"{artifacts.SAVED_MODEL} of {NAME} predicts otherwise .* the fault"
    with pytest.raises(RuntimeError, match=words):
        proof.prove(model, zoo.info(NAME, root), *files)

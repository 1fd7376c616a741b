import numpy as np
import pytest
import tensorflow as tf

from nonlocal_keras import export
from tests.support import small


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    model = small.classifier()
    root = tmp_path_factory.mktemp("serving") / "model"
    return model, export.to_saved_model(model, root, small.LABELS)


def test_the_signature_gives_what_the_model_gives(exported):
    model, path = exported
    x = np.random.default_rng(0).normal(size=(3, 4, 32, 32, 3))
    x = x.astype("float32")
    signature = tf.saved_model.load(path).signatures["serving_default"]
    outputs = signature(clip=tf.constant(x))
    np.testing.assert_allclose(
        outputs["probabilities"], model.predict(x, verbose=0), atol=1e-6
    )
    np.testing.assert_allclose(
        tf.nn.softmax(outputs["logits"]), outputs["probabilities"], atol=1e-6
    )


def test_the_batch_is_dynamic(exported):
    _, path = exported
    signature = tf.saved_model.load(path).signatures["serving_default"]
    for batch in (1, 5):
        outputs = signature(clip=tf.zeros((batch, 4, 32, 32, 3)))
        assert outputs["probabilities"].shape == (batch, 3)


def test_labels_lie_in_the_assets(exported):
    text = tf.io.read_file(exported[1] + "/assets/labels.txt").numpy()
    assert text.decode().split() == list(small.LABELS)


def test_a_published_version_never_changes(exported, tmp_path):
    model, path = exported
    with pytest.raises(ValueError, match="`version` must be new.*version=1"):
        export.to_saved_model(model, path.rsplit("/", 1)[0], small.LABELS)


def test_the_number_of_labels_must_agree(exported, tmp_path):
    with pytest.raises(ValueError, match="`labels` must hold 3 names.*: 2"):
        export.to_saved_model(exported[0], tmp_path, ["a", "b"])


def test_a_failed_export_leaves_no_version(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(export.saved_model.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        export.to_saved_model(small.classifier(), tmp_path, small.LABELS)
    assert not list(tmp_path.iterdir())

import json
import shutil

import keras
import numpy as np
import pytest

import zoo
from tests import small
from zoo import checksums
from zoo import registration


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty zoo of the user."""
    monkeypatch.setenv("NONLOCAL_KERAS_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def root_with_model(tmp_path_factory):
    root, model = tmp_path_factory.mktemp("zoo"), small.classifier()
    return root, model, zoo.register(model, small.record(), root)


@pytest.fixture
def registered(home, root_with_model):
    """A model and its record, in the zoo of the user."""
    root, model, record = root_with_model
    shutil.copytree(root, home / "zoo")
    return model, record


def clips(batch=2):
    shape = (batch, 4, 32, 32, 3)
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def test_the_zoo_is_the_same_object_under_both_names():
    import nonlocal_keras.zoo

    assert nonlocal_keras.zoo is zoo
    assert nonlocal_keras.zoo.load is zoo.load


def test_a_registered_model_is_listed_and_loads_by_name(registered):
    model, record = registered
    assert record.name in zoo.list_models("nl_*")
    loaded = zoo.load(record.name)
    x = clips()
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0), atol=1e-6
    )
    assert loaded.labels == small.LABELS


def test_a_loaded_model_trains_and_saves(registered, tmp_path):
    loaded = zoo.load(registered[1].name)
    loaded.compile("sgd", "sparse_categorical_crossentropy")
    loaded.fit(clips(), np.array([0, 1]), verbose=0)
    loaded.save(tmp_path / "tuned.keras")
    again = keras.models.load_model(tmp_path / "tuned.keras")
    np.testing.assert_allclose(
        again.predict(clips(), verbose=0), loaded.predict(clips(), verbose=0)
    )


def test_registering_again_makes_a_new_version(registered):
    model, first = registered
    second = zoo.register(model, small.record())
    assert (first.version, second.version) == (1, 2)
    assert zoo.info(first.name).version == 2
    assert zoo.path(first.name).name == "2"


def test_the_artifact_holds_saved_model_twin_labels_and_card(registered):
    folder = zoo.path(registered[1].name)
    for name in ("saved_model.pb", "model.keras", "assets/labels.txt"):
        assert (folder / name).is_file()
    card = (folder / "card.md").read_text()
    assert "Apache-2.0" in card and "2 clips x 1 crops of 32 pixels" in card
    assert checksums.damage(folder) is None
    assert "95% interval 40.0% to 60.0%" in card


def test_nothing_partial_is_left_behind(registered, home):
    assert not list(home.rglob(".partial*"))


def test_a_failed_registration_leaves_no_record(home):
    broken = {**small.record(), "metrics": {}}
    with pytest.raises(ValueError, match="`metrics` of a zoo record"):
        zoo.register(small.classifier(), broken)
    assert small.record()["name"] not in zoo.list_models()


def test_a_flipped_bit_is_detected(registered):
    path = zoo.path(registered[1].name) / "model.keras"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(
        ValueError, match="model.keras is not as it was written"
    ):
        zoo.load(registered[1].name)


def test_a_missing_file_is_named(registered):
    (zoo.path(registered[1].name) / "model.keras").unlink()
    with pytest.raises(ValueError, match="model.keras is missing"):
        zoo.load(registered[1].name)


def test_publishing_drops_the_tag_and_older_versions(registered, tmp_path):
    root = tmp_path / "package"
    for expected in (1, 2):
        record = registration.publish(registered[1].name, root)
        assert (record.name, record.version) == ("nl_c2d_tiny_test", expected)
    folder = root / "artifacts" / "nl_c2d_tiny_test"
    assert [path.name for path in folder.iterdir()] == ["2"]
    assert (folder / "2" / "saved_model.pb").is_file()


def test_an_unknown_name_suggests_near_ones(registered):
    with pytest.raises(ValueError, match="Did you mean 'nl_c2d_tiny_test"):
        zoo.info("nl_c2d_tiny_tset.local")


def test_a_name_is_no_path(home):
    with pytest.raises(ValueError, match="no model named '../x'"):
        zoo.load("../x")


def test_names_are_sorted_by_number(home):
    folder = home / "zoo" / "records"
    folder.mkdir(parents=True)
    for name in ("c2d_r101_x", "c2d_r50_x", "c2d_r9_x"):
        (folder / f"{name}.json").write_text("{}")
    assert zoo.list_models("c2d_r*_x") == [
        "c2d_r9_x",
        "c2d_r50_x",
        "c2d_r101_x",
    ]


def test_a_damaged_record_is_named(home):
    folder = home / "zoo" / "records"
    folder.mkdir(parents=True)
    (folder / "broken.json").write_text(json.dumps({"labels": []}))
    with pytest.raises(ValueError, match="broken.json is not a zoo record"):
        zoo.info("broken")


def test_labels_and_preprocessing_are_saved_with_a_model(registered, tmp_path):
    loaded = zoo.load(registered[1].name)
    loaded.save(tmp_path / "tuned.keras")
    again = keras.models.load_model(tmp_path / "tuned.keras")
    assert again.labels == small.LABELS
    frames = np.zeros((9, 40, 60, 3), "uint8")
    np.testing.assert_array_equal(
        again.preprocess(frames), loaded.preprocess(frames)
    )


def test_fresh_weights_of_a_registered_model(registered):
    model, record = registered
    fresh = zoo.load(record.name, weights=False)
    assert fresh.labels == small.LABELS
    assert [w.shape for w in fresh.weights] == [w.shape for w in model.weights]
    kernels = [m.backbone.get_layer("conv1").kernel for m in (fresh, model)]
    assert np.abs(np.asarray(kernels[0]) - np.asarray(kernels[1])).max() > 0


def test_a_registered_model_has_no_published_file(registered):
    with pytest.raises(ValueError, match="`weights` must be True or False"):
        zoo.load(registered[1].name, weights="some.params")

import contextlib
import json
import resource
import shutil

import keras
import numpy as np
import pytest

import zoo
from tests.support import small
from tests.support import zoo_files
from tests.support.marks import mostly_slow
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
    np.testing.assert_allclose(loaded(x), model(x), atol=1e-6)
    assert loaded.labels == small.LABELS


def test_a_loaded_model_trains_and_saves(registered, tmp_path):
    loaded = zoo.load(registered[1].name)
    loaded.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    loaded.fit(clips(), np.array([0, 1]), verbose=0)
    loaded.save(tmp_path / "tuned.keras")
    again = keras.models.load_model(tmp_path / "tuned.keras")
    np.testing.assert_allclose(again(clips()), loaded(clips()), rtol=1e-6)


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
    assert checksums.find_damage(folder) is None
    assert "95% interval 40.0% to 60.0%" in card


def test_nothing_partial_is_left_behind(registered, home):
    assert not list(home.rglob(".partial*"))


@pytest.mark.usefixtures("twin_alone")
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


def edit(path, **changes):
    """Changes fields of a record as an editor would: other spaces, too."""
    fields = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({k: v for k, v in fields.items() if v != ""}))


def records_of(record):
    """The record in the list, and the one in the artifact."""
    folder = zoo.path(record.name)
    file = folder.parents[2] / "records" / f"{record.name}.json"
    return file, folder / "record.json"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("labels", list(reversed(small.LABELS))),
        ("labels", ["a"]),
        ("input", {**small.record()["input"], "mean": [0.0, 0.0, 0.0]}),
    ],
)
def test_a_record_that_was_changed_is_refused(registered, field, value):
    edit(records_of(registered[1])[0], **{field: value})
    for options in ({}, {"weights": False}, {"num_classes": 5}):
        with pytest.raises(ValueError, match=f"they differ in {field}. Copy"):
            zoo.load(registered[1].name, **options)


@pytest.mark.usefixtures("twin_alone")
def test_the_advice_for_a_changed_record_works(registered):
    listed, written = records_of(registered[1])
    edit(listed, labels=["a", "b"])
    shutil.copy(written, listed)
    assert zoo.load(registered[1].name).labels == small.LABELS


def test_a_record_that_was_changed_at_both_places_is_refused(registered):
    for file in records_of(registered[1]):
        edit(file, labels=["a", "b"])
    with pytest.raises(ValueError, match="record.json is not as it was writ"):
        zoo.load(registered[1].name)


def test_a_record_may_be_written_otherwise(registered):
    edit(records_of(registered[1])[0])
    assert zoo.load(registered[1].name).labels == small.LABELS


def test_a_record_of_an_older_package_may_lack_a_field(registered):
    listed, written = records_of(registered[1])
    edit(written, order="")
    checksums.write_sums(written.parent)
    edit(listed)
    assert zoo.load(registered[1].name).labels == small.LABELS


@contextlib.contextmanager
def largest_file(size):
    """No file of this process may grow beyond a size, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


# In the weights of the SavedModel, in its graph, in the Keras model.
@mostly_slow(pytest.mark.parametrize("size", [100, 100_000, 380_000]), 0, 2)
def test_a_full_disk_is_said_and_nothing_is_left(home, size):
    root, model = home / "zoo", small.classifier()
    with largest_file(size):
        with pytest.raises(ValueError, match="`cache_dir` cannot be written"):
            zoo.register(model, small.record())
    assert [p.name for p in root.rglob("*") if p.is_file()] == [
        small.record()["name"]  # The lock.
    ]
    assert not list(root.glob("artifacts/*"))


@pytest.mark.usefixtures("twin_alone")
def test_a_record_that_cannot_be_written_leaves_no_model(home, monkeypatch):
    def full(*unused):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(registration, "write_record", full)
    with pytest.raises(ValueError, match="cannot be written: No space left"):
        zoo.register(small.classifier(), small.record())
    versions = home / "zoo" / "artifacts" / small.record()["name"]
    assert not any(versions.iterdir())
    assert not any((home / "zoo" / "records").iterdir())


def test_a_root_that_is_a_file_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="`cache_dir` cannot be written: Not"):
        zoo.register(small.classifier(), small.record(), tmp_path / "file")


def test_shipping_drops_the_tag_and_older_versions(registered, tmp_path):
    root = tmp_path / "package"
    with zoo_files.twin_alone():
        first = registration.ship(registered[1].name, root=root)
    second = registration.ship(registered[1].name, root=root)
    assert first.name == second.name == "nl_c2d_tiny_test"
    assert (first.version, second.version) == (1, 2)
    folder = root / "artifacts" / "nl_c2d_tiny_test"
    assert [path.name for path in folder.iterdir()] == ["2"]
    assert (folder / "2" / "saved_model.pb").is_file()


def test_a_published_file_does_not_ship():
    with pytest.raises(ValueError, match="`name` must be of a model that was"):
        registration.ship("nl_i3d_r101_kinetics")


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

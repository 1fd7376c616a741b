"""What is in the cache loads without a network, and is mended where needed."""

import shutil

import numpy as np
import pytest

import zoo
from tests.support import checkpoint_writers as w
from tests.support import zoo_files
from zoo import artifacts
from zoo import checksums
from zoo import registry

NAME = zoo_files.NAME
folder = zoo_files.folder


def test_later_loads_use_no_network(cached, server, monkeypatch):
    monkeypatch.setenv("NONLOCAL_KERAS_OFFLINE", "1")
    zoo_files.assert_same(zoo.load(NAME))
    assert not server.requests


def test_a_name_without_its_tag_is_the_first_tag(cached, server):
    other = zoo_files.record(
        server.url(zoo_files.URL), name="nl_i3d_r14_test.a", order=2
    )
    zoo_files.write(cached, other)
    assert zoo.info("nl_i3d_r14_test").name == NAME
    zoo_files.assert_same(zoo.load("nl_i3d_r14_test"))


def test_a_model_carries_what_it_needs(cached):
    model = zoo.load(NAME)
    assert model.labels == zoo.info(NAME).labels
    frames = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3))
    clip = model.preprocess(frames.astype("uint8"))
    assert clip.shape == (1, 8, 32, 32, 3) and clip.dtype == "float32"
    assert model(clip).shape == (1, 3)
    assert "Apache-2.0" in zoo.card(NAME)


def test_features_come_without_the_classifier(cached):
    backbone = zoo.load(NAME, include_top=False)
    x = w.clip(zoo_files.network())
    features = np.asarray(backbone(x, training=False))
    expected = np.asarray(zoo_files.network().backbone(x, training=False))
    np.testing.assert_allclose(features, expected, atol=1e-4)
    frames = np.zeros((8, 32, 32, 3), "uint8")
    assert backbone.preprocess(frames).shape == (1, 8, 32, 32, 3)


def test_other_classes_give_a_fresh_classifier_and_say_so(cached, caplog):
    with caplog.at_level("WARNING"):
        model = zoo.load(NAME, num_classes=51)
    assert "classifier of 51 classes is fresh" in caplog.text
    assert model.output_shape == (None, 51) and model.labels is None
    whole = zoo.load(NAME)
    for a, b in zip(model.backbone.weights, whole.backbone.weights):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_the_same_number_of_classes_keeps_the_classifier(cached):
    zoo_files.assert_same(zoo.load(NAME, num_classes=3))


def test_features_have_no_number_of_classes(cached):
    with pytest.raises(ValueError, match="`num_classes` is for the classif"):
        zoo.load(NAME, num_classes=5, include_top=False)


def test_a_stated_sum_is_held_against_the_model_in_the_cache(cached, server):
    digest = checksums.hashlib.sha256(zoo_files.file_bytes()).hexdigest()
    assert zoo.download(NAME, sha256=digest) == folder(cached)
    with pytest.raises(ValueError, match="`sha256` must be that of the file.*"):
        zoo.download(NAME, sha256=64 * "0")
    assert not server.requests


@pytest.mark.usefixtures("twin_alone")
@pytest.mark.parametrize("name", [artifacts.TWIN, checksums.SUMS])
def test_a_flipped_bit_is_named_and_repaired(cached, server, caplog, name):
    path = folder(cached) / name
    data = bytearray(path.read_bytes())
    # In the list of checksums, a digit of that of the model.
    where = data.find(b"model.keras") - 10
    data[where if name == checksums.SUMS else len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with caplog.at_level("WARNING"):
        zoo_files.assert_same(zoo.load(NAME))
    assert f"{folder(cached) / artifacts.TWIN} is not as it was" in caplog.text
    assert "It is made again" in caplog.text
    assert len(server.requests) == 1
    assert checksums.find_damage(folder(cached)) is None


@pytest.mark.usefixtures("twin_alone")
def test_a_file_that_was_deleted_is_made_again(cached, server):
    (folder(cached) / artifacts.TWIN).unlink()
    zoo_files.assert_same(zoo.load(NAME))
    assert checksums.find_damage(folder(cached)) is None


@pytest.mark.usefixtures("twin_alone")
def test_what_a_killed_process_has_left_is_removed(cached, server):
    leftover = folder(cached).parent / f"{artifacts.PARTIAL}dead"
    leftover.mkdir()
    shutil.rmtree(folder(cached))
    zoo.download(NAME)
    assert not leftover.exists()


@pytest.mark.usefixtures("twin_alone")
def test_a_cache_that_cannot_be_written_is_named(cached, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    shutil.rmtree(folder(cached))
    monkeypatch.setattr(artifacts, "write_record", full)
    with pytest.raises(ValueError, match="`cache_dir` cannot be written: No s"):
        zoo.download(NAME)
    assert not folder(cached).exists()
    assert not list(folder(cached).parent.glob(f"{artifacts.PARTIAL}*"))


def test_a_model_that_is_not_here_has_no_path(home, server):
    zoo_files.add(home, server)
    with pytest.raises(ValueError, match="no SavedModel at .*zoo.download"):
        zoo.path(NAME)


def test_a_cache_of_choice_is_used(installed, home, server, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(installed, copy)
    zoo_files.assert_same(zoo.load(NAME, cache_dir=copy))
    (folder(copy) / artifacts.SAVED_MODEL).touch()
    assert zoo.path(NAME, cache_dir=copy) == folder(copy)
    assert not home.exists()


def test_every_way_to_a_root_is_tried(home, monkeypatch):
    monkeypatch.delenv("NONLOCAL_KERAS_HOME")
    assert str(registry.user_root()).endswith(".cache/nonlocal_keras/zoo")


def test_a_record_of_the_user_that_was_changed_is_refused(
    cached, server, tmp_path
):
    fields = zoo_files.record(server.url(zoo_files.URL))
    zoo_files.write(cached, {**fields, "labels": ["c", "b", "a"]})
    file = tmp_path / "mine.params"
    file.write_bytes(zoo_files.file_bytes())
    for weights in (True, file):
        with pytest.raises(ValueError, match="they differ in labels. Copy"):
            zoo.load(NAME, weights=weights)
    assert not server.requests

"""From a published file on a server to a model by name."""

import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import zoo
from tests.support import checkpoint_writers as w
from tests.support import servers
from tests.support import zoo_files
from zoo import artifacts
from zoo import checksums
from zoo import fetch
from zoo import registry

NAME = zoo_files.NAME
URL = f"/models/{zoo_files.FILE}"


@pytest.fixture(scope="module")
def server():
    with servers.serving() as server:
        yield server


@pytest.fixture
def home(server, tmp_path, monkeypatch):
    """An empty zoo of the user, and a server that has the file."""
    monkeypatch.setenv("NONLOCAL_KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("NONLOCAL_KERAS_OFFLINE", raising=False)
    monkeypatch.delenv("NONLOCAL_KERAS_ACCEPT_LICENSE", raising=False)
    monkeypatch.setattr(fetch, "FIRST_PAUSE", 0.001)
    server.files = {URL: zoo_files.file_bytes()}
    server.faults, server.pause = {}, 0.0
    server.requests.clear()
    return tmp_path / "zoo"


def add(home, server, **changes):
    return zoo_files.write(home, zoo_files.record(server.url(URL), **changes))


@pytest.fixture(scope="module")
def installed(server, tmp_path_factory):
    """A cache that holds the model; tests copy it."""
    root = tmp_path_factory.mktemp("installed")
    server.files = {URL: zoo_files.file_bytes()}
    zoo_files.write(root, zoo_files.record(server.url(URL)))
    zoo.download(NAME, cache_dir=root)
    return root


@pytest.fixture
def cached(home, installed, server):
    shutil.copytree(installed, home)
    server.requests.clear()
    return home


def same(model):
    x = w.clip(zoo_files.network())
    expected = w.logits(zoo_files.network(), x)
    np.testing.assert_allclose(w.logits(model, x), expected, atol=1e-5)


def folder(root):
    return root / "artifacts" / NAME / "1"


def files(root):
    return sorted(p.name for p in root.rglob("*") if p.is_file())


def test_the_first_load_downloads_converts_and_keeps(home, server):
    add(home, server)
    same(zoo.load(NAME))
    assert len(server.requests) == 1
    kept = [p.name for p in folder(home).iterdir()]
    assert {"model.keras", "saved_model.pb", "report.json", "card.md"} <= set(
        kept
    )
    assert checksums.find_damage(folder(home)) is None
    # The published file has done its part.
    assert not list((home / "downloads").rglob("*.params*"))


def test_later_loads_use_no_network(cached, server, monkeypatch):
    monkeypatch.setenv("NONLOCAL_KERAS_OFFLINE", "1")
    same(zoo.load(NAME))
    assert not server.requests


def test_a_name_without_its_tag_is_the_first_tag(cached, server):
    other = zoo_files.record(server.url(URL), name="nl_i3d_r14_test.a", order=2)
    zoo_files.write(cached, other)
    assert zoo.info("nl_i3d_r14_test").name == NAME
    same(zoo.load("nl_i3d_r14_test"))


def test_a_model_carries_what_it_needs(cached):
    model = zoo.load(NAME)
    assert model.labels == zoo.info(NAME).labels
    frames = np.random.default_rng(0).integers(0, 256, (20, 48, 64, 3))
    clip = model.preprocess(frames.astype("uint8"))
    assert clip.shape == (1, 8, 32, 32, 3) and clip.dtype == "float32"
    assert model.predict(clip, verbose=0).shape == (1, 3)
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
    same(zoo.load(NAME, num_classes=3))


def test_no_weights_need_no_network(home, server):
    add(home, server)
    model = zoo.load(NAME, weights=False)
    assert not server.requests
    assert model.output_shape == (None, 3) and model.labels is not None
    assert len(model.weights) == len(zoo_files.network().weights)


def test_a_file_of_the_user_is_converted(home, server, tmp_path):
    add(home, server)
    file = tmp_path / "mine.params"
    file.write_bytes(zoo_files.file_bytes())
    same(zoo.load(NAME, weights=file))
    assert not server.requests


def test_another_file_of_the_user_is_said_to_be_another(
    home, server, tmp_path, caplog
):
    add(home, server, checksum="sha256:00000000")
    file = tmp_path / "mine.params"
    file.write_bytes(zoo_files.file_bytes())
    with caplog.at_level("WARNING"):
        same(zoo.load(NAME, weights=str(file)))
    assert "mine.params: it is not the published file" in caplog.text


def test_a_file_of_another_architecture_is_refused(home, server):
    options = zoo_files.record("http://127.0.0.1/x")["architecture"]
    options = {**options, "family": "mmaction2"}
    add(home, server, architecture=options)
    with pytest.raises(ValueError, match="not of the architecture of.*layer"):
        zoo.load(NAME)
    assert not folder(home).exists()


def test_features_have_no_number_of_classes(cached):
    with pytest.raises(ValueError, match="`num_classes` is for the classif"):
        zoo.load(NAME, num_classes=5, include_top=False)


def test_offline_says_where_the_file_comes_from_and_goes(home, server):
    add(home, server)
    with pytest.raises(ValueError) as error:
        zoo.load(NAME, offline=True)
    place = home / "downloads" / NAME / zoo_files.FILE
    for words in (server.url(URL), str(place), "`weights`"):
        assert words in str(error.value)
    # And that is so.
    place.parent.mkdir(parents=True)
    place.write_bytes(zoo_files.file_bytes())
    same(zoo.load(NAME, offline=True))
    assert not server.requests


def test_a_blocked_download_says_what_to_do(home, server):
    add(home, server)
    server.files = {}
    with pytest.raises(ValueError, match="answers 404.*download it by hand"):
        zoo.load(NAME)


def test_a_file_with_a_wrong_checksum_is_refused(home, server):
    add(home, server, checksum="sha1:" + 40 * "0")
    with pytest.raises(ValueError, match="not the published file: its sha1"):
        zoo.load(NAME)
    assert files(home) == [NAME, f"{NAME}.json"]  # The lock and the record.


def test_a_page_instead_of_a_file_is_refused(home, server):
    add(home, server, checksum=None)
    server.files[URL] = b"<html>Please log in</html>"
    with pytest.raises(ValueError, match="no checkpoint and was deleted.*HTML"):
        zoo.load(NAME)
    assert files(home) == [NAME, f"{NAME}.json"]


def test_digits_that_were_accepted_once_are_pinned_by_the_whole(home, server):
    digest = checksums.hashlib.sha256(zoo_files.file_bytes()).hexdigest()
    add(home, server, checksum=f"sha256:{digest[:8]}")
    zoo.download(NAME, accept_unverified=True)
    assert (home / "pins" / NAME).read_text().startswith(digest)
    # The same file needs no word again; another one is refused.
    shutil.rmtree(home / "artifacts")
    server.files[URL] += b"x"
    with pytest.raises(ValueError, match="its sha256 is"):
        zoo.download(NAME)


def test_a_stated_sum_is_held_against_the_model_in_the_cache(cached, server):
    digest = checksums.hashlib.sha256(zoo_files.file_bytes()).hexdigest()
    assert zoo.download(NAME, sha256=digest) == folder(cached)
    with pytest.raises(ValueError, match="`sha256` must be that of the file.*"):
        zoo.download(NAME, sha256=64 * "0")
    assert not server.requests


def test_a_file_that_changes_after_first_use_is_refused(home, server):
    add(home, server, checksum=None)
    zoo.download(NAME)
    shutil.rmtree(home / "artifacts")
    server.files[URL] += b"x"
    with pytest.raises(ValueError, match="differs from the file that came at"):
        zoo.download(NAME)


def test_a_restricted_license_must_be_accepted(home, server, monkeypatch):
    add(home, server, license="CC-BY-NC-4.0")
    with pytest.raises(ValueError, match="`accept_license` must be 'CC-BY-NC"):
        zoo.download(NAME)
    assert not server.requests
    monkeypatch.setenv("NONLOCAL_KERAS_ACCEPT_LICENSE", "CC-BY-NC-4.0")
    zoo.download(NAME)
    # Accepted once, it is not asked for at every load.
    monkeypatch.delenv("NONLOCAL_KERAS_ACCEPT_LICENSE")
    same(zoo.load(NAME))


def test_a_license_is_accepted_by_argument(home, server):
    add(home, server, license="CC-BY-NC-4.0")
    same(zoo.load(NAME, accept_license="CC-BY-NC-4.0"))


@pytest.mark.parametrize("name", [artifacts.TWIN, checksums.SUMS])
def test_a_flipped_bit_is_named_and_repaired(cached, server, caplog, name):
    path = folder(cached) / name
    data = bytearray(path.read_bytes())
    # In the list of checksums, a digit of that of the model.
    where = data.find(b"model.keras") - 10
    data[where if name == checksums.SUMS else len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with caplog.at_level("WARNING"):
        same(zoo.load(NAME))
    assert f"{folder(cached) / artifacts.TWIN} is not as it was" in caplog.text
    assert "It is made again" in caplog.text
    assert len(server.requests) == 1
    assert checksums.find_damage(folder(cached)) is None


def test_a_file_that_was_deleted_is_made_again(cached, server):
    (folder(cached) / artifacts.TWIN).unlink()
    same(zoo.load(NAME))
    assert checksums.find_damage(folder(cached)) is None


def test_what_a_killed_process_has_left_is_removed(cached, server):
    leftover = folder(cached).parent / f"{artifacts.PARTIAL}dead"
    leftover.mkdir()
    shutil.rmtree(folder(cached))
    zoo.download(NAME)
    assert not leftover.exists()


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
    add(home, server)
    with pytest.raises(ValueError, match="no SavedModel at .*zoo.download"):
        zoo.path(NAME)


def test_a_cache_of_choice_is_used(installed, home, server, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(installed, copy)
    same(zoo.load(NAME, cache_dir=copy))
    assert zoo.path(NAME, cache_dir=copy) == folder(copy)
    assert not home.exists()


def test_every_way_to_a_root_is_tried(home, monkeypatch):
    monkeypatch.delenv("NONLOCAL_KERAS_HOME")
    assert str(registry.user_root()).endswith(".cache/nonlocal_keras/zoo")


def test_a_record_of_the_user_that_was_changed_is_refused(
    cached, server, tmp_path
):
    fields = zoo_files.record(server.url(URL))
    zoo_files.write(cached, {**fields, "labels": ["c", "b", "a"]})
    file = tmp_path / "mine.params"
    file.write_bytes(zoo_files.file_bytes())
    for weights in (True, file):
        with pytest.raises(ValueError, match="they differ in labels. Copy"):
            zoo.load(NAME, weights=weights)
    assert not server.requests


LOAD = f"""
import sys, numpy as np, zoo
model = zoo.load({NAME!r})
x = np.full((1, 8, 32, 32, 3), 0.5, "float32")
print("logits", np.asarray(model.logits(x)).tolist())
"""


def start():
    return subprocess.Popen(
        [sys.executable, "-c", LOAD],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out.partition("logits")[2], err


@pytest.mark.slow
def test_two_processes_get_one_download_and_two_good_models(home, server):
    add(home, server)
    server.pause = 0.2  # A download that both would see.
    first, second = [finish(p) for p in (start(), start())]
    assert first[0] and first[0] == second[0]
    assert len(server.requests) == 1
    assert "waiting for another process" in first[1] + second[1]


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_nothing_or_a_whole_model(home, server):
    add(home, server)
    server.pause = 0.05
    begun = time.monotonic()
    expected = finish(start())[0]
    assert expected
    # From the start of Python to the end of the loading, on this machine.
    whole = time.monotonic() - begun
    rng, kills = np.random.default_rng(0), 0
    for _ in range(8):
        shutil.rmtree(folder(home), ignore_errors=True)
        process = start()
        time.sleep(rng.uniform(0.2, 0.9) * whole)
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        if folder(home).exists():
            assert checksums.find_damage(folder(home)) is None
    assert kills >= 4
    assert finish(start())[0] == expected
    assert checksums.find_damage(folder(home)) is None
    assert not list(folder(home).parent.glob(f"{artifacts.PARTIAL}*"))

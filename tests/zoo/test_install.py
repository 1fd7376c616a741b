"""From a published file on a server to a model by name."""

import shutil

import pytest

import zoo
from tests.support import zoo_files
from zoo import checksums

NAME = zoo_files.NAME


def files(root):
    return sorted(p.name for p in root.rglob("*") if p.is_file())


def test_the_first_load_downloads_converts_and_keeps(home, server):
    zoo_files.add(home, server)
    zoo_files.assert_same(zoo.load(NAME))
    assert len(server.requests) == 1
    kept = [p.name for p in zoo_files.folder(home).iterdir()]
    assert {"model.keras", "saved_model.pb", "report.json", "card.md"} <= set(
        kept
    )
    assert checksums.find_damage(zoo_files.folder(home)) is None
    # The published file has done its part.
    assert not list((home / "downloads").rglob("*.params*"))


def test_no_weights_need_no_network(home, server):
    zoo_files.add(home, server)
    model = zoo.load(NAME, weights=False)
    assert not server.requests
    assert model.output_shape == (None, 3) and model.labels is not None
    assert len(model.weights) == len(zoo_files.network().weights)


@pytest.mark.usefixtures("twin_alone")
def test_a_file_of_the_user_is_converted(home, server, tmp_path):
    zoo_files.add(home, server)
    file = tmp_path / "mine.params"
    file.write_bytes(zoo_files.file_bytes())
    zoo_files.assert_same(zoo.load(NAME, weights=file))
    assert not server.requests


@pytest.mark.usefixtures("twin_alone")
def test_another_file_of_the_user_is_said_to_be_another(
    home, server, tmp_path, caplog
):
    zoo_files.add(home, server, checksum="sha256:00000000")
    file = tmp_path / "mine.params"
    file.write_bytes(zoo_files.file_bytes())
    with caplog.at_level("WARNING"):
        zoo_files.assert_same(zoo.load(NAME, weights=str(file)))
    assert "mine.params: it is not the published file" in caplog.text


@pytest.mark.usefixtures("twin_alone")
def test_a_file_of_another_architecture_is_refused(home, server):
    options = zoo_files.record("http://127.0.0.1/x")["architecture"]
    options = {**options, "family": "mmaction2"}
    zoo_files.add(home, server, architecture=options)
    with pytest.raises(ValueError, match="not of the architecture of.*layer"):
        zoo.load(NAME)
    assert not zoo_files.folder(home).exists()


@pytest.mark.usefixtures("twin_alone")
def test_offline_says_where_the_file_comes_from_and_goes(home, server):
    zoo_files.add(home, server)
    with pytest.raises(ValueError) as error:
        zoo.load(NAME, offline=True)
    place = home / "downloads" / NAME / zoo_files.FILE
    for words in (server.url(zoo_files.URL), str(place), "`weights`"):
        assert words in str(error.value)
    # And that is so.
    place.parent.mkdir(parents=True)
    place.write_bytes(zoo_files.file_bytes())
    zoo_files.assert_same(zoo.load(NAME, offline=True))
    assert not server.requests


@pytest.mark.usefixtures("twin_alone")
def test_a_blocked_download_says_what_to_do(home, server):
    zoo_files.add(home, server)
    server.files = {}
    with pytest.raises(ValueError, match="answers 404.*download it by hand"):
        zoo.load(NAME)


@pytest.mark.usefixtures("twin_alone")
def test_a_file_with_a_wrong_checksum_is_refused(home, server):
    zoo_files.add(home, server, checksum="sha1:" + 40 * "0")
    with pytest.raises(ValueError, match="not the published file: its sha1"):
        zoo.load(NAME)
    assert files(home) == [NAME, f"{NAME}.json"]  # The lock and the record.


@pytest.mark.usefixtures("twin_alone")
def test_a_page_instead_of_a_file_is_refused(home, server):
    zoo_files.add(home, server, checksum=None)
    server.files[zoo_files.URL] = b"<html>Please log in</html>"
    with pytest.raises(ValueError, match="no checkpoint and was deleted.*HTML"):
        zoo.load(NAME)
    assert files(home) == [NAME, f"{NAME}.json"]


@pytest.mark.usefixtures("twin_alone")
def test_digits_that_were_accepted_once_are_pinned_by_the_whole(home, server):
    digest = checksums.hashlib.sha256(zoo_files.file_bytes()).hexdigest()
    zoo_files.add(home, server, checksum=f"sha256:{digest[:8]}")
    zoo.download(NAME, accept_unverified=True)
    assert (home / "pins" / NAME).read_text().startswith(digest)
    # The same file needs no word again; another one is refused.
    shutil.rmtree(home / "artifacts")
    server.files[zoo_files.URL] += b"x"
    with pytest.raises(ValueError, match="its sha256 is"):
        zoo.download(NAME)


@pytest.mark.usefixtures("twin_alone")
def test_a_file_that_changes_after_first_use_is_refused(home, server):
    zoo_files.add(home, server, checksum=None)
    zoo.download(NAME)
    shutil.rmtree(home / "artifacts")
    server.files[zoo_files.URL] += b"x"
    with pytest.raises(ValueError, match="differs from the file that came at"):
        zoo.download(NAME)


@pytest.mark.usefixtures("twin_alone")
def test_a_restricted_license_must_be_accepted(home, server, monkeypatch):
    zoo_files.add(home, server, license="CC-BY-NC-4.0")
    with pytest.raises(ValueError, match="`accept_license` must be 'CC-BY-NC"):
        zoo.download(NAME)
    assert not server.requests
    monkeypatch.setenv("NONLOCAL_KERAS_ACCEPT_LICENSE", "CC-BY-NC-4.0")
    zoo.download(NAME)
    # Accepted once, it is not asked for at every load.
    monkeypatch.delenv("NONLOCAL_KERAS_ACCEPT_LICENSE")
    zoo_files.assert_same(zoo.load(NAME))


@pytest.mark.usefixtures("twin_alone")
def test_a_license_is_accepted_by_argument(home, server):
    zoo_files.add(home, server, license="CC-BY-NC-4.0")
    zoo_files.assert_same(zoo.load(NAME, accept_license="CC-BY-NC-4.0"))

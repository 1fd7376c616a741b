"""A server with a published file, and caches before and after its use."""

import shutil

import pytest

import zoo
from tests.support import servers
from tests.support import zoo_files
from zoo import fetch


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
    server.files = {zoo_files.URL: zoo_files.file_bytes()}
    server.faults, server.pause = {}, 0.0
    server.requests.clear()
    return tmp_path / "zoo"


@pytest.fixture(scope="module")
def installed(server, tmp_path_factory):
    """A cache that holds the model without its SavedModel; tests copy it."""
    root = tmp_path_factory.mktemp("installed")
    server.files = {zoo_files.URL: zoo_files.file_bytes()}
    zoo_files.add(root, server)
    with zoo_files.twin_alone():
        zoo.download(zoo_files.NAME, cache_dir=root)
    return root


@pytest.fixture
def cached(home, installed, server):
    shutil.copytree(installed, home)
    server.requests.clear()
    return home


@pytest.fixture
def twin_alone():
    with zoo_files.twin_alone():
        yield

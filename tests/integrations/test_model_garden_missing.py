"""Without what `nonlocal_keras.integrations.model_garden` needs."""

import importlib
import sys

import keras
import pytest

NAME = "nonlocal_keras.integrations.model_garden"


@pytest.fixture(autouse=True)
def not_imported_yet(monkeypatch):
    monkeypatch.delitem(sys.modules, NAME, raising=False)


def test_its_extra_is_named(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    monkeypatch.setitem(sys.modules, "tf_keras", None)
    with pytest.raises(ImportError, match=r"pip install 'nonlocal-keras\[tfm"):
        importlib.import_module(NAME)


def test_its_backend_is_named(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ImportError, match="KERAS_BACKEND=tensorflow.*: jax"):
        importlib.import_module(NAME)

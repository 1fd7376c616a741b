"""One export with every signature, for all that looks at it."""

import pathlib

import pytest

from nonlocal_keras import export
from tests.support import served


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A classifier and the folder of its version; tests change neither."""
    root = tmp_path_factory.mktemp("serving")
    model = served.classifier()
    return model, pathlib.Path(export.to_serving(model, root, name=served.NAME))

"""Functions of the bytes of a file: what it holds, and why it is refused."""

import functools

import pytest

from tests.support.checkpoint_bytes import read_bytes
from tests.support.checkpoint_bytes import refusal


@pytest.fixture
def read(tmp_path):
    return functools.partial(read_bytes, tmp_path)


@pytest.fixture
def refused(tmp_path):
    return functools.partial(refusal, tmp_path)

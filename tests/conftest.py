"""Every test starts from the same state and leaves none behind."""

import os
import signal

from tests.support.paths import ROOT

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Tiny arrays: compiling takes longer than computing.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# What one test has compiled, no other test, process or run compiles again.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / "build/jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

import keras
import pytest

DTYPE_POLICY = "float32"
DATA_FORMAT = "channels_last"


@pytest.fixture(autouse=True)
def fresh_keras():
    """Seeds all generators, and undoes what a test has configured."""
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy(DTYPE_POLICY)
    keras.config.set_image_data_format(DATA_FORMAT)
    keras.utils.clear_session(free_memory=False)


@pytest.fixture
def interruptible():
    """Undoes what `nohup` and shells without job control do to children."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)

"""What every worker of ours says about itself."""

import os
import platform
from importlib import metadata

import keras
import tensorflow as tf

import nonlocal_keras


def threads():
    """Returns the threads of this worker, as its driver has chosen."""
    return int(os.environ["TF_NUM_INTRAOP_THREADS"])


def of_ours(*distributions):
    """Returns a dictionary of names to versions.

    Args:
        *distributions: Names of further distributions that the work uses.
    """
    return {
        "python": platform.python_version(),
        "nonlocal_keras": nonlocal_keras.__version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        **{name: metadata.version(name) for name in distributions},
        "threads": threads(),
    }

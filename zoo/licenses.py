"""Licenses of weights: which ask for nothing, and who has accepted which."""

import os

from absl import logging

from zoo import renames

ACCEPT_LICENSE = "NONLOCAL_KERAS_ACCEPT_LICENSE"
# The same by its old name.
_ACCEPT_LICENCE = "NONLOCAL_KERAS_ACCEPT_LICENCE"
# Licenses that ask nothing of those who only use the weights.
FREE = ("Apache-2.0", "BSD-3-Clause", "MIT")
# What the others ask, in a word.
ASKS = {
    "CC-BY-NC-4.0": "no commercial use",
    "CC-BY-SA-3.0": "name the authors, and share what you make of them alike",
}


def tell(record):
    """Logs the license of the weights of a record, aloud if it restricts."""
    free = record.license in FREE
    log = logging.info if free else logging.warning
    log("%s is under %s", record.name, record.license)


def require(record, accepted):
    """Raises `ValueError` if the user has to accept the license first.

    Args:
        record: A `zoo.Record`.
        accepted: String, SPDX name of the license that the user accepts.
            `None` for what `$NONLOCAL_KERAS_ACCEPT_LICENSE` says.
    """
    tell(record)
    if record.license in FREE:
        return
    if accepted is None:
        accepted = _of_environment()
    if accepted != record.license:
        asks = ASKS.get(record.license, "read it")
        note = f" {record.note}" if record.note else ""
        raise ValueError(
            f"`accept_license` must be {record.license!r} for the weights of "
            f"{record.name}: that license restricts their use ({asks}).{note} "
            "If you accept it, give accept_license="
            f"{record.license!r}, or set {ACCEPT_LICENSE}={record.license}. "
            f"Received: accept_license={accepted!r}"
        )


def _of_environment():
    if ACCEPT_LICENSE not in os.environ and _ACCEPT_LICENCE in os.environ:
        renames.warn(_ACCEPT_LICENCE, ACCEPT_LICENSE)
        return os.environ[_ACCEPT_LICENCE]
    return os.environ.get(ACCEPT_LICENSE)

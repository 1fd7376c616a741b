"""From a published file to an artifact in the cache, once.

downloads/NAME/FILE     the published file, until it is converted
pins/NAME               its SHA-256, where none or half of one is published
locks/NAME              one process at a time
"""

import os

from absl import logging

from zoo import artifacts
from zoo import build
from zoo import checksums
from zoo import fetch
from zoo import trust as trusts

OFFLINE = "NONLOCAL_KERAS_OFFLINE"
ACCEPT_LICENCE = "NONLOCAL_KERAS_ACCEPT_LICENCE"
# Licences that ask nothing of those who only use the weights.
FREE = ("Apache-2.0", "BSD-3-Clause", "MIT")
# What the others ask, in a word.
ASKS = {
    "CC-BY-NC-4.0": "no commercial use",
    "CC-BY-SA-3.0": "name the authors, and share what you make of them alike",
}


def ensure(
    record,
    root,
    offline=None,
    accept_licence=None,
    progress=True,
    thorough=False,
    accept_unverified=False,
    sha256=None,
):
    """Makes sure that the artifact of a published model is in the cache.

    Args:
        record: A `zoo.Record` with a `download`.
        root: `pathlib.Path` of the cache.
        offline: Boolean, whether the network must not be used. `None` for
            what `$NONLOCAL_KERAS_OFFLINE` says.
        accept_licence: String, SPDX name of the licence that the user
            accepts. `None` for `$NONLOCAL_KERAS_ACCEPT_LICENCE`.
        progress: Boolean, whether to show a bar on a terminal.
        thorough: Boolean, whether to look at all files of an artifact that is
            there, not only at what `zoo.load` reads.
        accept_unverified, sha256: As for `zoo.load`.

    Returns:
        `pathlib.Path` of the version folder.

    Raises:
        trust.Unavailable: If the file cannot be had, or nothing vouches for
            it.
        ValueError: If the file cannot be had or is not the published one, or
            the licence was not accepted.
    """
    folder = artifacts.folder_of(record, root)
    names = None if thorough else artifacts.LOADED
    pin = root / "pins" / record.name
    trust = trusts.Trust(record, pin, accept_unverified, sha256)
    if folder.is_dir() and not checksums.damage(folder, names):
        if sha256 is not None:
            trust.compare(folder / artifacts.REPORT)
        return folder
    _ask(record, accept_licence)
    trust.require()
    with artifacts.writing(root), artifacts.lock(record.name, root):
        if folder.is_dir():
            problem = checksums.damage(folder, names)
            # Another process may have made it while this one waited.
            if not problem:
                return folder
            logging.warning("%s. It is made again.", problem)
        file = root / "downloads" / record.name / record.file_name
        problem = trust.wrong(file) if file.is_file() else None
        if problem:
            logging.warning("%s: %s", file, problem)
        if problem or not file.is_file():
            _download(record, file, trust, offline, progress)
        report = _convert(record, root, file)
        _write_pin(record, pin, report.sha256, file.name)
        file.unlink()
        logging.info("%s is in %s", record.name, folder)
    return folder


def _ask(record, accepted):
    if record.licence in FREE:
        logging.info("%s is under %s", record.name, record.licence)
        return
    logging.warning("%s is under %s", record.name, record.licence)
    if accepted is None:
        accepted = os.environ.get(ACCEPT_LICENCE)
    if accepted != record.licence:
        asks = ASKS.get(record.licence, "read it")
        note = f" {record.note}" if record.note else ""
        raise ValueError(
            f"`accept_licence` must be {record.licence!r} for the weights of "
            f"{record.name}: that licence restricts their use ({asks}).{note} "
            "If you accept it, give accept_licence="
            f"{record.licence!r}, or set {ACCEPT_LICENCE}={record.licence}. "
            f"Received: accept_licence={accepted!r}"
        )


def _download(record, file, trust, offline, progress):
    where = trust.by_hand(file)
    if offline is None:
        offline = os.environ.get(OFFLINE, "") not in ("", "0")
    if offline:
        raise trusts.Unavailable(
            f"{record.name} is not in the cache, and the network must not be "
            f"used (`offline` or {OFFLINE}). {where}"
        )
    urls = trust.addresses()
    logging.info("getting %s from %s", file.name, urls[0])
    try:
        fetch.fetch(urls, file, trust.wrong, trust.is_whole, progress)
    except fetch.DownloadError as error:
        more = ""
        if len(urls) < len(record.addresses):
            more = (
                "Its mirrors were not asked, since no checksum of the file is "
                "published: accept_unverified=True (--accept-unverified) asks "
                "them. "
            )
        raise trusts.Unavailable(
            f"The file of {record.name} cannot be had: {error}. {more}{where}"
        ) from error


def _write_pin(record, pin, sha256, name):
    """Remembers the file where the published checksum cannot vouch for it."""
    from nonlocal_keras import partial

    if pin.is_file() or checksums.is_whole(record.download["checksum"]):
        return
    pin.parent.mkdir(parents=True, exist_ok=True)
    partial.write_text(pin, f"{sha256}  {name}\n")


def _convert(record, root, file):
    from nonlocal_keras import convert

    try:
        model, report = build.from_file(record, file)
    except convert.CheckpointError as error:
        # It is no checkpoint, so that keeping it would be of no use.
        file.unlink()
        raise ValueError(
            f"What came for {record.name} from {record.download['url']} is no "
            f"checkpoint and was deleted. {error}"
        ) from error
    artifacts.write(model, record, root, report.to_json() + "\n")
    return report

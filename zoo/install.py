"""From a published file to an artifact in the cache, once.

downloads/NAME/FILE     the published file, until it is converted
pins/NAME               its SHA-256, where none or half of one is published
locks/NAME              one process at a time
"""

import os

from absl import logging

from zoo import artifacts
from zoo import conversion
from zoo import fetch
from zoo import licenses
from zoo import trust as trusts

OFFLINE = "NONLOCAL_KERAS_OFFLINE"


def ensure(
    record,
    root,
    offline=None,
    accept_license=None,
    thorough=False,
    accept_unverified=False,
    sha256=None,
):
    """Makes sure that the artifact of a published model is in the cache.

    Args:
        record: A `zoo.Record` with a `download`.
        root: `pathlib.Path` of the cache.
        offline: Boolean, whether the network must not be used. Defaults to
            `None`, for what `$NONLOCAL_KERAS_OFFLINE` says.
        accept_license: String, SPDX name of the license that the user
            accepts. Defaults to `None`, for
            `$NONLOCAL_KERAS_ACCEPT_LICENSE`.
        thorough: Boolean, whether to look at all files of an artifact that is
            there, not only at what `zoo.load` reads. Defaults to `False`.
        accept_unverified, sha256: As for `zoo.load`.

    Raises:
        trust.Unavailable: If the file cannot be had, or nothing vouches for
            it.
        ValueError: If the file cannot be had or is not the published one, or
            the license was not accepted.
    """
    names = None if thorough else artifacts.LOADED
    pin = root / "pins" / record.name
    trust = trusts.Trust(record, pin, accept_unverified, sha256)
    folder = artifacts.folder_of(record, root)
    if artifacts.find_damage(record, root, names) is None:
        if sha256 is not None:
            trust.compare(folder / artifacts.REPORT)
        return
    licenses.require(record, accept_license)
    trust.require()
    with artifacts.changing(record.name, root):
        # Another process may have made it while this one waited.
        damage = artifacts.find_damage(record, root, names)
        if damage is None:
            return
        if folder.is_dir():
            logging.warning("%s. It is made again.", damage)
        _make(record, root, trust, offline)


def _make(record, root, trust, offline):
    """Makes the artifact, of a file that is here or comes now."""
    file = root / "downloads" / record.name / record.file_name
    fault = trust.find_fault(file) if file.is_file() else None
    if fault:
        logging.warning("%s: %s", file, fault)
    if fault or not file.is_file():
        _download(record, file, trust, offline)
    model, report = _convert(record, file)
    folder = artifacts.write(model, record, root, report.to_json() + "\n")
    trust.write_pin(report.sha256, file.name)
    file.unlink()
    logging.info("%s is in %s", record.name, folder)


def _download(record, file, trust, offline):
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
        fetch.fetch(urls, file, trust.find_fault, trust.is_whole)
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


def _convert(record, file):
    from nonlocal_keras.convert import CheckpointError

    try:
        return conversion.convert(record, file)
    except CheckpointError as error:
        # It is no checkpoint, so that keeping it would be of no use.
        file.unlink()
        raise ValueError(
            f"What came for {record.name} from {record.download['url']} is no "
            f"checkpoint and was deleted. {error}"
        ) from error

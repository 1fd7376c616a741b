"""What vouches for a published file, and whether that is enough.

| published of the file | it is used |
|---|---|
| its whole checksum | from any address |
| no checksum | from the project's own address, and from a mirror as below |
| the first digits of one | after `accept_unverified`, or as `sha256` states |

A file that was used once is known by its whole SHA-256 from then on (its
pin), and needs no word of the user again.
"""

import json
import re

from zoo import checksums
from zoo import fetch
from zoo import hosts


class Unavailable(ValueError):
    """The file of a record cannot be had, or nothing vouches for it."""


class Trust:
    """What vouches for the file of one record.

    Args:
        record: A `zoo.Record` with a `download`.
        pin: `pathlib.Path` of the SHA-256 of an earlier download, which need
            not be there. Defaults to `None`.
        accept_unverified: Boolean, whether the user takes a file for which
            no whole checksum vouches. Defaults to `False`.
        sha256: String, the whole SHA-256 that the user states. Defaults to
            `None`.

    Raises:
        ValueError: If `sha256` has not 64 digits.
    """

    def __init__(self, record, pin=None, accept_unverified=False, sha256=None):
        if sha256 is not None:
            sha256 = str(sha256).strip().lower()
            if not re.fullmatch("[0-9a-f]{64}", sha256):
                raise ValueError(
                    "`sha256` must be the 64 hexadecimal digits that "
                    f"`sha256sum FILE` prints. Received: sha256={sha256!r}"
                )
        self._record, self._pin = record, pin
        self._accepted, self._stated = accept_unverified, sha256
        self._published = record.download["checksum"]

    @property
    def is_whole(self):
        """Whether a whole checksum tells the file from any other."""
        pinned = self._pin is not None and self._pin.is_file()
        stated = self._stated is not None
        return pinned or stated or checksums.is_whole(self._published)

    def require(self):
        """Raises `Unavailable` if the user has to say something first."""
        if self._published is None or self.is_whole or self._accepted:
            return
        name = self._record.name
        algorithm, _, digits = self._published.partition(":")
        host = hosts.host_of(self._record.download["url"])
        raise Unavailable(
            "`accept_unverified` must be True, or `sha256` must be given, for "
            f"the weights of {name}: only the first {len(digits)} digits of "
            f"the {algorithm} of its file are published ({digits}), which a "
            f"forger can match; the host {host} is {hosts.describe(host)}. "
            f"Type zoo.load({name!r}, accept_unverified=True) for a file of "
            f"these digits, or zoo.load({name!r}, sha256='...') with the 64 "
            "digits that `sha256sum` prints of a copy you trust; for commands "
            "these are the flags --accept-unverified and --sha256. Received: "
            "accept_unverified=False, sha256=None."
        )

    def addresses(self):
        """Returns the addresses that may be asked, the likeliest first."""
        if not (self.is_whole or self._accepted):
            # Others than the project may hold a mirror by now.
            return (self._record.download["url"],)
        return sorted(self._record.addresses, key=hosts.is_lost)

    def find_fault(self, path):
        """Says why a file is not the published one; `None` if it is.

        Args:
            path: Path of the file.
        """
        if self._published is not None and not checksums.matches(
            path, self._published, fetch.MAX_BYTES
        ):
            algorithm, _, digits = self._published.partition(":")
            found = checksums.digest(path, algorithm)[: len(digits)]
            return (
                f"it is not the published file: its {algorithm} is {found}, "
                f"not {digits}"
            )
        if self._stated is not None:
            found = checksums.digest(path)
            if found != self._stated:
                return f"its SHA-256 is {found}, not `sha256`={self._stated}"
        if self._pin is not None and self._pin.is_file():
            known = self._pin.read_text(encoding="utf-8").partition(" ")[0]
            if checksums.digest(path) != known:
                return (
                    "it differs from the file that came at first use, whose "
                    f"SHA-256 is in {self._pin}; if you know why it changed "
                    "and trust it, delete that file"
                )
        return None

    def compare(self, report):
        """Raises `ValueError` if a model came of another file than stated.

        Args:
            report: `pathlib.Path` of the report of its conversion.
        """
        try:
            used = json.loads(report.read_text(encoding="utf-8"))["sha256"]
        except (OSError, ValueError, LookupError, TypeError):
            used = "not known"
        if used != self._stated:
            raise ValueError(
                f"`sha256` must be that of the file of which {report.parent} "
                f"was made; delete that folder to make it again. The SHA-256 "
                f"of that file is {used}. Received: sha256={self._stated!r}"
            )

    def write_pin(self, sha256, name):
        """Remembers a file that the published checksum cannot vouch for.

        Args:
            sha256: String, its SHA-256.
            name: String, its name.
        """
        from nonlocal_keras import partial

        if self._pin.is_file() or checksums.is_whole(self._published):
            return
        self._pin.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(self._pin, f"{sha256}  {name}\n")

    def by_hand(self, file):
        """Says what the file is and how to give it by hand.

        Args:
            file: `pathlib.Path` of the place where it is looked for.
        """
        record = self._record
        places = [record.download["url"], *record.mirrors]
        told = [f"{url} ({_short(url)})" for url in places]
        told += [
            f"{url} (the same path elsewhere, nobody saw it there)"
            for url in record.unverified_mirrors
        ]
        return (
            f"The file is {record.file_name}; its addresses are "
            f"{', '.join(told)}. If you have it or find it elsewhere, "
            f"download it by hand, put it at {file} and call again, or give "
            "its path as `weights`: "
            f"zoo.load({record.name!r}, weights='{record.file_name}')."
        )


def _short(url):
    found = hosts.known().get(hosts.host_of(url), {"state": "not known"})
    since = f" since {found['since']}" if found.get("since") else ""
    return f"{found['state']}{since}"

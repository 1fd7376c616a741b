"""Fetches one published file over HTTP, whole or not at all.

A cut download is resumed where the server can tell that the file is still the
same, or where a published checksum will tell. What comes is untrusted: this
module sees to length and form, `zoo.checksums` to the contents.
"""

import os
import time
import urllib.parse

import requests
import tqdm
from absl import logging

MAX_BYTES = 4 << 30
ATTEMPTS = 5
# Seconds: to connect, and without a byte.
TIMEOUT = (10, 30)
FIRST_PAUSE = 1.0
_CHUNK = 1 << 16
# Answers that may pass; the others will not.
_TEMPORARY = {408, 425, 429, 500, 502, 503, 504}


class DownloadError(ValueError):
    """A file cannot be had. The message says why, for every address."""


class _Temporary(Exception):
    """This attempt failed; another one may not."""


class _Final(Exception):
    """This address will not give the file."""


def fetch(urls, path, find_fault, has_checksum=False):
    """Downloads a file from the first address that gives it.

    Bytes gather in `PATH.part`, which takes the name of the file when it is
    whole and right. The caller sees to it that one process at a time does so.

    Args:
        urls: Sequence of addresses, tried in this order.
        path: `pathlib.Path` of the file. Its folder is made.
        find_fault: Function of the path of the whole file. It returns a
            string if that is not the file that is wanted, else `None`.
        has_checksum: Boolean, whether `find_fault` tells any two files apart.
            Then a cut download is resumed even from a server that cannot say
            whether the file is still the same. Defaults to `False`.

    Raises:
        DownloadError: If no address gives the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(path, has_checksum)
    reasons = []
    try:
        for url in urls:
            reason = _fetch_from(url, part, find_fault)
            if reason is None:
                return part.finish()
            reasons.append(f"{url}: {reason}")
    except OSError as error:
        raise DownloadError(
            f"{path} cannot be written: {error.strerror or error}"
        ) from error
    raise DownloadError("; ".join(reasons))


def _fetch_from(url, part, find_fault):
    """Completes the part from one address, or says why it cannot."""
    reason = None
    for attempt in range(ATTEMPTS):
        if attempt:
            logging.warning("%s: %s. Trying again.", url, reason)
            time.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
        try:
            resumed = _attempt(url, part)
        except _Temporary as error:
            reason = str(error)
            continue
        except _Final as error:
            return str(error)
        reason = find_fault(part.path)
        if reason is None:
            return None
        part.remove()
        if not resumed:
            # The whole file came in one piece: it will not get better.
            return reason
    return reason


class _Part:
    """The bytes that have come so far, and what they are the start of."""

    def __init__(self, target, has_checksum):
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self._mark = target.with_name(f"{target.name}.part.mark")
        self._has_checksum = has_checksum

    def size(self):
        return self.path.stat().st_size if self.path.is_file() else 0

    def headers(self):
        """The request for the rest, or for all of the file."""
        # Compression on the way would change lengths and places.
        headers = {"Accept-Encoding": "identity"}
        mark = self._mark.read_text("utf-8") if self._mark.is_file() else ""
        if self.size() and (mark or self._has_checksum):
            headers["Range"] = f"bytes={self.size()}-"
            if mark:
                headers["If-Range"] = mark
        return headers

    def begin(self, response):
        """Forgets what was there; marks what comes now."""
        self.remove()
        tag = response.headers.get("ETag", "")
        # A weak tag does not vouch for every byte.
        if not tag.startswith('"'):
            tag = response.headers.get("Last-Modified", "")
        self._mark.write_text(tag, encoding="utf-8")

    def remove(self):
        self.path.unlink(missing_ok=True)
        self._mark.unlink(missing_ok=True)

    def finish(self):
        os.replace(self.path, self.target)
        self._mark.unlink(missing_ok=True)


def _attempt(url, part):
    """Completes the part; tells whether an older one was continued."""
    headers = part.headers()
    try:
        with requests.get(
            url, headers=headers, stream=True, timeout=TIMEOUT
        ) as response:
            if response.status_code == 416 and "Range" in headers:
                return _refused_range(response, part)
            resumed = _goes_on(response, url, part)
            if not resumed:
                part.begin(response)
            total = _length(response, part)
            _receive(response, part, total)
    except requests.RequestException as error:
        raise _Temporary(shorten(error)) from error
    if total is not None and part.size() != total:
        raise _Temporary(f"{part.size()} bytes came of {total}")
    return resumed


def _goes_on(response, url, part):
    """Tells whether a good answer is the rest; other answers are errors."""
    status = response.status_code
    schemes = [urllib.parse.urlsplit(u).scheme for u in (url, response.url)]
    if schemes[0] == "https" and schemes[1] != "https":
        raise _Final(f"leads to {response.url}, which is not encrypted")
    if status in _TEMPORARY:
        raise _Temporary(f"the server answers {status} {response.reason}")
    if status == 206:
        content_range = response.headers.get("Content-Range", "")
        if not content_range.startswith(f"bytes {part.size()}-"):
            part.remove()
            raise _Temporary(f"the server sends {content_range!r}")
        return True
    if status != 200:
        raise _Final(f"the server answers {status} {response.reason}")
    if response.headers.get("Content-Type", "").startswith("text/html"):
        raise _Final("the server sends an HTML page, not the file")
    return False


def _refused_range(response, part):
    """Nothing is left to send: the part is whole, or not of this file."""
    if response.headers.get("Content-Range") == f"bytes */{part.size()}":
        return True
    part.remove()
    raise _Temporary("the part that was there is not of this file")


def _length(response, part):
    length = response.headers.get("Content-Length", "")
    if not length.isdigit():
        return None
    total = part.size() + int(length)
    if total > MAX_BYTES:
        raise _Final(f"the file is larger than {MAX_BYTES} bytes")
    return total


def _receive(response, part, total):
    have = part.size()
    with (
        open(part.path, "ab") as file,
        tqdm.tqdm(
            desc=part.target.name,
            total=total,
            initial=have,
            unit="B",
            unit_scale=True,
            # None: only on a terminal.
            disable=None,
        ) as bar,
    ):
        for chunk in response.iter_content(_CHUNK):
            have += len(chunk)
            if have > MAX_BYTES:
                raise _Final(f"the file is larger than {MAX_BYTES} bytes")
            file.write(chunk)
            bar.update(len(chunk))
        file.flush()
        # The name it gets must not outlive the bytes in a power cut.
        os.fsync(file.fileno())


def shorten(error):
    """Returns one line for what `requests` says in many."""
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was cut"
    if isinstance(error, requests.exceptions.SSLError):
        return "the certificate of the server is not trusted"
    if isinstance(error, requests.ConnectionError):
        # A stall in the middle of a body arrives as this, too.
        stalled = "timed out" in str(error)
        return "no answer in time" if stalled else "the server is unreachable"
    return f"{type(error).__name__}: {error}"

"""The rules that the record of a model of any task keeps.

Records are read from files that anyone may have edited: a rule may rely on
those before it and on nothing else. What is of one task alone stands in
`zoo.tasks`.
"""

import dataclasses
import re
import urllib.parse

from zoo import checks
from zoo import hosts
from zoo import tasks

# A name is part of the names of files, which end at 255 bytes.
_NAME = re.compile(r"(?=.{1,200}$)[a-z0-9_]+(\.[a-z0-9_]+)?")
# A whole digest, or the start of one: many projects publish 8 digits, or 6.
_CHECKSUM = re.compile(
    r"sha1:[0-9a-f]{8,40}|sha256:[0-9a-f]{8,64}|md5:[0-9a-f]{6,32}"
)
METRIC_FIELDS = ("dataset", "protocol")
DOWNLOAD_FIELDS = ("url", "mirrors", "checksum", "converter", "overrides")
MORE_DOWNLOAD_FIELDS = ("unverified_mirrors",)


def rules(record):
    """Yields the rules of all fields of a record, see `zoo.checks`."""
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        right = isinstance(value, field.type) and type(value) is not bool
        yield field.name, right, f"of type {_type_name(field.type)}"
    named = _NAME.fullmatch(record.name)
    yield "name", named, "lower case, digits and _, at most 200 letters"
    yield "task", record.task in tasks.names(), f"one of {tasks.names()}"
    for field in ("version", "parameters", "macs", "order"):
        yield field, getattr(record, field) >= 1, "at least 1"
    for field in ("description", "source", "license", "labels"):
        yield field, len(getattr(record, field)) > 0, "not empty"
    for field in ("description", "source", "license", "note"):
        yield field, getattr(record, field).isprintable(), "one line of text"
    named = all(isinstance(label, str) and label for label in record.labels)
    yield "labels", named, "a list of names"
    whole = set(METRIC_FIELDS) <= set(record.metrics)
    yield "metrics", whole, f"a dictionary with {METRIC_FIELDS}"
    yield from tasks.find(record.task).rules(record)
    together = (record.architecture is None) == (record.download is None)
    yield "download", together, "given together with `architecture`"
    if record.download is not None:
        yield from _rules_of_download(record.download)


def _rules_of_download(download):
    same = checks.has_fields(download, DOWNLOAD_FIELDS, MORE_DOWNLOAD_FIELDS)
    yield "download", same, f"a dictionary of {DOWNLOAD_FIELDS}"
    url, mirrors, checksum, converter, overrides = (
        download[key] for key in DOWNLOAD_FIELDS
    )
    unverified = download.get("unverified_mirrors", ())
    right = all(isinstance(m, list | tuple) for m in (mirrors, unverified))
    yield "download", right, "with lists of mirrors"
    safe = all(map(_is_safe, (url, *mirrors, *unverified)))
    yield "download", safe, "of https:// addresses of files"
    right = checksum is None or (
        isinstance(checksum, str) and _CHECKSUM.fullmatch(checksum)
    )
    yield "download", right, "of a checksum such as 'sha256:...' or null"
    right = isinstance(converter, str) and isinstance(overrides, dict)
    yield "download", right, "of a converter and its overrides"


def _is_safe(url):
    if not isinstance(url, str):
        return False
    parts = urllib.parse.urlsplit(url)
    # Plain HTTP only reaches servers of tests, on the machine itself.
    local = parts.scheme == "http" and parts.hostname == "127.0.0.1"
    return bool((parts.scheme == "https" or local) and hosts.file_of(url))


def _type_name(kind):
    return getattr(kind, "__name__", str(kind))

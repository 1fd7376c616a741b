"""The rules that a zoo record keeps.

Records are read from files that anyone may have edited: a rule may rely on
those before it and on nothing else.
"""

import dataclasses
import re
import urllib.parse

from zoo import hosts

# A name is part of the names of files, which end at 255 bytes.
_NAME = re.compile(r"(?=.{1,200}$)[a-z0-9_]+(\.[a-z0-9_]+)?")
# A whole digest, or the start of one: many projects publish 8 digits.
_CHECKSUM = re.compile(r"sha1:[0-9a-f]{8,40}|sha256:[0-9a-f]{8,64}")
INPUT_FIELDS = (
    "frames",
    "stride",
    "size",
    "short_side",
    "channels",
    "mean",
    "std",
)
MORE_INPUT_FIELDS = ("resize", "fps")
VIEW_FIELDS = ("clips", "crops", "size", "window", "average")
MORE_VIEW_FIELDS = ("rule",)
# Those of `nonlocal_keras.data.VIEW_RULES`; reading a record imports nothing.
RULES = (
    "vnl",
    "pyslowfast",
    "pytorchvideo",
    "mmaction2",
    "mmaction2_dense",
    "mmaction2_v0",
    "gluoncv_torch",
    "gluoncv",
    "tsm_dense",
    "lfb",
)
AVERAGES = ("probabilities", "logits", "maximum")
METRIC_FIELDS = ("dataset", "protocol")
MEASURES = ("top1", "top5", "map")
ARCHITECTURE_FIELDS = ("model", "family", "options", "head")
DOWNLOAD_FIELDS = ("url", "mirrors", "checksum", "converter", "overrides")
MORE_DOWNLOAD_FIELDS = ("unverified_mirrors",)


def of(record):
    """Yields fields of a record, whether they are right, and what is right."""
    for field in dataclasses.fields(record):
        value = getattr(record, field.name)
        right = isinstance(value, field.type) and type(value) is not bool
        yield field.name, right, f"of type {_type_name(field.type)}"
    named = _NAME.fullmatch(record.name)
    yield "name", named, "lower case, digits and _, at most 200 letters"
    for field in ("version", "parameters", "macs", "order"):
        yield field, getattr(record, field) >= 1, "at least 1"
    for field in ("description", "source", "licence", "labels"):
        yield field, len(getattr(record, field)) > 0, "not empty"
    for field in ("description", "source", "licence", "note"):
        yield field, getattr(record, field).isprintable(), "one line of text"
    named = all(isinstance(label, str) and label for label in record.labels)
    yield "labels", named, "a list of names"
    yield from _of_input(record.input)
    yield from _of_views(record.views)
    whole = set(METRIC_FIELDS) <= set(record.metrics)
    yield "metrics", whole, f"a dictionary with {METRIC_FIELDS}"
    measures = [record.metrics[m] for m in MEASURES if m in record.metrics]
    numbers = all(isinstance(m, int | float) for m in measures)
    yield "metrics", numbers, f"of numbers at {MEASURES}"
    yield "metrics", all(0 <= m <= 1 for m in measures), "from 0 to 1"
    together = (record.architecture is None) == (record.download is None)
    yield "download", together, "given together with `architecture`"
    if record.download is not None:
        yield from _of_architecture(record.architecture)
        yield from _of_download(record.download)


def _of_input(clip):
    same = _has(clip, INPUT_FIELDS, MORE_INPUT_FIELDS)
    yield "input", same, f"a dictionary of {INPUT_FIELDS}"
    sizes = [clip[key] for key in ("frames", "size", "short_side")]
    # A stride of None spreads the frames over the whole video.
    sizes.append(1 if clip["stride"] is None else clip["stride"])
    yield "input", _are_sizes(sizes), "of positive integers"
    for key in ("mean", "std"):
        three = _is_list(clip[key], 3) and all(map(_is_number, clip[key]))
        yield "input", three, f"with three numbers as `{key}`"
    yield "input", min(clip["std"]) > 0, "of a positive `std`"
    resize = clip.get("resize")
    two = resize is None or (_is_list(resize, 2) and _are_sizes(resize))
    yield "input", two, "of a `resize` of width and height, or null"
    fps = clip.get("fps")
    right = fps is None or (_is_number(fps) and 0 < fps < float("inf"))
    yield "input", right, "of a positive number as `fps`, or null"
    right = fps is None or clip["stride"] is not None
    yield "input", right, "of a `stride` where it has `fps`"


def _of_views(views):
    same = _has(views, VIEW_FIELDS, MORE_VIEW_FIELDS)
    yield "views", same, f"a dictionary of {VIEW_FIELDS}"
    sizes = [views[key] for key in ("clips", "crops", "size")]
    yield "views", _are_sizes(sizes), "of positive integers"
    window = views["window"]
    right = window is None or (_is_list(window, 3) and _are_sizes(window))
    yield "views", right, "of a `window` of three sizes, or null"
    known = views["average"] in AVERAGES
    yield "views", known, f"of an average out of {AVERAGES}"
    known = views.get("rule", RULES[0]) in RULES
    yield "views", known, f"of a rule out of {RULES}"


def _of_architecture(architecture):
    same = set(ARCHITECTURE_FIELDS) == set(architecture)
    yield "architecture", same, f"a dictionary of {ARCHITECTURE_FIELDS}"
    for key, kind in zip(ARCHITECTURE_FIELDS, (str, str, dict, dict)):
        right = isinstance(architecture[key], kind)
        yield "architecture", right, f"with {key} of type {kind.__name__}"


def _of_download(download):
    same = _has(download, DOWNLOAD_FIELDS, MORE_DOWNLOAD_FIELDS)
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


def _has(found, fields, more):
    return set(fields) <= set(found) <= {*fields, *more}


def _is_safe(url):
    if not isinstance(url, str):
        return False
    parts = urllib.parse.urlsplit(url)
    # Plain HTTP only reaches servers of tests, on the machine itself.
    local = parts.scheme == "http" and parts.hostname == "127.0.0.1"
    return bool((parts.scheme == "https" or local) and hosts.file_of(url))


def _type_name(kind):
    return getattr(kind, "__name__", str(kind))


def _is_number(value):
    return isinstance(value, int | float) and type(value) is not bool


def _is_list(values, length):
    return isinstance(values, list | tuple) and len(values) == length


def _are_sizes(values):
    return all(type(value) is int and value >= 1 for value in values)

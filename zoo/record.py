"""What the zoo knows about a model, and the rules it must keep."""

import dataclasses
import json
import pathlib
import re
import urllib.parse

LABELS = pathlib.Path(__file__).parent / "labels"
# A name is part of the names of files, which end at 255 bytes.
_NAME = re.compile(r"(?=.{1,200}$)[a-z0-9_]+(\.[a-z0-9_]+)?")
# The labels of a hundred thousand classes take about three million bytes.
MAX_BYTES = 16 << 20
# A whole digest, or the start of one: OpenMMLab publishes 8 digits.
_CHECKSUM = re.compile(r"sha1:[0-9a-f]{40}|sha256:[0-9a-f]{8,64}")
INPUT_FIELDS = (
    "frames",
    "stride",
    "size",
    "short_side",
    "channels",
    "mean",
    "std",
)
VIEW_FIELDS = ("clips", "crops", "size", "window", "average")
AVERAGES = ("probabilities", "logits", "maximum")
METRIC_FIELDS = ("dataset", "protocol")
MEASURES = ("top1", "top5", "map")
ARCHITECTURE_FIELDS = ("model", "family", "options", "head")
DOWNLOAD_FIELDS = ("url", "mirrors", "checksum", "converter", "overrides")


@dataclasses.dataclass(frozen=True)
class Record:
    """One model of the zoo.

    Attributes:
        name: String, `{model}_{depth}_{data}` with an optional `.tag` that
            tells several weights of one architecture apart.
        version: Integer, the version folder of the artifact.
        description: String, one line.
        source: String, where the weights come from.
        licence: String, SPDX name of the licence of the weights.
        parameters: Integer, trainable and frozen weights without statistics.
        macs: Integer, multiply-adds per clip.
        input: Dictionary of the clip: `frames`, `stride` (`None` if they are
            spread over the whole video), `size` of the crop
            and `short_side` of the frame in pixels, `channels` ("RGB"),
            `mean` and `std` of `(x / 255 - mean) / std`.
        views: Dictionary of the published test of a video: `clips`, `crops`
            per clip and their `size`, `window` (frames, rows and columns of
            the average pooling before the classifier, which slides over the
            features of a larger crop; `None` for all of them), and what is
            averaged (`average`, see `nonlocal_keras.predict_video`).
        labels: Tuple of class names. In the file also the name of a list in
            `zoo/labels`.
        metrics: Dictionary of the accuracy: `dataset`, `protocol`, and where
            known `top1`, `top5` or `map` between 0 and 1, the 95% `interval`
            of `top1`, the number of `videos`, the `command` that measured it
            or the `source` that published it.
        order: Integer. A name without a tag means the tag of lowest order.
        architecture: Dictionary that builds the model without weights:
            `model` and `family` of `nonlocal_keras.models.from_name`, its
            further `options`, and `head`, arguments of `VideoClassifier`.
            `None` for a model whose artifact lies beside its record.
        download: Dictionary of a published file: `url`, `mirrors`,
            `checksum` ("sha1:...", "sha256:..." in whole or in part, or
            `None` where none is published), `converter` (a source of
            `nonlocal_keras.convert`) and its `overrides`. `None` for a model
            whose artifact lies beside its record.
    """

    name: str
    version: int
    description: str
    source: str
    licence: str
    parameters: int
    macs: int
    input: dict
    views: dict
    labels: tuple
    metrics: dict
    order: int = 1000
    architecture: dict | None = None
    download: dict | None = None

    def __post_init__(self):
        for field, holds, rule in self._rules():
            if not holds:
                raise ValueError(
                    f"`{field}` of a zoo record must be {rule}. Received: "
                    f"{getattr(self, field)!r} in record {self.name!r}"
                )

    @property
    def plain_name(self):
        """The name without its tag."""
        return self.name.partition(".")[0]

    def _rules(self):
        """Yields fields, whether they are right, and what is right.

        Records are read from files that anyone may have edited: a rule may
        rely on those before it and on nothing else.
        """
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            right = isinstance(value, field.type) and type(value) is not bool
            yield field.name, right, f"of type {_type_name(field.type)}"
        yield (
            "name",
            _NAME.fullmatch(self.name),
            "lower case, digits and _, at most 200 letters",
        )
        for field in ("version", "parameters", "macs", "order"):
            yield field, getattr(self, field) >= 1, "at least 1"
        for field in ("description", "source", "licence", "labels"):
            yield field, len(getattr(self, field)) > 0, "not empty"
        for field in ("description", "source", "licence"):
            yield field, getattr(self, field).isprintable(), "one line of text"
        named = all(isinstance(label, str) and label for label in self.labels)
        yield "labels", named, "a list of names"
        yield from self._rules_of_clips()
        whole = set(METRIC_FIELDS) <= set(self.metrics)
        yield "metrics", whole, f"a dictionary with {METRIC_FIELDS}"
        measures = [self.metrics[m] for m in MEASURES if m in self.metrics]
        numbers = all(isinstance(m, int | float) for m in measures)
        yield "metrics", numbers, f"of numbers at {MEASURES}"
        yield "metrics", all(0 <= m <= 1 for m in measures), "from 0 to 1"
        together = (self.architecture is None) == (self.download is None)
        yield "download", together, "given together with `architecture`"
        if self.download is not None:
            yield from self._rules_of_downloads()

    def _rules_of_clips(self):
        clip, views = self.input, self.views
        same = set(INPUT_FIELDS) == set(clip)
        yield "input", same, f"a dictionary of {INPUT_FIELDS}"
        sizes = [clip[key] for key in ("frames", "size", "short_side")]
        # A stride of None spreads the frames over the whole video.
        sizes.append(1 if clip["stride"] is None else clip["stride"])
        yield "input", _are_sizes(sizes), "of positive integers"
        for key in ("mean", "std"):
            values = clip[key]
            three = isinstance(values, list | tuple) and len(values) == 3
            three = three and all(isinstance(v, int | float) for v in values)
            yield "input", three, f"with three numbers as `{key}`"
        yield "input", min(clip["std"]) > 0, "of a positive `std`"
        same = set(VIEW_FIELDS) == set(views)
        yield "views", same, f"a dictionary of {VIEW_FIELDS}"
        sizes = [views[key] for key in ("clips", "crops", "size")]
        yield "views", _are_sizes(sizes), "of positive integers"
        window = views["window"]
        three = isinstance(window, list | tuple) and len(window) == 3
        right = window is None or (three and _are_sizes(window))
        yield "views", right, "of a `window` of three sizes, or null"
        known = views["average"] in AVERAGES
        yield "views", known, f"of an average out of {AVERAGES}"

    def _rules_of_downloads(self):
        same = set(ARCHITECTURE_FIELDS) == set(self.architecture)
        yield "architecture", same, f"a dictionary of {ARCHITECTURE_FIELDS}"
        for key, kind in zip(ARCHITECTURE_FIELDS, (str, str, dict, dict)):
            right = isinstance(self.architecture[key], kind)
            yield "architecture", right, f"with {key} of type {kind.__name__}"
        same = set(DOWNLOAD_FIELDS) == set(self.download)
        yield "download", same, f"a dictionary of {DOWNLOAD_FIELDS}"
        url, mirrors, checksum, converter, overrides = (
            self.download[key] for key in DOWNLOAD_FIELDS
        )
        right = isinstance(mirrors, list | tuple)
        yield "download", right, "with a list of mirrors"
        safe = all(map(_is_safe, (url, *mirrors)))
        yield "download", safe, "of https:// addresses of files"
        right = checksum is None or (
            isinstance(checksum, str) and _CHECKSUM.fullmatch(checksum)
        )
        yield "download", right, "of a checksum such as 'sha256:...' or null"
        right = isinstance(converter, str) and isinstance(overrides, dict)
        yield "download", right, "of a converter and its overrides"

    @property
    def mirrors(self):
        return tuple(self.download["mirrors"])

    @property
    def file_name(self):
        """The name of the published file."""
        return _file_name(self.download["url"])


def _file_name(url):
    return pathlib.PurePosixPath(urllib.parse.urlsplit(url).path).name


def _is_safe(url):
    if not isinstance(url, str):
        return False
    parts = urllib.parse.urlsplit(url)
    # Plain HTTP only reaches servers of tests, on the machine itself.
    local = parts.scheme == "http" and parts.hostname == "127.0.0.1"
    return bool((parts.scheme == "https" or local) and _file_name(url))


def _type_name(kind):
    return getattr(kind, "__name__", str(kind))


def _are_sizes(values):
    return all(type(value) is int and value >= 1 for value in values)


def read_record(path):
    """Reads and checks one record; an error names the file.

    Args:
        path: `pathlib.Path` of the JSON file.

    Raises:
        ValueError: If it cannot be read, is not JSON, lacks a field, has an
            unknown one, or breaks a rule.
    """
    try:
        fields = read_json(path)
        missing = {"name", "labels"} - set(fields)
        if missing:
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        fields["labels"] = read_labels(fields["labels"])
        record = Record(**fields)
        if record.name != path.name.removesuffix(".json"):
            raise ValueError(f"its `name` is {record.name!r}")
        return record
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"{path} cannot be read: {reason}") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a zoo record: {error}") from error


def read_json(path):
    """Gives the JSON object in a file, which may be anything.

    Args:
        path: `pathlib.Path` of the file.

    Raises:
        ValueError: If it is no regular file, too large, or no JSON object.
        OSError: If it cannot be read.
    """
    # Reading a pipe would wait for ever.
    if not path.is_file():
        raise ValueError("it is no file")
    with open(path, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES} bytes")
    try:
        fields = json.loads(data.decode("utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(fields, dict):
        raise ValueError("it is no JSON object")
    return fields


def read_labels(labels):
    """Gives class names as a tuple, of a list or the name of a list."""
    if isinstance(labels, list | tuple):
        return tuple(labels)
    if not isinstance(labels, str):
        raise ValueError(
            "`labels` must be a list of names, or the name of a list. "
            f"Received: {type(labels).__name__}"
        )
    file = LABELS / f"{labels}.txt"
    if not re.fullmatch(r"[a-z0-9_]+", labels) or not file.is_file():
        known = sorted(path.stem for path in LABELS.glob("*.txt"))
        raise ValueError(
            f"`labels` must be a list, or one of {', '.join(known)}. "
            f"Received: {labels!r}"
        )
    return tuple(file.read_text(encoding="utf-8").splitlines())


def write_record(record, path):
    """Writes a record as JSON that people can read."""
    text = json.dumps(dataclasses.asdict(record), indent=2)
    path.write_text(text + "\n", encoding="utf-8")

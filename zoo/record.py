"""What the zoo knows about a model, and the rules it must keep."""

import dataclasses
import json
import pathlib
import re

from zoo import hosts
from zoo import record_rules

LABELS = pathlib.Path(__file__).parent / "labels"
# The labels of a hundred thousand classes take about three million bytes.
MAX_BYTES = 16 << 20


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
            `mean` and `std` of `(x / 255 - mean) / std`; where they are of
            use also `resize` (width and height to which frames are stretched
            first) and `fps` (the clip counts time, and `stride` is meant for
            that many frames per second).
        views: Dictionary of the published test of a video: `clips`, `crops`
            per clip and their `size`, the `rule` by which they are placed
            (see `nonlocal_keras.data.view_indices`), `window` (frames, rows
            and columns of the average pooling before the classifier, which
            slides over the features of a larger crop; `None` for all of
            them), and what is averaged (`average`, see
            `nonlocal_keras.predict_video`).
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
        download: Dictionary of a published file: `url`, `mirrors` (other
            addresses to which the project linked it), `unverified_mirrors`
            (addresses where it may lie, but nobody saw it),
            `checksum` ("sha1:...", "sha256:..." in whole or in part, or
            `None` where none is published), `converter` (a source of
            `nonlocal_keras.convert`) and its `overrides`. `None` for a model
            whose artifact lies beside its record.
        note: String, one line on what else has to be known.
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
    note: str = ""

    def __post_init__(self):
        for field, holds, rule in record_rules.of(self):
            if not holds:
                raise ValueError(
                    f"`{field}` of a zoo record must be {rule}. Received: "
                    f"{getattr(self, field)!r} in record {self.name!r}"
                )

    @property
    def plain_name(self):
        """The name without its tag."""
        return self.name.partition(".")[0]

    @property
    def mirrors(self):
        return tuple(self.download["mirrors"])

    @property
    def unverified_mirrors(self):
        return tuple(self.download.get("unverified_mirrors", ()))

    @property
    def addresses(self):
        """All addresses of the published file."""
        url = self.download["url"]
        return (url, *self.mirrors, *self.unverified_mirrors)

    @property
    def hosts(self):
        """Hosts of the published file, and what is known of them.

        Dictionary of host to one line of text; empty without a download.
        """
        addresses = self.addresses if self.download else ()
        found = dict.fromkeys(map(hosts.host_of, addresses))
        return {host: hosts.describe(host) for host in found}

    @property
    def file_name(self):
        """The name of the published file."""
        return hosts.file_of(self.download["url"])


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

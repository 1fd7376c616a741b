"""What the zoo knows about a model, and the rules it must keep."""

import dataclasses
import json
import pathlib
import re

from zoo import checks
from zoo import hosts
from zoo import record_rules
from zoo import renames

LABELS = pathlib.Path(__file__).parent / "labels"
# The labels of a hundred thousand classes take about three million bytes.
MAX_BYTES = 16 << 20
# Fields that records of before have under another name.
RENAMED = {"licence": "license"}


@dataclasses.dataclass(frozen=True)
class Record:
    """One model of the zoo.

    Attributes:
        name: String, `{model}_{depth}_{data}` with an optional `.tag` that
            tells several weights of one architecture apart.
        version: Integer, the version folder of the artifact.
        description: String, one line.
        source: String, where the weights come from.
        license: String, SPDX name of the license of the weights.
        parameters: Integer, trainable and frozen weights without statistics.
        macs: Integer, multiply-adds per input.
        input: Dictionary of what the model takes. Its fields, and those of
            `views` and `architecture`, are said by the module of the task in
            `zoo.tasks`.
        views: Dictionary of the published test.
        labels: Tuple of class names. In the file also the name of a list in
            `zoo/labels`.
        metrics: Dictionary of the accuracy: `dataset`, `protocol`, the
            measures of the task where known, the `command` that measured
            them or the `source` that published them.
        task: String, the kind of model: the name of a module in `zoo.tasks`.
            Defaults to `"video_classification"`.
        order: Integer. A name without a tag means the tag of lowest order.
            Defaults to `1000`.
        architecture: Dictionary that builds the model without weights.
            Defaults to `None`, for a model whose artifact lies beside its
            record.
        download: Dictionary of a published file: `url`, `mirrors` (other
            addresses to which the project linked it), `unverified_mirrors`
            (addresses where it may lie, but nobody saw it),
            `checksum` ("sha1:...", "sha256:..." or "md5:..." in whole or in
            part, or `None` where none is published), `converter` (a source of
            `nonlocal_keras.convert`) and its `overrides`. Defaults to
            `None`, for a model whose artifact lies beside its record.
        note: String, one line on what else has to be known. Defaults to `""`.
    """

    name: str
    version: int
    description: str
    source: str
    license: str
    parameters: int
    macs: int
    input: dict
    views: dict
    labels: tuple
    metrics: dict
    # Records of before there were others have none.
    task: str = "video_classification"
    order: int = 1000
    architecture: dict | None = None
    download: dict | None = None
    note: str = ""

    def __post_init__(self):
        checks.check(self, record_rules.rules(self))

    @property
    def licence(self):
        """The license, by the name that the field had before."""
        renames.warn("Record.licence", "Record.license")
        return self.license

    @property
    def plain_name(self):
        """The name without its tag."""
        return self.name.partition(".")[0]

    @property
    def mirrors(self):
        """Other addresses to which the project linked the file."""
        return tuple(self.download["mirrors"])

    @property
    def unverified_mirrors(self):
        """Addresses where the file may lie."""
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

    Returns:
        A `Record`.

    Raises:
        ValueError: If it cannot be read, is not JSON, lacks a field, has an
            unknown one, or breaks a rule.
    """
    try:
        fields = read_json(path)
        for old in set(RENAMED) & set(fields):
            renames.warn(old, RENAMED[old], f" in {path}")
        fields = rename_fields(fields)
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


def rename_fields(fields):
    """Returns the fields of a record under the names of today.

    Args:
        fields: Dictionary, as it may have been written by an older package.
            A field that is there under both names keeps both, and is refused.
    """
    return {
        key if RENAMED.get(key) in fields else RENAMED.get(key, key): value
        for key, value in fields.items()
    }


def read_json(path):
    """Returns the JSON object in a file, which may be anything.

    Args:
        path: `pathlib.Path` of the file.

    Returns:
        Dictionary.

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
    """Returns class names as a tuple.

    Args:
        labels: Sequence of strings, or the name of a list in `zoo/labels`.

    Raises:
        ValueError: If it is neither.
    """
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

"""What the zoo knows of one model: a JSON file, checked when it is read."""

import dataclasses
import json
import re

_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
INPUT_FIELDS = (
    "frames",
    "stride",
    "size",
    "short_side",
    "channels",
    "mean",
    "std",
)
METRIC_FIELDS = (
    "dataset",
    "top1",
    "interval",
    "videos",
    "protocol",
    "command",
)


@dataclasses.dataclass(frozen=True)
class Record:
    """One model of the zoo.

    Attributes:
        name: String, `{model}_{size}_{data}` with an optional `.tag` that
            tells several weights of one architecture apart.
        version: Integer, the version folder of the artifact.
        description: String, one line.
        source: String, where the weights come from.
        licence: String, SPDX name of the licence of the weights.
        sha256: String, checksum of `model.keras`.
        size: Integer, bytes of `model.keras`.
        parameters: Integer.
        macs: Integer, multiply-adds per clip.
        input: Dictionary of the clip: `frames`, `stride`, `size` of the crop
            and `short_side` of the frame in pixels, `channels` ("RGB"),
            `mean` and `std` of `(x / 255 - mean) / std`.
        labels: Tuple of class names.
        metrics: Dictionary of the accuracy: `dataset`, `top1`, `interval`,
            `videos`, `protocol` and the `command` that measured it.
    """

    name: str
    version: int
    description: str
    source: str
    licence: str
    sha256: str
    size: int
    parameters: int
    macs: int
    input: dict
    labels: tuple
    metrics: dict

    def __post_init__(self):
        for holds, field, rule in (
            (_NAME.fullmatch(self.name), "name", "lower case, digits and _"),
            (_SHA256.fullmatch(self.sha256), "sha256", "64 hex digits"),
            (self.version >= 1, "version", "at least 1"),
            (self.size > 0, "size", "above 0"),
            (self.licence, "licence", "not empty"),
            (self.source, "source", "not empty"),
            (len(self.labels) > 0, "labels", "not empty"),
            (set(INPUT_FIELDS) == set(self.input), "input", INPUT_FIELDS),
            (set(METRIC_FIELDS) == set(self.metrics), "metrics", METRIC_FIELDS),
        ):
            if not holds:
                raise ValueError(
                    f"`{field}` of a zoo record must be {rule}. Received: "
                    f"{getattr(self, field)!r} in record {self.name!r}"
                )


def read_record(path):
    """Reads and checks one record; an error names the file.

    Args:
        path: `pathlib.Path` of a JSON file.

    Returns:
        A `Record`.
    """
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        fields["labels"] = tuple(fields["labels"])
        return Record(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a zoo record: {error}") from error


def write_record(record, path):
    """Writes a record as JSON that people can read."""
    text = json.dumps(dataclasses.asdict(record), indent=2)
    path.write_text(text + "\n", encoding="utf-8")

"""The report of a conversion: where every tensor went."""

import collections
import dataclasses
import json
import math


@dataclasses.dataclass(frozen=True)
class Entry:
    """What became of one entry of the file.

    Attributes:
        name: String, its name in the file.
        shape: Tuple, or `None` for what is no tensor.
        status: `"used"`, `"duplicate"` or `"skipped"`.
        note: String: the weight it became, the tensor it repeats, or the
            reason.
    """

    name: str
    shape: tuple | None
    status: str
    note: str


@dataclasses.dataclass(frozen=True)
class Report:
    """What a conversion did.

    Attributes:
        file: String, the path, or the name of a model.
        sha256: String, of the file.
        format: String, the container.
        source: String, the project that made the file.
        naming: String, the way of naming that the tensors follow.
        model: String, one line on the network.
        family: String, key of
            `nonlocal_keras.models.video.variants.FAMILIES`.
        backbone: Dictionary, arguments of `VideoResNet`.
        head: Dictionary, arguments of `VideoClassifier`.
        entries: List of `Entry`, one for each of the file.
        fresh: List of weights that the file does not have and that stay as
            they were initialized. Defaults to `[]`.
        notes: List of strings, what was taken from where. Defaults to `[]`.
        warnings: List of strings, what the user should check. Defaults to
            `[]`.
    """

    file: str
    sha256: str
    format: str
    source: str
    naming: str
    model: str
    family: str
    backbone: dict
    head: dict
    entries: list = dataclasses.field(repr=False)
    fresh: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)
    warnings: list = dataclasses.field(default_factory=list)

    def with_status(self, status):
        """Returns the entries of one status."""
        return [entry for entry in self.entries if entry.status == status]

    def to_json(self):
        """Returns the report as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2, default=str)

    def __str__(self):
        """Returns the report for people: tensors counted, reasons named."""
        used = self.with_status("used")
        lines = [
            f"{self.file} ({self.format}, SHA-256 {self.sha256[:12]})",
            f"{self.source}: {self.naming}",
            self.model,
            *(f"  {note}" for note in self.notes),
            f"  used: {len(used)} tensors, {_count_numbers(used):,} numbers",
        ]
        duplicates = self.with_status("duplicate")
        if duplicates:
            lines.append(f"  duplicates, equal: {len(duplicates)}")
        reasons = collections.Counter(
            entry.note for entry in self.with_status("skipped")
        )
        lines += [f"  skipped: {n}, {why}" for why, n in reasons.items()]
        if self.fresh:
            lines.append(f"  fresh weights: {', '.join(self.fresh)}")
        lines += [f"warning: {warning}" for warning in self.warnings]
        return "\n".join(lines)


def _count_numbers(entries):
    return sum(math.prod(entry.shape) for entry in entries)

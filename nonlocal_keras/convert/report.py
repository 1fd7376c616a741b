"""The report of a conversion: where every tensor went."""

import collections
import dataclasses
import json


@dataclasses.dataclass(frozen=True)
class Entry:
    """What became of one entry of the file.

    Attributes:
        name: str, its name in the file.
        shape: tuple, or `None` for what is no tensor.
        status: `"used"`, `"duplicate"` or `"skipped"`.
        note: str: the weight it became, the tensor it repeats, or the reason.
    """

    name: str
    shape: tuple | None
    status: str
    note: str


@dataclasses.dataclass(frozen=True)
class Report:
    """What a conversion did.

    Attributes:
        file: str, the path, or the name of a model.
        sha256: str, of the file.
        format: str, the container.
        source: str.
        naming: str, the way of naming that the tensors follow.
        model: str, one line on the network.
        family: str, key of `nonlocal_keras.models.video.variants.FAMILIES`.
        backbone: dict, arguments of `VideoResNet`.
        head: dict, arguments of `VideoClassifier`.
        entries: list of `Entry`, one for each of the file.
        fresh: list of weights that the file does not have and that stay as
            they were initialized.
        notes: list of str, what was taken from where.
        warnings: list of str, what the user should check.
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
        """Gives the entries of one status."""
        return [entry for entry in self.entries if entry.status == status]

    def to_json(self):
        """Gives the report as JSON text."""
        return json.dumps(dataclasses.asdict(self), indent=2, default=str)

    def __str__(self):
        """The report for people; tensors are counted, reasons are named."""
        used = self.with_status("used")
        lines = [
            f"{self.file} ({self.format}, SHA-256 {self.sha256[:12]})",
            f"{self.source}: {self.naming}",
            self.model,
            *(f"  {note}" for note in self.notes),
            f"  used: {len(used)} tensors, {_numbers(used):,} numbers",
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


def _numbers(entries):
    total = 0
    for entry in entries:
        count = 1
        for size in entry.shape:
            count *= size
        total += count
    return total

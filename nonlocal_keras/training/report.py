"""The comparison that a training run prints and keeps."""

import dataclasses
import json

from nonlocal_keras import partial
from nonlocal_keras.analysis import macs


@dataclasses.dataclass(frozen=True)
class Row:
    """One model of the comparison.

    Attributes:
        model: String, name of the model.
        description: String, what `VideoResNet.describe` says.
        parameters: Integer, number of weights.
        macs: Integer, multiply-adds per clip.
        top1: Float between 0 and 1.
        interval: Tuple of 2 floats, the 95% interval of `top1`.
        top5: Float between 0 and 1.
        videos: Integer, number of test videos that were read.
        skipped: Integer, number of broken test videos.
        protocol: String, how the test took its views.
        seconds: Float, duration of the training.
    """

    model: str
    description: str
    parameters: int
    macs: int
    top1: float
    interval: tuple
    top5: float
    videos: int
    skipped: int
    protocol: str
    seconds: float


def make_row(name, model, evaluation, seconds):
    """Returns the cost of a model and its accuracy.

    Args:
        name: String, name of the model.
        model: A `VideoClassifier` with a known input shape.
        evaluation: A `nonlocal_keras.Evaluation`.
        seconds: Float, duration of the training.

    Returns:
        A `Row`.
    """
    cost = macs.total(macs.count(model))
    return Row(
        model=name,
        description=model.backbone.describe(),
        parameters=cost.parameters,
        macs=cost.macs,
        top1=evaluation.top1,
        interval=evaluation.interval,
        top5=evaluation.top5,
        videos=evaluation.videos,
        skipped=evaluation.skipped,
        protocol=evaluation.protocol,
        seconds=seconds,
    )


def format_table(rows):
    """Returns the comparison as a Markdown table.

    Args:
        rows: List of `Row`.

    Returns:
        String.
    """
    lines = [
        "| model | params | MACs | top-1 | 95% interval | test videos |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        low, high = row.interval
        lines.append(
            f"| {row.model} | {row.parameters:,} | {row.macs / 1e6:.1f} M | "
            f"{row.top1:.1%} | {low:.1%} to {high:.1%} | {row.videos} |"
        )
    return "\n".join(lines)


def write_report(rows, model_dir):
    """Writes `report.md` and `report.json` into a folder.

    Args:
        rows: List of `Row`.
        model_dir: A `pathlib.Path` of the folder.
    """
    text = json.dumps([dataclasses.asdict(row) for row in rows], indent=2)
    partial.write_text(model_dir / "report.md", format_table(rows) + "\n")
    partial.write_text(model_dir / "report.json", text + "\n")

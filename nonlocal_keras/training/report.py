"""The comparison that a training run prints and keeps."""

import dataclasses
import json

from nonlocal_keras import partial


def format_table(rows):
    """Returns the comparison as a Markdown table.

    Args:
        rows: List of rows of one task.

    Returns:
        String.
    """
    cells = [row.cells() for row in rows]
    lines = [cells[0].keys(), ["---"] * len(cells[0])]
    lines += [row.values() for row in cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write_report(rows, model_dir):
    """Writes `report.md` and `report.json` into a folder.

    Args:
        rows: List of rows of one task.
        model_dir: A `pathlib.Path` of the folder.
    """
    text = json.dumps([dataclasses.asdict(row) for row in rows], indent=2)
    partial.write_text(model_dir / "report.md", format_table(rows) + "\n")
    partial.write_text(model_dir / "report.json", text + "\n")

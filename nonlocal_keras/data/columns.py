"""The columns of a list of videos by the names of its header line."""

import dataclasses
import re

# A name of an earlier group counts before those of a later one.
_PATHS = (
    ("path", "video_path", "file_path", "filepath", "clip_path"),
    ("video", "file", "filename", "file_name", "video_name", "clip")
    + ("clip_name", "video_file"),
)
_LABELS = (
    ("label", "class", "tag", "category", "action", "label_name")
    + ("class_name", "labels", "target"),
    ("label_id", "class_id", "category_id", "label_index", "class_index"),
)
_SPLITS = (("split", "subset", "partition"),)
# The official lists of Kinetics.
_IDS = ("youtube_id", "time_start", "time_end")


@dataclasses.dataclass(frozen=True)
class Columns:
    """Where the columns stand.

    Attributes:
        at: Dictionary of `"label"`, `"path"` or the three of Kinetics, and
            `"split"` if there is one, to the position in the line.
        width: Integer, the number of columns.
    """

    at: dict
    width: int


def find(fields):
    """Finds the columns of a header line.

    Args:
        fields: List of strings, the fields of the line.

    Returns:
        `Columns`, or `None` if no field is the name of a column: the line is
        no header.

    Raises:
        ValueError: If the line names columns, but not those that are needed.
    """
    names = [re.sub(r"[\s-]+", "_", field.lower()) for field in fields]
    if {"id", "actions"} <= set(names):
        raise ValueError(
            "lists of Charades give each video several labels; these models "
            "are trained with one. Write a list with the columns path and "
            f"label. Received: the columns {', '.join(fields)}"
        )
    known = {name for group in (*_PATHS, *_LABELS) for name in group}
    if not known.union(_IDS) & set(names):
        return None
    at = {"label": _choose(names, _LABELS), "path": _choose(names, _PATHS)}
    if at["path"] is None and all(name in names for name in _IDS):
        at |= {name: names.index(name) for name in _IDS}
    if at["label"] is None or (at["path"] is None and _IDS[0] not in at):
        what = "label" if at["label"] is None else "path"
        raise ValueError(
            f"the list has no column for the {what}. A header line names a "
            f"path ({', '.join(sum(_PATHS, ()))}) or a clip of Kinetics "
            f"({', '.join(_IDS)}), and a label "
            f"({', '.join(sum(_LABELS, ()))}). Received: the columns "
            f"{', '.join(fields)}"
        )
    at["split"] = _choose(names, _SPLITS)
    return Columns(
        {name: place for name, place in at.items() if place is not None},
        len(fields),
    )


def _choose(names, groups):
    for group in groups:
        found = [name for name in names if name in group]
        if len(found) > 1:
            raise ValueError(
                f"the header line must name one column of {', '.join(group)}. "
                f"Received: {' and '.join(found)}"
            )
        if found:
            return names.index(found[0])
    return None

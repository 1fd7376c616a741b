"""Lists of videos as files of text: from bytes to rows of path and label.

Nothing is guessed from a part of a file. A header names the columns; without
one, a separator counts only if it gives every line a path, known by its
suffix, and a label. A line that stays open is refused by its number and text.
"""

import csv
import pathlib
import re

from nonlocal_keras.data import columns
from nonlocal_keras.data import folders
from nonlocal_keras.data import text_files
from nonlocal_keras.data import video_ids
from nonlocal_keras.data.labels import Row

NAMES_OF_SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validate", "validation", "dev"),
    "test": ("test", "testing"),
}
_SEPARATORS = ("\t", ";", ",")
_VIDEO_THEN_BLANK = re.compile(
    r"\.(" + "|".join(re.escape(s[1:]) for s in folders.SUFFIXES) + r")(?=\s)",
    re.IGNORECASE,
)


def read(path):
    """Reads the rows of a list.

    Args:
        path: String or path of the file.

    Returns:
        List of `Row`; paths are as written.

    Raises:
        ValueError: If a line cannot be understood.
    """
    path = pathlib.Path(path)
    lines = [
        (number, line.strip())
        for number, line in enumerate(text_files.read_lines(path), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        return []
    header = _find_header(lines[0][1], path)
    if header:
        return _rows_of_header(lines[1:], *header, path)
    rows = _rows_by_separator(lines, path)
    return [Row(p, label, number) for number, p, label in rows]


def _find_header(line, path):
    """Returns separator and columns of a line that names columns."""
    wrong = None
    for separator in (*_SEPARATORS, " "):
        fields = _split(line, separator)
        if not fields or any(map(folders.is_video_name, fields)):
            continue
        try:
            found = columns.find(fields)
        except ValueError as error:
            wrong = wrong or error
            continue
        if found:
            return separator, found
    if wrong:
        raise ValueError(f"{path}, line 1: {wrong}") from wrong
    return None


def _rows_of_header(lines, separator, found, path):
    rows = []
    for number, line in lines:
        fields = _split(line, separator)
        if fields is None or any(fields[found.width :]):
            raise _refusal(
                number,
                line,
                path,
                f"must hold at most the {found.width} fields of the header "
                "line. A field that holds the separator wears quotes",
            )
        fields += [""] * (found.width - len(fields))
        values = {name: fields[at] for name, at in found.at.items()}
        empty = [name for name, value in values.items() if not value]
        if empty:
            raise _refusal(
                number, line, path, f"must fill the column {empty[0]!r}"
            )
        split = None
        if "split" in values:
            split = _split_name(values["split"], number, line, path)
        rows.append((number, values, split))
    paths = [values.get("path") for _, values, _ in rows]
    if "youtube_id" in found.at:
        paths = _paths_of_ids(rows, lines, path)
    return [
        Row(p, values["label"], number, split)
        for p, (number, values, split) in zip(paths, rows)
    ]


def _paths_of_ids(rows, lines, path):
    clips = []
    for (number, values, _), (_, line) in zip(rows, lines):
        try:
            start = _whole_seconds(values["time_start"])
            end = _whole_seconds(values["time_end"])
        except ValueError:
            raise _refusal(
                number, line, path, "must hold times in whole seconds"
            ) from None
        clips.append((values["youtube_id"], start, end))
    return video_ids.find(clips, path)


def _whole_seconds(text):
    # Spreadsheets and data frames write 417 as 417.0.
    return int(re.sub(r"\.0*$", "", text))


def _split_name(value, number, line, path):
    for name, spellings in NAMES_OF_SPLITS.items():
        if value.lower() in spellings:
            return name
    raise _refusal(
        number,
        line,
        path,
        "must hold train, val or test in the column split",
    )


def _rows_by_separator(lines, path):
    """Returns `(number, path, label)` of each line without a header."""
    tried = {
        separator: [_pair(line, separator) for _, line in lines]
        for separator in _SEPARATORS
    }
    whole = [s for s, pairs in tried.items() if all(pairs)]
    if len(whole) > 1:
        number, line = lines[0]
        raise _refusal(
            number,
            line,
            path,
            f"can be read with each of the separators {whole}. Add a header "
            "line, e.g. path,label, and quotes where a field holds one",
        )
    if not whole:
        blanks = [_pair_by_blank(line) for _, line in lines]
        if all(blanks):
            _refuse_mixed_numbers(blanks, lines, path)
            whole = [" "]
        tried[" "] = [pair and pair[:2] for pair in blanks]
    if not whole:
        # The line at which the separator that comes furthest fails.
        number, line = lines[max(pairs.index(None) for pairs in tried.values())]
        raise _refusal(number, line, path, _RULE)
    return [
        (number, *pair)
        for (number, _), pair in zip(lines, tried[whole[0]], strict=True)
    ]


_RULE = (
    "must hold the path of a video, known by a suffix such as .mp4 or .avi, "
    "and one label, separated by tab, semicolon, comma or blank as in all "
    "other lines, e.g. 'clips/a.mp4,archery'. Other columns need a header "
    "line, e.g. path,label,set; a field that holds the separator wears "
    "quotes; folders of pictures are not read"
)


def _pair(line, separator):
    fields = _split(line, separator)
    if fields is None or len(fields) != 2 or not all(fields):
        return None
    return tuple(fields) if folders.is_video_name(fields[0]) else None


def _pair_by_blank(line):
    """Returns path, label, and whether a number of frames stood between.

    Paths and labels may hold blanks: the path ends at the one place where a
    suffix of videos is followed by a blank.
    """
    if line.startswith('"'):
        fields = _split(line, " ")
        if not fields:
            return None
        name, rest = fields[0], " ".join(fields[1:])
    else:
        ends = [match.end() for match in _VIDEO_THEN_BLANK.finditer(line)]
        if len(ends) != 1:
            return None
        name, rest = line[: ends[0]], line[ends[0] :].strip()
    if not rest or not folders.is_video_name(name):
        return None
    numbers = re.fullmatch(r"[0-9]+\s+([0-9]+)", rest)
    return name, numbers[1] if numbers else rest, bool(numbers)


def _refuse_mixed_numbers(triples, lines, path):
    for (number, line), (_, _, frames) in zip(lines, triples):
        if frames != triples[0][2]:
            raise _refusal(
                number,
                line,
                path,
                "must hold either a path and a label or a path, a number of "
                "frames and a label, as all other lines do",
            )


def _split(line, separator):
    """Returns fields without blanks; `None` if quotes are unbalanced."""
    try:
        (fields,) = csv.reader(
            [line], delimiter=separator, skipinitialspace=True, strict=True
        )
    except csv.Error:
        return None
    fields = [field.strip() for field in fields]
    # A spreadsheet ends its lines with the separators of empty columns.
    while fields and not fields[-1]:
        fields.pop()
    return fields


def _refusal(number, line, path, rule):
    return ValueError(
        f"A line of a list of videos {rule}. Received: line {number} of "
        f"{str(path)!r}: {line[:80]!r}"
    )

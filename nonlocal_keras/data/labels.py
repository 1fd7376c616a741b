"""From the labels that folders and lists write to indices of classes."""

import collections
import dataclasses
import difflib
import re

from absl import logging


@dataclasses.dataclass(frozen=True)
class Row:
    """A video and its label as they are written.

    Attributes:
        path: String, the path of the file.
        label: String, as it is written.
        line: Integer, the line of the list; `None` for a class folder.
            Defaults to `None`.
        split: String, `"train"`, `"val"` or `"test"`; `None` for no word
            about it. Defaults to `None`.
    """

    path: str
    label: str
    line: int = None
    split: str = None


def name_classes(rows, source):
    """Returns the classes that labels name, in their order.

    Names of classes are sorted; numbers that name folders are sorted as
    numbers. In a list, labels that are integers from 0 are indices, also of
    classes without a video. To tell them from years, ids and the like, at
    most as many classes as are used and ten more may be without one.

    Args:
        rows: List of `Row`.
        source: String, named in errors.

    Returns:
        List of strings.

    Raises:
        ValueError: If integers and names are mixed, or an integer is
            negative, broken or far above the number of classes.
    """
    found = {row.label for row in rows}
    integers = all(map(_is_index, found))
    if rows[0].line is None:
        return sorted(found, key=int if integers else str)
    if not integers:
        _refuse_numbers(rows, source)
        return sorted(found)
    used = len({int(label) for label in found})
    last = max(rows, key=lambda row: int(row.label))
    number = int(last.label) + 1
    if number > 2 * used + 10:
        raise ValueError(
            "Integer labels must number the classes from 0 with few gaps: "
            f"the {used} labels used here leave room for {used + 10} classes "
            "without a video. Number them anew, or write names. "
            f"Received: {place(last, source)}, label {last.label}"
        )
    if number > used:
        logging.warning(
            "%s: %d of %d classes have no video", source, number - used, number
        )
    return [str(index) for index in range(number)]


def to_indices(rows, classes, source, by_number=True):
    """Returns the index of the class of each row.

    Args:
        rows: List of `Row`.
        classes: Sequence of class names.
        source: String, named in errors.
        by_number: Boolean, whether labels of a list that are integers, none
            of which is a name in `classes`, are indices into `classes`.
            Defaults to `True`.

    Returns:
        List of integers.

    Raises:
        ValueError: If a label is none of the classes.
    """
    listed = rows[0].line is not None
    index = {name: i for i, name in enumerate(classes)}
    integers = all(_is_index(row.label) for row in rows)
    if listed and integers:
        # 007 is the integer 7.
        index = {_plain(name): i for name, i in index.items()}
        names = [_plain(row.label) for row in rows]
        if by_number and not any(name in index for name in names):
            index = {str(i): i for i in range(len(classes))}
    else:
        names = [row.label for row in rows]
    for row, name in zip(rows, names):
        if name not in index:
            raise ValueError(_unknown(row, classes, source))
    return [index[name] for name in names]


def refuse_two_labels(rows, identities, indices, classes, source):
    """Refuses a file under two labels; says which are listed twice.

    Args:
        rows: List of `Row`.
        identities: List of strings, the real path of each row.
        indices: List of integers, the class of each row.
        classes: Sequence of class names.
        source: String, named in errors.

    Raises:
        ValueError: If a file has two labels.
    """
    seen, twice = {}, []
    for row, identity, index in zip(rows, identities, indices):
        first = seen.setdefault(identity, (row, index))
        if first[1] != index:
            raise ValueError(
                f"A video must have one label. Received: {row.path!r} as "
                f"{classes[first[1]]!r} ({place(first[0], source)}) and as "
                f"{classes[index]!r} ({place(row, source)})"
            )
        if first[0] is not row:
            twice.append(row.path)
    if twice:
        logging.warning(
            "%s: %d videos are listed again and count again, e.g. %s",
            source,
            len(twice),
            twice[0],
        )


def place(row, source):
    """Says where a row stands."""
    return source if row.line is None else f"line {row.line} of {source}"


def _is_index(label):
    return label.isascii() and label.isdecimal()


def _plain(label):
    return str(int(label)) if _is_index(label) else label


def _refuse_numbers(rows, source):
    """Refuses what looks like an integer from 0 and is none.

    `str.isdigit` is also true of what `int` takes or refuses by surprise:
    superscripts, and the digits of other scripts.
    """
    kinds = collections.Counter(map(_kind, rows))
    if kinds["number"] or (kinds["index"] and kinds["name"]):
        odd = "number" if kinds["number"] else _rarer(kinds)
        row = next(row for row in rows if _kind(row) == odd)
        raise ValueError(
            "Labels must be names, or all of them integers from 0. Received: "
            f"{place(row, source)}, label {row.label!r}, among "
            f"{len(rows)} labels of which {kinds['index']} are integers from 0"
        )


def _kind(row):
    if _is_index(row.label):
        return "index"
    looks = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", row.label)
    return "number" if looks or row.label.isdigit() else "name"


def _rarer(kinds):
    return min(("name", "index"), key=lambda kind: kinds[kind])


def _unknown(row, classes, source):
    names = list(classes)
    shown = names if len(names) <= 6 else [*names[:3], "...", *names[-2:]]
    message = (
        f"`classes` must hold every label of {source}. Received: "
        f"{len(names)} classes ({', '.join(shown)}) without {row.label!r}"
    )
    if row.line is not None:
        message += f", line {row.line}"
    near = difflib.get_close_matches(row.label, names, n=2)
    return message + (f". Did you mean {near}?" if near else "")

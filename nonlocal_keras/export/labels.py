"""Class names: as a file of lines has them, and as an export takes them."""

import collections
import pathlib

from nonlocal_keras.data import text_files
from nonlocal_keras.export.parity import ExportError


def read(path):
    """Reads the lines of a file of class names.

    It may be UTF-8 or UTF-16, with or without a mark, and end in empty lines.

    Args:
        path: String or path.

    Returns:
        Tuple of strings.

    Raises:
        ExportError: If it holds no text, or a line between others is empty.
    """
    try:
        lines = text_files.read_lines(pathlib.Path(path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it holds no text"
        raise ExportError(
            "`--labels` must be a text file with one class name per line. "
            f"Received: {path} ({reason})"
        ) from error
    labels = [line.strip() for line in lines]
    while labels and not labels[-1]:
        labels.pop()
    if "" in labels:
        raise ExportError(
            "`--labels` must have a class name in every line. Received: "
            f"{path}, whose line {labels.index('') + 1} is empty"
        )
    return tuple(labels)


def check(labels, classes, argument="labels", distinct=True):
    """Checks that class names can be written, one per line.

    Args:
        labels: Sequence of strings.
        classes: Integer, how many there must be.
        argument: String, how the user knows them. Defaults to `"labels"`.
        distinct: Boolean, whether no two may be the same, as the numbers
            without a class of a detector are. Defaults to `True`.

    Returns:
        Tuple of strings.

    Raises:
        ExportError: If there are more or fewer, one is no printable text, or
            two are the same.
    """
    if isinstance(labels, str | bytes):
        raise ExportError(
            f"`{argument}` must be a sequence of names, not one text. "
            f"Received: {labels!r:.100}"
        )
    labels = tuple(labels)
    if len(labels) != classes:
        raise ExportError(
            f"`{argument}` must hold {classes} names, one per class. "
            f"Received: {len(labels)}"
        )
    for number, label in enumerate(labels):
        text = isinstance(label, str) and label.isprintable() and label.strip()
        if not text:
            raise ExportError(
                f"`{argument}` must be printable text without line breaks. "
                f"Received: {label!r:.100} for class {number}"
            )
    label, times = collections.Counter(labels).most_common(1)[0]
    if times > 1 and distinct:
        raise ExportError(
            f"`{argument}` must differ, since clients know a class by its "
            f"name. Received: {label!r} {times} times"
        )
    return labels

"""Lists of labelled videos: class folders, or a CSV of path and label."""

import csv
import dataclasses
import pathlib

SUFFIXES = (".mp4", ".avi", ".mkv", ".webm", ".mov", ".m4v")


@dataclasses.dataclass(frozen=True)
class VideoList:
    """Labelled videos.

    Attributes:
        paths: Tuple of strings.
        labels: Tuple of integers, indices into `classes`.
        classes: Tuple of strings.
    """

    paths: tuple
    labels: tuple
    classes: tuple

    def __len__(self):
        return len(self.paths)


def list_videos(source, classes=None):
    """Lists the videos of a folder or CSV file.

    A folder holds one folder per class, as Kinetics does. A CSV file holds a
    path and a label per line, separated by a comma or, without a comma, by
    the last blank; a relative path starts at the folder of the CSV file; a
    label is a class name, or an integer if `classes` are given or all labels
    are integers. A header line `path,label` is left out.

    Example:

    >>> videos = nonlocal_keras.data.list_videos("kinetics400/train")
    >>> len(videos), videos.classes[:2]
    (240436, ('abseiling', 'air drumming'))

    Args:
        source: String or path of the folder or CSV file.
        classes: Sequence of class names, which fixes their order, e.g. that
            of the training split. `None` for the sorted names found.

    Returns:
        A `VideoList`, sorted by path.

    Raises:
        ValueError: If there is no video, or a label is not in `classes`.
    """
    source = pathlib.Path(source)
    if not source.exists():
        raise ValueError(
            "`source` must be a folder of class folders or a CSV file. "
            f"Received: {str(source)!r}, which does not exist"
        )
    rows = _folder_rows(source) if source.is_dir() else _csv_rows(source)
    if not rows:
        raise ValueError(
            "`source` must hold videos: class folders with files named "
            f"*{', *'.join(SUFFIXES)}, or CSV lines of path and label. "
            f"Received: {str(source)!r}, which has none"
        )
    names = [label for _, label in rows]
    integers = all(name.isdigit() for name in names)
    if classes is None:
        order = int if integers else str
        classes = sorted(set(names), key=order)
        if integers and source.is_file():
            # Integer labels are indices, also of classes without a video.
            classes = [str(i) for i in range(max(map(int, names)) + 1)]
    index = {name: i for i, name in enumerate(classes)}
    if integers and not any(name in index for name in names):
        index = {str(i): i for i in range(len(classes))}
    unknown = sorted(set(names) - set(index))
    if unknown:
        raise ValueError(
            f"`classes` must hold every label of {str(source)!r}. Received "
            f"{len(classes)} classes, without {unknown[:3]}"
        )
    return VideoList(
        tuple(path for path, _ in rows),
        tuple(index[name] for name in names),
        tuple(classes),
    )


def _folder_rows(root):
    rows = [
        (str(path), path.parent.name)
        for path in root.glob("*/*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]
    return sorted(rows)


def _csv_rows(path):
    rows = []
    with open(path, newline="", encoding="utf-8") as file:
        lines = [line.strip() for line in file if line.strip()]
    for number, line in enumerate(lines, start=1):
        fields = _fields(line)
        if fields is None:
            raise ValueError(
                "A line of the CSV file must hold a path and a label, e.g. "
                f"'clips/a.mp4,archery'. Received: line {number} of "
                f"{str(path)!r}: {line[:80]!r}"
            )
        if number == 1 and fields[0] in ("path", "file", "filename", "video"):
            continue
        rows.append((str(path.parent / fields[0]), fields[1]))
    return sorted(rows)


def _fields(line):
    if "," in line:
        fields = [field.strip() for field in next(csv.reader([line]))]
    else:
        fields = line.rsplit(maxsplit=1)
    return fields[:2] if len(fields) >= 2 and all(fields[:2]) else None

"""Lists of labelled videos: class folders, or a file of paths and labels."""

import dataclasses
import os
import pathlib

from absl import logging

from nonlocal_keras.data import class_folders
from nonlocal_keras.data import labels
from nonlocal_keras.data import list_files


@dataclasses.dataclass(frozen=True)
class VideoList:
    """Labelled videos.

    Attributes:
        paths: Tuple of strings.
        labels: Tuple of integers, indices into `classes`.
        classes: Tuple of strings.
        missing: Tuple of strings, listed files that do not exist; they are
            not among `paths`. Defaults to `()`.
        root: String, the folder that relative paths started at. Defaults to
            `""`.
    """

    paths: tuple
    labels: tuple
    classes: tuple
    missing: tuple = ()
    root: str = ""

    def __len__(self):
        return len(self.paths)


def list_videos(source, classes=None, split=None):
    """Lists the videos of a folder or of a file of paths and labels.

    A folder holds one folder per class, as Kinetics does. A file holds a path
    and a label per line, separated by tab, semicolon, comma or blank. A
    header line may name the columns, in any case and order: `path`, `video`,
    `filename` or alike, and `label`, `class`, `tag` or alike; or those of the
    official lists of Kinetics, whose files are then looked for below the
    folder of the list. A relative path starts at the folder of the list.
    Empty lines and those that start with `#` are left out.

    A label is a class name. If all labels are integers from 0, they number
    the classes.

    Example:

    >>> videos = nonlocal_keras.data.list_videos("videos/train")
    >>> len(videos), videos.classes
    (4, ('walking', 'waving'))

    Args:
        source: String or path of the folder or file.
        classes: Sequence of class names, which fixes their order, e.g. that
            of the training split; integer labels are indices into it. `None`
            for the sorted names found. Defaults to `None`.
        split: String, `"train"`, `"val"` or `"test"`, to take only these
            lines of a list with a column `split`. `None` for all lines.
            Defaults to `None`.

    Returns:
        A `VideoList`, sorted by path. Files that are listed but do not exist
        are in `missing`, and counted in the log.

    Raises:
        ValueError: If there is no video, a line cannot be understood, a video
            has two labels, or a label is not in `classes`.
    """
    rows = read_rows(source)
    if split is not None:
        rows = [row for row in rows if row.split == split]
        if not rows:
            raise ValueError(
                "`split` must be a value of the column split of the list. "
                f"Received: split={split!r}, which {str(source)!r} lacks"
            )
    if classes is None:
        classes = labels.name_classes(rows, str(source))
    return from_rows(rows, source, classes)


def read_rows(source):
    """Reads the rows of class folders or of a list.

    Args:
        source: String or path of the folder or file.

    Returns:
        List of `nonlocal_keras.data.labels.Row`, not empty.

    Raises:
        ValueError: If there is no video, or a line cannot be understood.
    """
    source = pathlib.Path(source)
    if not source.exists():
        raise ValueError(
            "`source` must be a folder of class folders or a file of paths "
            f"and labels. Received: {str(source)!r}, which does not exist"
        )
    reader = class_folders if source.is_dir() else list_files
    rows = reader.read(source)
    if not rows:
        raise ValueError(
            "`source` must hold videos: class folders with video files, or "
            "lines of path and label. "
            f"Received: {str(source)!r}, which has none"
        )
    return rows


def from_rows(rows, source, classes, by_number=True):
    """Makes the list from the rows of a source.

    Args:
        rows: List of `nonlocal_keras.data.labels.Row`.
        source: String or path of the folder or file of the rows.
        classes: Sequence of class names.
        by_number: Boolean, whether integer labels may be indices of
            `classes` that have names. Defaults to `True`.

    Returns:
        A `VideoList`.

    Raises:
        ValueError: If not one of the files exists, a video has two labels, or
            a label is not in `classes`.
    """
    source = pathlib.Path(source)
    root = source if source.is_dir() else source.parent
    rows = sorted(rows, key=lambda row: (row.path, row.line or 0))
    indices = labels.to_indices(rows, classes, str(source), by_number)
    paths = [_locate(root, row.path) for row in rows]
    there = [os.path.isfile(path) for path in paths]
    missing = [path for path, found in zip(paths, there) if not found]
    if len(missing) == len(rows):
        raise ValueError(
            "A list must name video files; a relative path starts at the "
            f"folder of the list. Received: {str(source)!r}, of whose "
            f"{len(rows)} files not one exists, e.g. {_describe(missing[0])}"
        )
    if missing:
        logging.warning(
            "%s: %d of %d listed files are missing: %s",
            source,
            len(missing),
            len(rows),
            ", ".join(map(_describe, missing[:3])),
        )
    present = [i for i, found in enumerate(there) if found]
    paths, indices, rows = (
        [values[i] for i in present] for values in (paths, indices, rows)
    )
    labels.refuse_two_labels(
        rows, real_paths(paths), indices, classes, str(source)
    )
    return VideoList(
        tuple(paths),
        tuple(indices),
        tuple(classes),
        tuple(missing),
        str(root),
    )


def real_paths(paths):
    """Returns the real path of each file, links followed.

    Folders are resolved once each: a list may hold hundreds of thousands of
    files, and a path has many parts.

    Args:
        paths: Sequence of strings.

    Returns:
        List of strings.
    """
    folders, found = {}, []
    for path in paths:
        folder, name = os.path.split(path)
        if os.path.islink(path):
            found.append(os.path.realpath(path))
            continue
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        found.append(os.path.join(folders[folder], name))
    return found


def _locate(root, path):
    located = os.path.join(root, path)
    if "\\" in path and not os.path.exists(located):
        # Written on Windows.
        return os.path.join(root, path.replace("\\", os.sep))
    return located


def _describe(path):
    folder = os.path.isdir(path)
    return f"{path!r}" + (", a folder and no video" if folder else "")

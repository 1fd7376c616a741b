"""Videos that lie in one folder per class."""

import collections
import dataclasses
import os
import pathlib

from absl import logging

from nonlocal_keras.data import folders
from nonlocal_keras.data.labels import Row


@dataclasses.dataclass
class _Found:
    """What lies in a class folder, at any depth."""

    videos: list
    others: collections.Counter  # Suffixes of the files that are no videos.


def read(root):
    """Lists the videos of class folders.

    The class of a video is the name of the folder directly under `root`, at
    whatever depth below it the video lies. Hidden files and folders are
    ignored. What else is left out is said in the log, once: files whose
    suffix is none of a video, videos beside the class folders, empty folders.

    Args:
        root: String or path of the folder.

    Returns:
        List of `Row` with paths relative to `root`, sorted.

    Raises:
        ValueError: If a class folder holds files, and none is a video.
    """
    root = pathlib.Path(root)
    found, beside = {}, []
    for entry in sorted(os.scandir(root), key=lambda entry: entry.name):
        if folders.is_hidden(entry.name):
            continue
        if entry.is_dir():
            found[entry.name] = _search(root, entry.name)
        elif folders.is_video_name(entry.name):
            beside.append(entry.name)
    for name, folder in found.items():
        if folder.others and not folder.videos:
            raise ValueError(
                "A class folder must hold videos, which are known by their "
                f"suffix: {' '.join(sorted(folders.SUFFIXES))}. Received: "
                f"{str(root / name)!r} with {_count(folder.others)}. If it is "
                "no class, move it elsewhere or let its name start with a dot"
            )
    _say_what_is_left_out(root, found, beside)
    return sorted(
        (
            Row(path, name)
            for name, folder in found.items()
            for path in folder.videos
        ),
        key=lambda row: row.path,
    )


def _search(root, name):
    found = _Found([], collections.Counter())
    for folder, files in folders.walk(root / name):
        for file in files:
            if folders.is_video_name(file):
                path = os.path.join(folder, file)
                found.videos.append(os.path.relpath(path, root))
            else:
                found.others[pathlib.PurePath(file).suffix.lower()] += 1
    return found


def _say_what_is_left_out(root, found, beside):
    others = sum((f.others for f in found.values()), collections.Counter())
    if others:
        logging.warning("%s: left out %s", root, _count(others))
    for name, folder in found.items():
        videos, rest = len(folder.videos), folder.others.total()
        if 0 < videos < rest:
            logging.warning(
                "%s: only %d of %d files are videos",
                root / name,
                videos,
                videos + rest,
            )
    empty = [name for name, f in found.items() if not f.videos and not f.others]
    if empty:
        logging.warning(
            "%s: %d class folders are empty and make no class: %s",
            root,
            len(empty),
            ", ".join(empty),
        )
    if beside:
        logging.warning(
            "%s: left out %d videos that lie in no class folder, e.g. %s",
            root,
            len(beside),
            beside[0],
        )


def _count(others):
    kinds = [
        f"{number} {suffix or 'without a suffix'}"
        for suffix, number in others.most_common(5)
    ]
    more = [] if len(others) <= 5 else ["others"]
    return (
        f"{others.total()} files that are no videos by their suffix "
        f"({', '.join(kinds + more)})"
    )

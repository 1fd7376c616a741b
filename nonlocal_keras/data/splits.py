"""The training, validation and test videos of a folder, as it lies there."""

import dataclasses
import pathlib

from nonlocal_keras.data import class_folders
from nonlocal_keras.data import folders
from nonlocal_keras.data import groups
from nonlocal_keras.data import labels
from nonlocal_keras.data import video_list
from nonlocal_keras.data.list_files import NAMES_OF_SPLITS

_LIST_SUFFIXES = (".csv", ".tsv", ".txt")


@dataclasses.dataclass(frozen=True)
class Split:
    """One part of the data.

    Attributes:
        videos: A `VideoList`.
        source: String, the folder or list it came from.
    """

    videos: video_list.VideoList
    source: str


def open_splits(root, seed, separate=False):
    """Finds the training, validation and test videos.

    `root` holds, and the first of these that is there counts:

    - `train`, `val` and `test`, each a list (`train.csv`, `.tsv` or `.txt`)
      or a folder of class folders (`train/`). With both, the list counts.
    - a list `splits.csv` with a column `split`.
    - class folders: some videos of each are held out, see
      `nonlocal_keras.data.groups.hold_out`.

    Or `root` is itself a list with a column `split`. Without `test`, the
    validation videos are the test; without `val`, the test videos validate.
    With `separate`, what is held out or given is the test then, and videos for
    validation are held out of the others.

    Args:
        root: String or path of the folder or list.
        seed: Integer, of the videos that are held out.
        separate: Boolean, whether no test video may validate, for trainings
            that the validation decides on. Defaults to `False`.

    Returns:
        A tuple of a dictionary of `"train"`, `"val"` and `"test"` to `Split`,
        and a sentence about how they were made, empty if they were given.

    Raises:
        ValueError: If there are no such videos, or one of training is held
            out as well.
    """
    root = pathlib.Path(root)
    if not root.exists():
        raise ValueError(
            "`data` must be a folder of videos or a list. "
            f"Received: data={str(root)!r}, which does not exist"
        )
    rows, note = {}, ""
    sources = _find_sources(root) if root.is_dir() else {}
    listed = _one([root / f"splits{s}" for s in _LIST_SUFFIXES], root)
    if sources:
        rows = {n: _rows_of(n, path) for n, path in sources.items()}
    elif root.is_file() or listed:
        source = root if root.is_file() else listed
        rows = _rows_by_column(source)
        sources = {name: source for name in rows}
    else:
        rows["train"], rows["val"], note = _rows_by_source(root, seed)
        sources = {name: root for name in rows}
    _require_train_and_another(rows, root)
    if separate and len(rows) < 3:
        note = _separate(rows, sources, seed, note)
    classes = labels.name_classes(rows["train"], str(sources["train"]))
    if len(classes) < 2:
        raise ValueError(
            "`data` must hold at least two classes to train on. Received: "
            f"{str(sources['train'])!r}, of the class {classes[0]!r} alone"
        )
    splits = {
        name: Split(
            video_list.from_rows(
                rows[name], sources[name], classes, by_number=False
            ),
            str(sources[name]),
        )
        for name in rows
    }
    for name in ("val", "test"):
        if name in splits:
            _refuse_overlap(splits["train"], splits[name], name)
    val, test = splits.get("val"), splits.get("test")
    return {
        "train": splits["train"],
        "val": val or test,
        "test": test or val,
    }, note


def _find_sources(root):
    found = {}
    entries = [e for e in root.iterdir() if not folders.is_hidden(e.name)]
    for name, spellings in NAMES_OF_SPLITS.items():
        mine = [
            entry
            for entry in entries
            if entry.stem.lower() in spellings
            and (entry.is_dir() or entry.suffix.lower() in _LIST_SUFFIXES)
        ]
        lists = [entry for entry in mine if entry.is_file()]
        path = _one(lists or mine, root)
        if path:
            found[name] = path
    return found


def _one(paths, root):
    paths = sorted(path for path in paths if path.exists())
    if len(paths) > 1:
        raise ValueError(
            "`data` must hold one of "
            f"{' and '.join(path.name for path in paths)}, and holds both. "
            f"Received: data={str(root)!r}"
        )
    return paths[0] if paths else None


def _rows_of(name, path):
    rows = video_list.read_rows(path)
    for row in rows:
        if row.split not in (None, name):
            raise ValueError(
                f"The column split of {path} must say {name!r} in every line; "
                "a list of several is splits.csv. "
                f"Received: line {row.line}, {row.split!r}"
            )
    return rows


def _rows_by_column(path):
    rows = video_list.read_rows(path)
    if rows[0].split is None:
        raise ValueError(
            "`data` must be a folder, or a list with a header line and a "
            "column split that says train, val or test. "
            f"Received: {str(path)!r} without that column"
        )
    return {
        name: mine
        for name in NAMES_OF_SPLITS
        if (mine := [row for row in rows if row.split == name])
    }


def _rows_by_source(root, seed):
    rows = class_folders.read(root)
    if not rows:
        there = sorted(path.name for path in root.iterdir())
        raise ValueError(
            "`data` must hold class folders with videos, folders train/ and "
            "val/ of such, lists train.csv and val.csv, or a list splits.csv "
            f"with a column split. Received: data={str(root)!r}, which holds "
            f"{', '.join(there[:5]) or 'nothing'}"
            f"{' and more' if len(there) > 5 else ''}"
        )
    try:
        train, held, how = groups.hold_out(rows, seed)
    except ValueError as error:
        raise ValueError(f"`data` = {str(root)!r}: {error}") from error
    note = (
        f"{root} holds class folders and no train and val. {how}. To choose "
        "yourself, add lists train.csv and val.csv of path and label, or "
        "splits.csv with a column split"
    )
    return train, held, note


def _separate(rows, sources, seed, note):
    """Makes the one that is held out the test, and holds out others.

    Returns:
        The note on how the splits were made.
    """
    if "val" in rows:
        rows["test"], sources["test"] = rows.pop("val"), sources["val"]
    try:
        train, held, how = groups.hold_out(rows["train"], seed)
    except ValueError as error:
        raise ValueError(
            f"`data` must have videos to validate with besides the test: "
            f"{error}. Add val, or more videos. Received: "
            f"{sources['train']}"
        ) from error
    rows["train"], rows["val"] = train, held
    sources["val"] = sources["train"]
    said = (
        "For validation, which decides when the training ends, of those left "
        f"{how}; the test videos take no part in it"
    )
    return f"{note}. {said}" if note else said


def _require_train_and_another(rows, root):
    if "train" in rows and len(rows) > 1:
        return
    raise ValueError(
        "`data` must hold train and val (or test): folders of class folders, "
        "e.g. train/ and val/, lists train.csv and val.csv, or these words "
        "in the column split of one list. "
        f"Received: data={str(root)!r} with {' and '.join(rows)} alone"
    )


def _refuse_overlap(train, held, name):
    seen = set(video_list.real_paths(train.videos.paths))
    both = [
        path
        for path, real in zip(
            held.videos.paths, video_list.real_paths(held.videos.paths)
        )
        if real in seen
    ]
    if both:
        raise ValueError(
            f"A video must not be in train and in {name}. Received: "
            f"{len(both)} of {len(held.videos)} videos of {held.source} that "
            f"are in {train.source} as well, e.g. {', '.join(both[:3])}"
        )

"""Folders of data sets that are rendered: whole, or going on, or refused."""

import json
import multiprocessing
import os

from nonlocal_keras.data import folders

SETTINGS, COMPLETE = "dataset.json", "complete"
SPLITS = ("train", "val", "test")


def require_sizes(sizes):
    """Refuses sizes of a data set that are not those of its splits.

    Args:
        sizes: Dictionary from the names of splits to numbers.

    Raises:
        ValueError: If its keys are others than `SPLITS`.
    """
    if set(sizes) != set(SPLITS):
        raise ValueError(
            f"`sizes` must have the keys {sorted(SPLITS)}. "
            f"Received: sizes={sizes}"
        )


def begin(root, description):
    """Begins or goes on with the rendering of a data set.

    Args:
        root: A `pathlib.Path` of the folder, which `require_own` has seen.
        description: Dictionary of what decides the files, among it `"sizes"`.

    Returns:
        Boolean, whether all of it is there already.

    Raises:
        ValueError: If another version or other sizes are there.
    """
    # Written at the start, so that other settings never mix into the folder;
    # the mark of completeness comes last.
    settings = root / SETTINGS
    if settings.exists() and json.loads(settings.read_text()) != description:
        raise ValueError(
            f"`root` holds another version or other sizes: {settings}. Remove "
            f"the folder or choose another. Received: root={str(root)!r}, "
            f"sizes={description['sizes']}"
        )
    if (root / COMPLETE).exists():
        return True
    root.mkdir(parents=True, exist_ok=True)
    partial = root / f".{settings.name}.{os.getpid()}.partial"
    partial.write_text(json.dumps(description, indent=2) + "\n")
    os.replace(partial, settings)
    return False


def end(root):
    """Marks a data set as complete."""
    (root / COMPLETE).touch()


def require_own(root, name, folders_within, advice):
    """Refuses a folder unless it is empty, missing or of a data set alone.

    The settings are written first: with them, only what is rendered may lie
    in the folder; without them, nothing.

    Args:
        root: A `pathlib.Path` of the folder.
        name: String, the name of the data set.
        folders_within: Dictionary from the names of folders in `root` to the
            names of what may lie in them; `None` for anything.
        advice: String, what somebody does who has data there.

    Raises:
        ValueError: If files of others lie in the folder.
    """
    if not root.exists():
        return
    allowed = {root: ()}
    if _is_own(root / SETTINGS, name):
        allowed = {root: (SETTINGS, COMPLETE, *folders_within)}
        for folder, names in folders_within.items():
            if names is not None:
                allowed[root / folder] = names
    foreign = [
        path
        for folder, names in allowed.items()
        if folder.exists()
        for path in sorted(folder.iterdir())
        if path.name not in names and not folders.is_hidden(path.name)
    ]
    if foreign:
        raise ValueError(
            "`root` must be empty, missing or a folder of the benchmark "
            "alone, which is rendered there. Received: "
            f"root={str(root)!r} with {len(foreign)} other files or folders, "
            f"e.g. {str(foreign[0])!r}. {advice}"
        )


def _is_own(settings, name):
    try:
        return json.loads(settings.read_text())["name"] == name
    except (OSError, ValueError, TypeError, KeyError):
        return False


def run(function, jobs, workers=None):
    """Runs a function of one argument in several processes.

    Args:
        function: Function at the top of a module.
        jobs: List of its arguments.
        workers: Integer, number of processes. `None` for all processors.
            Defaults to `None`.

    Returns:
        List of what it returns, in the order of the jobs.
    """
    workers = workers or os.cpu_count()
    if workers == 1:
        return [function(job) for job in jobs]
    # Spawned, since threads of TensorFlow do not survive a fork.
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        return list(pool.imap(function, jobs, chunksize=64))

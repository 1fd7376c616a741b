"""What the folder of a run remembers: its settings, classes and videos.

A run goes on from its newest checkpoint only with all three as they were.
Renaming one class folder would otherwise continue the weights under shifted
classes, and nothing would look wrong.
"""

import collections
import dataclasses
import hashlib
import itertools
import json
import os

from absl import logging

from nonlocal_keras import partial
from nonlocal_keras.training import checkpoints

_SETTINGS, _VIDEOS = "experiment.json", "videos.json"
_WAYS_OUT = (
    "Choose another model_dir, or start over with --noresume (resume=False), "
    "which puts the run that is there aside"
)


def claim(
    directory,
    experiment,
    training,
    validation=None,
    resume=True,
    say=logging.info,
):
    """Makes a folder the run of an experiment on certain videos.

    A folder without checkpoints is taken. One with checkpoints is compared.

    Args:
        directory: Path of the folder, made if missing.
        experiment: An `Experiment`.
        training: A `nonlocal_keras.data.VideoList`.
        validation: A `nonlocal_keras.data.VideoList`. Defaults to `None`.
        resume: Boolean. With `False` a run that is there is renamed to
            `NAME.old-1`, `NAME.old-2` and so on, and a new one begins.
            Defaults to `True`.
        say: Function that shows a line of text to the user. Defaults to the
            log.

    Raises:
        ValueError: If the folder holds a run of other settings, classes or
            videos; the message says what differs.
    """
    settings = dataclasses.asdict(experiment)
    lists = {"train": training, "val": validation}
    videos = {
        "classes": list(training.classes),
        "splits": {
            name: describe(videos)
            for name, videos in lists.items()
            if videos is not None
        },
    }
    # As JSON gives them back: tuples become lists.
    settings, videos = (json.loads(json.dumps(x)) for x in (settings, videos))
    if not resume and checkpoints.checkpoints(directory):
        aside = _put_aside(directory)
        say(f"starting over; the earlier run lies in {aside} now")
    directory.mkdir(parents=True, exist_ok=True)
    if not checkpoints.checkpoints(directory):
        _write(directory / _SETTINGS, settings)
        _write(directory / _VIDEOS, videos)
        return
    changes = _changed_settings(_read(directory / _SETTINGS), settings)
    if changes:
        raise ValueError(
            f"`model_dir` holds a run with other settings, {directory}: "
            f"{'; '.join(changes)}. Repeat its settings. {_WAYS_OUT}"
        )
    changes = _changed_videos(_read(directory / _VIDEOS), videos)
    if changes:
        raise ValueError(
            f"`model_dir` holds a run on other videos, {directory}: "
            f"{'; '.join(changes)}. Put them back. {_WAYS_OUT}"
        )


def describe(videos):
    """Describes a list of videos: small, and enough to say what changed.

    Args:
        videos: A `nonlocal_keras.data.VideoList`.

    Returns:
        Dictionary of class name to the number of its videos and a digest of
        their paths, relative to the root of the list: data that moved are the
        same data.
    """
    paths = collections.defaultdict(list)
    for path, label in zip(videos.paths, videos.labels):
        paths[videos.classes[label]].append(_relative(path, videos.root))
    return {
        name: [len(mine), _digest(mine)] for name, mine in sorted(paths.items())
    }


def _digest(paths):
    # Names of files need not be text.
    return hashlib.sha256(os.fsencode("\n".join(paths))).hexdigest()


def _relative(path, root):
    relative = os.path.relpath(path, root) if root else path
    return path if relative.startswith(os.pardir) else relative


def _put_aside(directory):
    for number in itertools.count(1):
        aside = directory.with_name(f"{directory.name}.old-{number}")
        if not aside.exists():
            break
    directory.rename(aside)
    return aside


def _read(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _write(path, content):
    partial.write_text(path, json.dumps(content, indent=2) + "\n")


def _changed_settings(old, new):
    if old is None:
        return [f"{_SETTINGS} is missing or damaged"]
    return [
        f"{name}: {old.get(name)!r} there, {new.get(name)!r} now"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def _changed_videos(old, new):
    if old is None:
        return [f"{_VIDEOS} is missing or damaged"]
    changes = []
    there, now = old["classes"], new["classes"]
    gone = [name for name in there if name not in now]
    added = [name for name in now if name not in there]
    if gone or added:
        changes.append(
            f"classes gone: {gone[:5]}, new: {added[:5]}; {len(there)} "
            f"there, {len(now)} now"
        )
    elif there != now:
        changes.append(f"another order of classes: {there[:5]}, {now[:5]}")
    for split in sorted(old["splits"].keys() | new["splits"].keys()):
        before = old["splits"].get(split, {})
        after = new["splits"].get(split, {})
        different = [
            f"{name!r} ({before.get(name, [0])[0]} there, "
            f"{after.get(name, [0])[0]} now)"
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        ]
        if different:
            changes.append(
                f"videos of {split} in {len(different)} classes: "
                + ", ".join(different[:5])
            )
    return changes

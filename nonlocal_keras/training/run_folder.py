"""What the folder of a run remembers: its settings, classes and data.

A run goes on from its newest checkpoint only with all three as they were.
Renaming one class folder would otherwise continue the weights under shifted
classes, and nothing would look wrong.
"""

import dataclasses
import itertools
import json

from absl import logging

from nonlocal_keras import partial
from nonlocal_keras.training import checkpoints

_SETTINGS = "experiment.json"
_WAYS_OUT = (
    "Choose another model_dir, or start over with --noresume (resume=False), "
    "which puts the run that is there aside"
)


def claim(
    directory,
    recipe,
    noun,
    classes,
    splits,
    resume=True,
    say=logging.info,
):
    """Makes a folder the run of a recipe on certain data.

    A folder without checkpoints is taken. One with checkpoints is compared.

    Args:
        directory: Path of the folder, made if missing.
        recipe: A `nonlocal_keras.training.recipe.Recipe`.
        noun: String, what the data are, `"videos"` or the like, and the name
            of the file that remembers them.
        classes: Sequence of strings.
        splits: Dictionary of `"train"` and the like to a dictionary of the
            name of a class to what tells whether its data have changed: a
            list of their number and a digest.
        resume: Boolean. With `False` a run that is there is renamed to
            `NAME.old-1`, `NAME.old-2` and so on, and a new one begins.
            Defaults to `True`.
        say: Function that shows a line of text to the user. Defaults to the
            log.

    Raises:
        ValueError: If the folder holds a run of other settings, classes or
            data; the message says what differs.
    """
    settings = dataclasses.asdict(recipe)
    data = {"classes": list(classes), "splits": splits}
    data_file = directory / f"{noun}.json"
    # As JSON gives them back: tuples become lists.
    settings, data = (json.loads(json.dumps(x)) for x in (settings, data))
    if not resume and checkpoints.checkpoints(directory):
        aside = _put_aside(directory)
        say(f"starting over; the earlier run lies in {aside} now")
    directory.mkdir(parents=True, exist_ok=True)
    if not checkpoints.checkpoints(directory):
        _write(directory / _SETTINGS, settings)
        _write(data_file, data)
        return
    defaults = json.loads(json.dumps(_defaults(recipe)))
    found = _read(directory / _SETTINGS)
    # A field that an earlier version did not have did what it does by default.
    changes = _changed_settings(found and {**defaults, **found}, settings)
    if changes:
        raise ValueError(
            f"`model_dir` holds a run with other settings, {directory}: "
            f"{'; '.join(changes)}. Repeat its settings. {_WAYS_OUT}"
        )
    changes = _changed_data(data_file, data, noun)
    if changes:
        raise ValueError(
            f"`model_dir` holds a run on other {noun}, {directory}: "
            f"{'; '.join(changes)}. Put them back. {_WAYS_OUT}"
        )


def _defaults(recipe):
    fields = dataclasses.fields(recipe)
    missing = dataclasses.MISSING
    return {f.name: f.default for f in fields if f.default is not missing}


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


def _changed_data(path, new, noun):
    old = _read(path)
    if old is None:
        return [f"{path.name} is missing or damaged"]
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
                f"{noun} of {split} in {len(different)} classes: "
                + ", ".join(different[:5])
            )
    return changes

"""The videos of a run: found or rendered, checked, and shown in a table."""

import collections
import pathlib

from absl import logging

from nonlocal_keras import data
from nonlocal_keras import terminal
from nonlocal_keras.data import longrange
from nonlocal_keras.data import splits
from nonlocal_keras.training.video import survey


def open_data(recipe, folder=None, say=logging.info):
    """Opens the training, validation and test videos of a recipe.

    Args:
        recipe: A `nonlocal_keras.training.video.recipes.VideoRecipe`.
        folder: String, the videos of the user, see
            `nonlocal_keras.data.splits.open_splits`; for a recipe that
            renders its videos the place for them, where `None` is
            `data/{dataset}`. Defaults to `None`.
        say: Function that shows a text to the user. Defaults to the log.

    Returns:
        A list of three `nonlocal_keras.data.ClipReader`.

    Raises:
        ValueError: If the folder is not what the recipe needs, or not one
            video of a split can be read.
    """
    if recipe.render_sizes:
        root = pathlib.Path(folder or f"data/{recipe.dataset}")
        longrange.require_own(root)
        say(f"rendering {sum(recipe.render_sizes)} videos into {root}")
        longrange.render(
            root, dict(zip(("train", "val", "test"), recipe.render_sizes))
        )
    elif folder is None:
        raise ValueError(
            f"`data` must name the folder of {recipe.dataset}: the "
            "experiment has no data of its own. Add --data=FOLDER"
        )
    else:
        root = folder
    # Whether a validation decides on the weights that are tested.
    separate = recipe.patience > 0
    found, note = splits.open_splits(root, recipe.seed, separate)
    if not recipe.render_sizes:
        lengths = survey.measure(found)
        say(format_table(found, lengths))
        notes = [note] if note else []
        notes += survey.tell(found, lengths, recipe)
        for text in notes:
            say(f"\n{terminal.escaped(text)}.")
    # The test videos are read once: memory is for the others.
    rooms = {"train": 0.8, "val": 0.2, "test": 0.0}
    return [
        _open(found[name], name, recipe, int(part * recipe.cache_bytes))
        for name, part in rooms.items()
    ]


def format_table(found, lengths):
    """Returns a Markdown table of the splits.

    Args:
        found: Dictionary of name to `nonlocal_keras.data.splits.Split`.
        lengths: Dictionary of name to
            `nonlocal_keras.training.video.survey.Lengths`; empty where there
            are too many videos to look at each.

    Returns:
        String.
    """
    columns = ["split", "videos", "classes", "fewest", "most"]
    if lengths:
        columns += ["shortest", "longest", "broken"]
    columns += ["missing", "from"]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for name, split in found.items():
        videos = split.videos
        counts = collections.Counter(videos.labels)
        by_number = [(counts[i], i) for i in range(len(videos.classes))]
        (fewest, rare), (most, common) = min(by_number), max(by_number)
        cells = (
            name,
            len(videos),
            f"{len(counts)} of {len(videos.classes)}",
            f"{fewest} {videos.classes[rare]}",
            f"{most} {videos.classes[common]}",
            *(lengths[name].cells() if lengths else ()),
            len(videos.missing),
            split.source,
        )
        lines.append(f"| {' | '.join(map(terminal.escaped, cells))} |")
    return "\n".join(lines)


def _open(split, name, recipe, cache_bytes):
    """Opens a split and reads one video, before the work of a run is lost."""
    try:
        reader = data.ClipReader(
            split.videos, recipe.clip_spec, recipe.seed, cache_bytes
        )
    except ValueError as error:
        raise ValueError(f"{name}, {split.source}: {error}") from error
    if all(reader.test_views(i) is None for i in range(len(split.videos))):
        first = next(iter(reader.skipped.values()))
        raise ValueError(
            f"{name}, {split.source}: not one of the {len(split.videos)} "
            f"videos gives a clip; the first failed with: {first}"
        )
    return reader

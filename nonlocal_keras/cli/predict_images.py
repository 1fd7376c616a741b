"""What `nonlocal-keras predict` does for a detector: tables and pictures."""

import collections
import contextlib
import os
import pathlib

import numpy as np

from nonlocal_keras import terminal
from nonlocal_keras import visualize
from nonlocal_keras.cli import flags
from nonlocal_keras.visualize import saving

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
THRESHOLD = 0.5
# Probability from which on a pixel is in a mask.
_IN_MASK = 0.5


def run(model, arguments):
    """Predicts every image; a broken one does not stop the others.

    Args:
        model: A `nonlocal_keras.models.MaskRCNN`.
        arguments: Parsed flags, of which `files`, `model`, `output` and
            `threshold` are read.

    Raises:
        ValueError: If one of the images could not be predicted, or the
            model is damaged.
    """
    from nonlocal_keras import data

    paths, threshold = arguments.files, arguments.threshold
    threshold = THRESHOLD if threshold is None else threshold
    outputs = _outputs(paths, arguments.output)
    broken = []
    for path, output in zip(paths, outputs):
        try:
            pixels = data.read_image(path)
        except data.ImageError as error:
            broken.append(path)
            terminal.say(flags.PROGRAM, _with_hint(error, path))
            continue
        try:
            found = model.predict(
                [pixels], mask_threshold=_IN_MASK, score_threshold=threshold
            )
        except FloatingPointError as error:
            words = f"{arguments.model} is damaged: {error}"
            raise ValueError(words) from error
        _print_table(path, found, model.labels, threshold)
        if output is not None:
            picture = visualize.draw_detections(
                pixels, found, model.labels, threshold=threshold
            )
            with saving.replaced(output, "--output") as whole:
                picture.save(whole)
            terminal.write(f"  wrote {output}")
    if broken:
        raise ValueError(
            f"{len(broken)} of {len(paths)} images could not be predicted, see "
            "above"
        )


def _outputs(paths, output):
    """Returns the file of each picture, or `None`; checked before any work."""
    if output is None:
        return [None] * len(paths)
    output = pathlib.Path(output)
    if len(paths) > 1 or output.is_dir():
        targets = _names_in(_folder(output), paths)
    else:
        saving.check_suffix(output, "--output", SUFFIXES)
        if not output.parent.is_dir():
            raise ValueError(
                "`--output` must lie in a folder that exists. Received: "
                f"{output}"
            )
        targets = [output]
    images = {os.path.realpath(path) for path in paths}
    for target in targets:
        if os.path.realpath(target) in images:
            raise ValueError(
                "`--output` must not replace an image that is read. Received: "
                f"{target}"
            )
    return targets


def _folder(output):
    """Returns the folder of several pictures, which is made."""
    if output.suffix.lower() in SUFFIXES and not output.is_dir():
        raise ValueError(
            "`--output` must be a folder for several images. Received: "
            f"{output}"
        )
    try:
        output.mkdir(exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"`--output` cannot be made: {error.strerror}. Name a folder in "
            f"one that exists. Received: {output}"
        ) from error
    return output


def _names_in(folder, paths):
    """Names the pictures by their images; those of one name get numbers."""
    seen, targets = collections.Counter(), []
    for path in paths:
        name = pathlib.Path(path).stem
        seen[name] += 1
        number = f"-{seen[name]}" if seen[name] > 1 else ""
        targets.append(folder / f"{name}{number}.png")
    return targets


def _with_hint(error, path):
    """Says more of a file that is a video."""
    from nonlocal_keras import data

    with contextlib.suppress(data.VideoError):
        data.video_info(path)
        return (
            f"{path} is a video, and the model finds objects in images: give "
            "frames of it as image files, or a model of videos"
        )
    return error


def _print_table(path, found, labels, threshold):
    number = int(found["num_detections"][0])
    scores = found["confidence"][0, :number]
    shown = np.flatnonzero(scores >= threshold)
    plural = "" if len(shown) == 1 else "s"
    terminal.write(f"{path}: {len(shown)} object{plural}")
    names = [_name(labels, found["labels"][0, row]) for row in shown]
    width = max(map(len, (*names, "label")))
    if names:
        terminal.write(
            f"  {'label':{width}}  score  {'left':>6} {'top':>6} "
            f"{'right':>6} {'bottom':>6}"
        )
    for name, row in zip(names, shown):
        box = " ".join(f"{side:6.0f}" for side in found["boxes"][0, row])
        terminal.write(f"  {name:{width}}   {scores[row]:.2f}  {box}")


def _name(labels, label):
    return terminal.escaped(
        f"class {label}" if labels is None else labels[label]
    )

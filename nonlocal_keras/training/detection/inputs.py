"""The images of a run: found or rendered, and shown in a table."""

import dataclasses
import pathlib

from absl import logging

from nonlocal_keras import data
from nonlocal_keras import terminal
from nonlocal_keras.data import coco
from nonlocal_keras.data import longrange_shapes
from nonlocal_keras.data.detection_reader import name_labels

_SPLITS = ("train", "val", "test")


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Images of a run.

    Attributes:
        dataset: A `nonlocal_keras.data.coco.CocoDataset`.
        class_names: Tuple of strings by the labels of the model, the
            background first.
    """

    dataset: coco.CocoDataset
    class_names: tuple

    @property
    def skipped(self):
        """Dictionary of the images that cannot be read to the reasons."""
        return self.dataset.skipped


def open_data(recipe, folder=None, say=logging.info):
    """Opens the training, validation and test images of a recipe.

    Args:
        recipe: A
            `nonlocal_keras.training.detection.recipes.DetectionRecipe`.
        folder: String, the images of the user, see `find_splits`; for a recipe
            that renders its images the place for them, where `None` is
            `data/{dataset}`. Defaults to `None`.
        say: Function that shows a text to the user. Defaults to the log.

    Returns:
        A list of three `Split`; without images for a test, those of the
        validation are the test.

    Raises:
        ValueError: If the folder is not what the recipe needs.
    """
    if recipe.render_sizes:
        root = pathlib.Path(folder or f"data/{recipe.dataset}")
        longrange_shapes.require_own(root)
        say(f"rendering {sum(recipe.render_sizes)} images into {root}")
        longrange_shapes.render(root, dict(zip(_SPLITS, recipe.render_sizes)))
    elif folder is None:
        raise ValueError(
            f"`data` must name the folder of {recipe.dataset}: the experiment "
            "has no data of its own. Add --data=FOLDER"
        )
    else:
        root = pathlib.Path(folder)
    keypoints = any("keypoint" in name for name in recipe.models)
    files = find_splits(root, keypoints)
    splits = {}
    for name, (annotations, images) in files.items():
        dataset = data.read_coco(annotations, images)
        _, names = name_labels(dataset, recipe.labels)
        splits[name] = Split(dataset, names)
    _require_same_classes(splits)
    say(format_table(splits, files))
    splits.setdefault("test", splits["val"])
    return [splits[name] for name in _SPLITS]


def find_splits(root, keypoints=False):
    """Finds the annotations and images of a folder in the form of COCO.

    `root` holds, and the first of these that is there counts:

    - `annotations/instances_train2017.json` and `train2017/`, the same for
      `val2017` and, if there are any, `test2017`; the year may be another or
      missing; for keypoints `person_keypoints_train2017.json`.
    - `train/`, `val/` and, if there is one, `test/`, each with
      `annotations.json`, or `person_keypoints.json` for keypoints, and
      `images/`.

    Args:
        root: Path of the folder.
        keypoints: Boolean, whether joints are to be learned. Defaults to
            `False`.

    Returns:
        Dictionary of `"train"`, `"val"`, and if it is there `"test"` to paths
        of a file of annotations and of a folder of images.

    Raises:
        ValueError: If there are none for training or for validation.
    """
    # A file of instances may have joints, too.
    kinds = ("person_keypoints", "instances")[0 if keypoints else 1 :]
    found = {}
    for split in _SPLITS:
        for annotations, images in _candidates(root, split, kinds):
            if images.is_dir():
                found.setdefault(split, (annotations, images))
    missing = [split for split in ("train", "val") if split not in found]
    if missing:
        raise ValueError(
            "`data` must hold images with annotations as COCO does: "
            f"annotations/{kinds[0]}_train2017.json and train2017/, the same "
            "for val2017; or train/annotations.json and train/images/, the "
            f"same for val. Received: data={str(root)!r}, without "
            f"{' and '.join(missing)}"
        )
    return found


def _candidates(root, split, kinds):
    """Yields paths of files of annotations that are there, and of images."""
    for kind in kinds:
        for path in sorted(root.glob(f"annotations/{kind}_{split}*.json")):
            yield path, root / path.stem.removeprefix(f"{kind}_")
    for name in (*kinds, "annotations"):
        path = root / split / f"{name}.json"
        if path.is_file():
            yield path, root / split / "images"


def _require_same_classes(splits):
    names = splits["train"].class_names
    for name, split in splits.items():
        if split.class_names != names:
            other = set(split.class_names) ^ set(names)
            raise ValueError(
                "`data` must have the same classes, in the same order, in all "
                f"splits. Received: {len(names) - 1} of train and "
                f"{len(split.class_names) - 1} of {name}; of one alone are "
                f"{sorted(other)[:5]}"
            )


def format_table(splits, files):
    """Returns a Markdown table of the splits.

    Args:
        splits: Dictionary of name to `Split`.
        files: Dictionary of name to the paths of annotations and images.

    Returns:
        String.
    """
    lines = [
        "| split | images | objects | crowds | faults | from |",
        "|---|---|---|---|---|---|",
    ]
    for name, split in splits.items():
        images = split.dataset.images
        cells = (
            name,
            len(images),
            sum(len(image.labels) for image in images),
            sum(int(image.crowd.sum()) for image in images),
            sum(fault.count for fault in split.dataset.faults),
            files[name][0],
        )
        lines.append(f"| {' | '.join(map(terminal.escaped, cells))} |")
    return "\n".join(lines)

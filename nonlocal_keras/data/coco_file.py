"""Reads files of annotations in the format of COCO.

A file is input from strangers. Entries that cannot be used are left out and
counted by reason; they are an error only if no image is left.
"""

import json
import math
import pathlib

from nonlocal_keras.data import coco_objects
from nonlocal_keras.data import foreign_file
from nonlocal_keras.data import image_file
from nonlocal_keras.data.coco import CocoDataset
from nonlocal_keras.data.coco import make_image
from nonlocal_keras.data.faults import Faults

_LISTS = ("images", "annotations", "categories")


def read_coco(path, folder=None):
    """Reads a file of annotations in the format of COCO.

    Example:

    >>> dataset = nonlocal_keras.data.read_coco("coco.json", "images")
    >>> dataset.class_names, dataset.category_ids
    (('person', 'kite'), (1, 38))
    >>> image = dataset.images[0]
    >>> image.labels.tolist(), image.boxes.tolist()
    ([1], [[8.0, 4.0, 24.0, 36.0]])
    >>> int(image.mask(0).sum())
    512
    >>> print(dataset.faults)
    count  done           what                   first
        1  image skipped  image file is missing  image 7

    Args:
        path: String or path of the file.
        folder: String or path of the folder in which the names of the images
            begin. `None` looks for no images. Defaults to `None`.

    Returns:
        A `nonlocal_keras.data.coco.CocoDataset`; its `faults` say what was
        left out.

    Raises:
        ValueError: If it is no such file, or no image of it can be used.
        ImportError: If masks are run-length codes, and faster-coco-eval is
            not installed.
    """
    dataset = _to_dataset(_load(path), folder)
    if not dataset.images:
        reason = next((f.what for f in dataset.faults), "it lists none")
        raise ValueError(f"{path}: no image can be used: {reason}")
    return dataset


def _to_dataset(content, folder):
    faults = Faults()
    categories = _read_categories(content["categories"], faults)
    joints, with_joints = _read_joints(categories)
    images = _read_images(content["images"], folder, faults)
    objects = {key: [] for key, place in images.items() if place}
    labels = {key: label for label, key in enumerate(categories)}
    for entry, note in _usable(content["annotations"], images, labels, faults):
        label = labels[entry["category_id"]]
        if label not in with_joints and entry.pop("keypoints", None):
            note("keypoints of a class without joints", "keypoints left out")
        _, *size = images[entry["image_id"]]
        found = coco_objects.parse(entry, label, len(joints), *size, note)
        if found:
            objects[entry["image_id"]].append(found)
    return CocoDataset(
        images=[
            make_image(key, *images[key], objects[key], len(joints))
            for key in sorted(objects, key=_order)
        ],
        class_names=_name_classes(categories, faults),
        category_ids=tuple(categories),
        keypoint_names=joints,
        keypoint_labels=with_joints,
        faults=faults,
    )


def _load(path):
    foreign_file.require(path, "file of annotations", ValueError)
    try:
        content = json.loads(pathlib.Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path}: annotations must be a file of JSON. Received: {error}"
        ) from error
    lists = content if isinstance(content, dict) else {}
    absent = [k for k in _LISTS if not isinstance(lists.get(k), list)]
    if absent:
        raise ValueError(
            f"{path}: annotations must be in COCO's format, with the lists "
            f"{', '.join(_LISTS)}. Received: a file without "
            f"{', '.join(absent)}"
        )
    return content


def _read_categories(entries, faults):
    """Returns the entries by id, in the order of their labels."""
    found = {}
    for entry in entries:
        key = _id(entry, "id")
        if key is None:
            faults.add("category has no id", "category skipped", entry)
        elif key in found:
            faults.add("category id is listed twice", "first one taken", key)
        else:
            found[key] = entry
    return {key: found[key] for key in sorted(found, key=_order)}


def _name_classes(categories, faults):
    """Returns the names by label; by them the classes of models are told."""
    names = []
    for key, entry in categories.items():
        name = str(entry.get("name", key))
        if name in names:
            faults.add("category name is used twice", "its id added", name)
        while name in names:
            name = f"{name} {key}"
        names.append(name)
    return tuple(names)


def _read_joints(categories):
    """Returns the names of the joints, and the labels of who has them."""
    lists = [entry.get("keypoints") for entry in categories.values()]
    joints = next((v for v in lists if v and isinstance(v, list)), [])
    with_joints = [label for label, v in enumerate(lists) if v and v == joints]
    return tuple(map(str, joints)), tuple(with_joints)


def _read_images(entries, folder, faults):
    """Returns `(path, height, width)` by id; `None` for what is left out."""
    found = {}
    for entry in entries:
        key = _id(entry, "id")
        if key is None:
            faults.add("image has no id", "image skipped", entry)
            continue
        if key in found:
            faults.add("image id is listed twice", "first one taken", key)
            continue
        size = _side(entry.get("height")), _side(entry.get("width"))
        path, fault = _find(entry.get("file_name"), folder)
        if math.prod(size) not in range(1, image_file.MAX_PIXELS + 1):
            fault = "image has no usable height and width"
        if fault:
            faults.add(fault, "image skipped", f"image {key}")
        found[key] = None if fault else (path, *size)
    return found


def _find(name, folder):
    """Returns the path of an image, or what is wrong with its name."""
    if folder is None:
        return None, None
    if not isinstance(name, str) or not name:
        return None, "image has no file name"
    # The rules of Windows know both kinds of slashes, and drives.
    written = pathlib.PureWindowsPath(name)
    if written.anchor or ".." in written.parts:
        return None, "file name leaves the folder of the images"
    path = pathlib.Path(folder, *written.parts)
    return (path, None) if path.is_file() else (None, "image file is missing")


def _usable(entries, images, labels, faults):
    """Yields annotations that name an image and a class, and their `note`."""
    seen = {}
    for position, entry in enumerate(entries):

        def note(what, done, position=position, entry=entry):
            name = _id(entry, "id")
            place = f"number {position}" if name is None else name
            faults.add(what, done, f"annotation {place}")

        image, category = _id(entry, "image_id"), _id(entry, "category_id")
        if image not in images:
            note("annotation of an image that is not listed", "object skipped")
        elif category not in labels:
            note("category id is not listed", "object skipped")
        # The objects of an image that is left out have no faults of their own.
        elif images[image] and not _repeats(entry, seen, note):
            yield entry, note


def _repeats(entry, seen, note):
    first = seen.setdefault(_id(entry, "id"), entry)
    if first is entry or _id(entry, "id") is None:
        return False
    keys = ("image_id", "category_id", "bbox")
    if all(first.get(key) == entry.get(key) for key in keys):
        note("annotation is listed twice", "first one taken")
        return True
    note("annotation id is used twice", "both objects kept")
    return False


def _id(entry, key):
    """Returns an id of an entry; `None` if it has none that can be one."""
    value = entry.get(key) if isinstance(entry, dict) else None
    # Other objects of JSON are no keys, or, as a NaN, not equal to themselves.
    usable = isinstance(value, int | float | str) and value == value
    return value if usable else None


def _order(key):
    return isinstance(key, str), key


def _side(value):
    """Returns a length in pixels; 0 for what is none."""
    whole = isinstance(value, int | float) and value > 0 and value % 1 == 0
    return int(value) if whole else 0

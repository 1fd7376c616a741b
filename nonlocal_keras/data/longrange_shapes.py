"""An image benchmark for detectors in which context decides, rendered.

Triangles, arrows and lamps tell their class themselves. Kites do not: whether
one is a `kite by red` or a `kite by green` is told by the light of the one
lamp in the image, which is on at one end of the image while the kites are at
the other, at least `shape_images.GAP` pixels away.

The light is drawn apart from all else. So for every image there is one, as
likely as it, that differs in the pixels of the lamp alone and in which every
kite is of the other class: no function of pixels within that distance of a
kite is right about it more often than a guess.

Its files are in COCO's format: masks as run-length codes, three joints for
all but lamps.
"""

import itertools
import json
import os
import pathlib

import numpy as np

from nonlocal_keras import optional
from nonlocal_keras import partial
from nonlocal_keras.data import rendered_folder
from nonlocal_keras.data.shape_images import CLASSES
from nonlocal_keras.data.shape_images import HEIGHT
from nonlocal_keras.data.shape_images import JOINTS
from nonlocal_keras.data.shape_images import WIDTH
from nonlocal_keras.data.shape_images import draw_image

NAME = "longrange_shapes"
VERSION = 1
SIZES = {"train": 2000, "val": 200, "test": 500}
# The classes that only context tells.
CONTEXT_CLASSES = tuple(name for name in CLASSES if name.startswith("kite"))
# For `CocoEvaluator`: how far apart two people would place a joint.
SIGMAS = (0.1, 0.1, 0.1)

_FIRST_SEED = {"train": 0, "val": 1_000_000_000, "test": 2_000_000_000}
_ANNOTATIONS = "annotations"


def render(root, sizes=None, workers=None):
    """Renders the data set as JPEG files with annotations of COCO's format.

    A second call returns at once; a call that was cut short goes on.

    Example:

    >>> nonlocal_keras.data.longrange_shapes.render(
    ...     "data/shapes", {"train": 4, "val": 2, "test": 2}, workers=1
    ... )
    >>> dataset = nonlocal_keras.data.read_coco(
    ...     "data/shapes/annotations/instances_val.json", "data/shapes/val"
    ... )
    >>> len(dataset.images), dataset.keypoint_names
    (2, ('tip', 'right_corner', 'left_corner'))

    Args:
        root: String or path: images go to `root/{split}`, annotations to
            `root/annotations/instances_{split}.json`.
        sizes: Dictionary with the numbers of `"train"`, `"val"` and `"test"`
            images. `None` for 2000, 200 and 500. Defaults to `None`.
        workers: Integer, number of processes. `None` for all processors.
            Defaults to `None`.

    Raises:
        ValueError: If `root` holds another version or other sizes, or files
            that are not of this data set.
        ImportError: If Pillow is not installed.
    """
    optional.load("PIL.Image", "`render`")
    root, sizes = pathlib.Path(root), dict(sizes or SIZES)
    rendered_folder.require_sizes(sizes)
    require_own(root)
    description = {
        "name": NAME,
        "version": VERSION,
        "sizes": sizes,
        "classes": list(CLASSES),
        "size": [HEIGHT, WIDTH],
    }
    if rendered_folder.begin(root, description):
        return
    for folder in (_ANNOTATIONS, *sizes):
        (root / folder).mkdir(exist_ok=True)
    jobs = [
        (str(root / split), _FIRST_SEED[split] + i)
        for split, number in sizes.items()
        for i in range(number)
    ]
    # All splits at once: processes take seconds to start.
    found = iter(rendered_folder.run(_render_one, jobs, workers))
    for split, number in sizes.items():
        content = _annotations(itertools.islice(found, number))
        path = root / _ANNOTATIONS / f"instances_{split}.json"
        partial.write_text(path, json.dumps(content))
    rendered_folder.end(root)


def require_own(root):
    """Refuses a folder unless it is empty, missing or rendered by `render`.

    Args:
        root: A `pathlib.Path` of the folder.

    Raises:
        ValueError: If files of others lie in the folder.
    """
    rendered_folder.require_own(
        root,
        NAME,
        dict.fromkeys([*SIZES, _ANNOTATIONS]),
        "Choose another folder for it.",
    )


def _render_one(job):
    """Writes an image, unless it is there; returns its objects."""
    folder, seed = job
    pixels, shapes = draw_image(seed)
    path = pathlib.Path(folder, _file_name(seed))
    if not path.exists():
        image = optional.load("PIL.Image", "`render`").fromarray(pixels)
        unfinished = path.with_suffix(f".{os.getpid()}.partial")
        image.save(unfinished, "JPEG", quality=95, subsampling=0)
        os.replace(unfinished, path)
    return seed, [_entry(shape) for shape in shapes]


def _file_name(seed):
    return f"{seed:010d}.jpg"


def _annotations(found):
    """Returns a file in COCO's format, as a dictionary."""
    images, annotations = [], []
    for seed, entries in found:
        size = {"height": HEIGHT, "width": WIDTH}
        images.append({"id": seed, "file_name": _file_name(seed), **size})
        for entry in entries:
            number = {"id": len(annotations) + 1, "image_id": seed}
            annotations.append({**number, **entry})
    joints = {"keypoints": JOINTS, "skeleton": [[1, 2], [1, 3], [2, 3]]}
    categories = [
        {"id": n, "name": name, **({} if "lamp" in name else joints)}
        for n, name in enumerate(CLASSES, 1)
    ]
    return {
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }


def _entry(shape):
    left, top, right, bottom = shape.box
    entry = {
        "category_id": shape.label + 1,
        "bbox": [left, top, right - left, bottom - top],
        "area": int(shape.mask.sum()),
        "iscrowd": 0,
        "segmentation": {"size": [HEIGHT, WIDTH], "counts": _runs(shape.mask)},
    }
    if shape.joints is not None:
        seen = np.full((len(JOINTS), 1), 2)
        points = np.concatenate([shape.joints.round(1), seen], axis=1)
        entry |= {"keypoints": points.ravel().tolist(), "num_keypoints": 3}
    return entry


def _runs(mask):
    """Returns the lengths of zeros and ones in turn, column by column."""
    flat = np.concatenate([[0], mask.ravel(order="F"), [0]])
    ends = np.flatnonzero(np.diff(flat))
    # The last pixel is a zero: shapes keep off the border.
    return np.diff([0, *ends, mask.size]).tolist()

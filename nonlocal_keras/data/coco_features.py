"""One image and its objects as features of a record, and back.

The names are those of Model Garden. It has none for keypoints; those of the
Object Detection API, whose records it reads, stand in for them.
"""

import numpy as np

from nonlocal_keras.data import coco_objects
from nonlocal_keras.data import image_file
from nonlocal_keras.data import segments
from nonlocal_keras.data.coco import make_image

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_BOX = tuple(f"image/object/bbox/{side}" for side in _SIDES)
_POINT = tuple(f"image/object/keypoint/{axis}" for axis in ("x", "y"))
_VISIBILITY = "image/object/keypoint/visibility"
_CLASS, _NAME = "image/object/class/label", "image/object/class/text"
_CROWD, _AREA = "image/object/is_crowd", "image/object/area"
_MASK = "image/object/mask"


def to_features(image, pixels, dataset):
    """Returns the features of an image.

    Args:
        image: A `nonlocal_keras.data.coco.CocoImage`.
        pixels: uint8 array `(height, width, 3)`, what its file shows.
        dataset: The `nonlocal_keras.data.coco.CocoDataset` that it is of.

    Returns:
        Dictionary from names to lists of bytes, integers or floats.
    """
    encoded, kind = image_file.plain_bytes(image.path, pixels)
    sides = np.array([image.width, image.height])
    corners = np.concatenate(
        [image.xywh[:, :2], image.xywh[:, :2] + image.xywh[:, 2:]], axis=1
    )
    features = {
        "image/encoded": [encoded],
        "image/format": [kind.encode()],
        "image/filename": [image.path.name.encode()],
        "image/source_id": [str(image.id).encode()],
        "image/height": [image.height],
        "image/width": [image.width],
        **dict(zip(_BOX, (corners / np.tile(sides, 2)).T.tolist())),
        _CLASS: [dataset.category_ids[label] for label in image.labels],
        _NAME: [dataset.class_names[label].encode() for label in image.labels],
        _CROWD: image.crowd.astype(int).tolist(),
        _AREA: image.areas.tolist(),
    }
    if any(segment is not None for segment in image.segments):
        features[_MASK] = [
            _png_of_mask(image, row) for row in range(len(image.labels))
        ]
    if dataset.keypoint_names:
        points = (image.keypoints[..., :2] / sides).reshape(-1, 2)
        features.update(zip(_POINT, points.T.tolist()))
        seen = image.keypoints[..., 2].astype(int)
        features[_VISIBILITY] = seen.ravel().tolist()
    return features


def from_features(features, labels, joints, note):
    """Returns an image and its pixels.

    Args:
        features: Dictionary from names to lists of bytes, integers or floats.
        labels: Dictionary from ids of categories to labels.
        joints: Integer, number of joints of an object.
        note: Function of two strings that counts a fault: what is wrong, and
            what is done about it.

    Returns:
        Tuple of a `nonlocal_keras.data.coco.CocoImage` without a path and a
        uint8 array `(height, width, 3)`.

    Raises:
        ValueError: If the image cannot be decoded, or its features do not fit
            each other.
    """
    (encoded,) = _column(features, "image/encoded", 1, bytes)
    pixels = image_file.decode_image(encoded, "image/encoded")
    height, width, _ = pixels.shape
    for key, side in (("image/height", height), ("image/width", width)):
        # Model Garden asks the image where a record does not tell.
        if features.get(key) not in (None, [], [-1], [side]):
            raise ValueError(f"{key} is not that of the image")
    entries = _entries(features, joints, height, width)
    objects = []
    for key, entry in zip(features.get(_CLASS, []), entries, strict=True):
        if key in labels:
            found = coco_objects.parse(
                entry, labels[key], joints, height, width, note
            )
            objects += [found] if found else []
        else:
            note("category id is not listed", "object skipped")
    (source_id,) = _column(features, "image/source_id", 1, bytes)
    name = source_id.decode(errors="replace")
    key = int(name) if name.isascii() and name.isdecimal() else name
    return make_image(key, None, height, width, objects, joints), pixels


def _entries(features, joints, height, width):
    """Returns what the annotations in a file of COCO would be."""
    number = len(features.get(_CLASS, []))
    scale = np.array([width, height, width, height])
    corners = [_column(features, key, number, float) for key in _BOX]
    corners = np.array(corners).reshape(4, number).T * scale
    sizes = corners[:, 2:] - corners[:, :2]
    columns = {
        "bbox": np.concatenate([corners[:, :2], sizes], axis=1).tolist(),
        "iscrowd": _column(features, _CROWD, number, int, optional=True),
        "area": _column(features, _AREA, number, float, optional=True),
        "segmentation": [
            png and _segmentation(png)
            for png in _column(features, _MASK, number, bytes, optional=True)
        ],
        "keypoints": [None] * number,
    }
    if joints and features.get(_VISIBILITY):
        axes = [
            _column(features, key, number * joints, kind)
            for key, kind in (*((k, float) for k in _POINT), (_VISIBILITY, int))
        ]
        points = np.stack(axes, axis=-1) * [width, height, 1]
        columns["keypoints"] = points.reshape(number, 3 * joints).tolist()
    return [dict(zip(columns, values)) for values in zip(*columns.values())]


def _column(features, key, number, kind, optional=False):
    """Returns a value per object, `None` for each if there may be none."""
    values = features.get(key, [])
    if optional and not values:
        return [None] * number
    if len(values) != number or not all(isinstance(v, kind) for v in values):
        raise ValueError(f"{key} has values of a wrong number or type")
    return values


def _segmentation(png):
    """Returns a run-length code; `None` for a mask without a pixel."""
    mask = image_file.decode_image(png, _MASK)[..., 0] > 0
    if not mask.any():
        return None
    (code,) = segments.codes_of_masks(mask[None])
    return {**code, "counts": code["counts"].decode("ascii")}


def _png_of_mask(image, row):
    mask = image.mask(row)
    if mask is None:
        # Every object of a record has a PNG, or none has.
        mask = np.zeros((image.height, image.width), bool)
    return image_file.encode_png(mask.astype(np.uint8))

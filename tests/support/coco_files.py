"""Draws photos, and files of annotations in the format of COCO for them."""

import json

import numpy as np
from PIL import Image

CATEGORIES = ({"id": 1, "name": "person"}, {"id": 38, "name": "kite"})


def image(number, height=40, width=60, **other):
    """Returns the entry of an image."""
    name = f"{number:03}.png"
    size = {"height": height, "width": width}
    return {"id": number, "file_name": name, **size, **other}


def thing(number, image_id=1, bbox=(8, 4, 16, 32), category_id=38, **other):
    """Returns the entry of an object, whose mask is its box."""
    x, y, w, h = bbox
    corners = [x, y, x + w, y, x + w, y + h, x, y + h]
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": list(bbox),
        "area": w * h,
        "iscrowd": 0,
        "segmentation": [corners],
        **other,
    }


def write(folder, images, things, categories=CATEGORIES, drawn=None):
    """Writes annotations and images into a folder.

    Args:
        folder: Path of an existing folder.
        images: Sequence of entries of images.
        things: Sequence of entries of objects.
        categories: Sequence of entries of categories.
        drawn: Sequence of the ids whose image files are written; `None` for
            all of them.

    Returns:
        Tuple of the paths of the annotations and of the folder of images.
    """
    photos = folder / "images"
    photos.mkdir(exist_ok=True)
    content = {
        "images": list(images),
        "annotations": list(things),
        "categories": list(categories),
    }
    (folder / "coco.json").write_text(json.dumps(content))
    for entry in images:
        if drawn is not None and entry["id"] not in drawn:
            continue
        size = entry["height"], entry["width"], 3
        pixels = np.full(size, entry["id"], np.uint8)
        Image.fromarray(pixels).save(photos / entry["file_name"])
    return folder / "coco.json", photos

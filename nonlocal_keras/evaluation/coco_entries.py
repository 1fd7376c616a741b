"""Objects and detections as the entries of COCO's files that hold them."""

import numpy as np

from nonlocal_keras.data import segments


def ground_truth(dataset, numbers, kind):
    """Returns what a file of annotations would hold.

    Ids are numbers of this package: images by their place in the data set,
    categories by label, objects from 1, since 0 means none to the library.

    Args:
        dataset: A `nonlocal_keras.data.coco.CocoDataset`.
        numbers: Sequence of integers, the places of the images.
        kind: String, `"boxes"`, `"masks"` or `"keypoints"`.
    """
    annotations, sizes = [], []
    for number in numbers:
        image = dataset.images[number]
        sizes.append(
            {"id": number, "height": image.height, "width": image.width}
        )
        for row in range(len(image.labels)):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": int(image.labels[row]),
                    "bbox": image.xywh[row].tolist(),
                    "area": float(image.areas[row]),
                    "iscrowd": int(image.crowd[row]),
                    **_OBJECTS[kind](image, row),
                }
            )
    names = enumerate(dataset.class_names)
    return {
        "images": sizes,
        "annotations": annotations,
        "categories": [{"id": label, "name": name} for label, name in names],
    }


def detections(found, kind):
    """Returns what a file of results would hold of each detection.

    Args:
        found: Array of boxes `(n, 4)` of left, top, right and bottom, of
            masks `(n, height, width)`, or of keypoints `(n, joints, 3)`.
        kind: String, `"boxes"`, `"masks"` or `"keypoints"`.

    Returns:
        List of dictionaries.
    """
    return _DETECTIONS[kind](found)


def _mask_of_object(image, row):
    segment = image.segments[row]
    size = image.height, image.width
    if segment is not None:
        return {"segmentation": segments.to_code(segment, *size)}
    # What is found in the box of an object whose mask is unknown is neither
    # right nor wrong: the meaning of a crowd.
    x, y, w, h = image.xywh[row]
    box = np.array([x, y, x + w, y, x + w, y + h, x, y + h])
    return {"segmentation": segments.to_code((box,), *size), "iscrowd": 1}


def _keypoints_of_object(image, row):
    keypoints = image.keypoints[row]
    return {
        "keypoints": keypoints.ravel().tolist(),
        "num_keypoints": int((keypoints[:, 2] > 0).sum()),
    }


def _found_boxes(boxes):
    corners = boxes.astype(np.float64)
    sizes = corners[:, 2:] - corners[:, :2]
    xywh = np.concatenate([corners[:, :2], sizes], axis=1)
    return [{"bbox": box} for box in xywh.tolist()]


def _found_masks(masks):
    codes = segments.codes_of_masks(masks > 0.5)
    return [{"segmentation": code} for code in codes]


def _found_keypoints(keypoints):
    rows = (joints.ravel().tolist() for joints in keypoints)
    return [{"keypoints": row} for row in rows]


_OBJECTS = {
    "boxes": lambda image, row: {},
    "masks": _mask_of_object,
    "keypoints": _keypoints_of_object,
}
_DETECTIONS = {
    "boxes": _found_boxes,
    "masks": _found_masks,
    "keypoints": _found_keypoints,
}

"""The outlines of objects: polygons and run-length codes of COCO.

A segment is what a file says, checked, in little memory: a tuple of polygons,
each a float64 array `(x1, y1, x2, y2, ...)` in pixels, or the dictionary of a
compressed run-length code. faster-coco-eval rasterizes and codes them, as
pycocotools does, to the pixel.
"""

import numpy as np

from nonlocal_keras import optional


def parse(value, height, width):
    """Checks the segmentation of an annotation.

    Args:
        value: Object of JSON: list of polygons, or dictionary of a run-length
            code, compressed or not.
        height: Integer, height of the image in pixels.
        width: Integer, its width.

    Returns:
        Tuple of the segment, `None` where nothing is left of it, and a list
        of strings that say what is wrong with the value.
    """
    if isinstance(value, dict):
        return _parse_code(value, height, width)
    if not isinstance(value, list):
        return None, ["mask is neither polygons nor a run-length code"]
    polygons, wrong = [], []
    for points in value:
        polygon = finite_numbers(points)
        fault = _fault_of_polygon(polygon, height, width)
        if fault:
            wrong.append(fault)
        else:
            polygons.append(polygon)
    return tuple(polygons) or None, wrong


def finite_numbers(value):
    """Returns a list of JSON as float64 array; `None` if it is none.

    Args:
        value: Object of JSON.
    """
    try:
        numbers = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
    whole = numbers.ndim == 1 and np.isfinite(numbers).all()
    return numbers if whole else None


def to_code(segment, height, width):
    """Returns the compressed run-length code of a segment.

    Args:
        segment: As `parse` returns it, not `None`.
        height: Integer, height of the image in pixels.
        width: Integer, its width.

    Returns:
        Dictionary with `"size"` and `"counts"`, the latter as bytes.

    Raises:
        ImportError: If faster-coco-eval is not installed.
    """
    if isinstance(segment, dict):
        return segment
    library = _library()
    polygons = [polygon.tolist() for polygon in segment]
    return library.merge(library.frPyObjects(polygons, height, width))


def to_mask(segment, height, width):
    """Returns the boolean mask `(height, width)` of a segment.

    Args:
        segment: As `parse` returns it, not `None`.
        height: Integer, height of the image in pixels.
        width: Integer, its width.

    Raises:
        ImportError: If faster-coco-eval is not installed.
    """
    return _library().decode(to_code(segment, height, width)).astype(bool)


def codes_of_masks(masks):
    """Returns the run-length code of each mask.

    Args:
        masks: Boolean array `(masks, height, width)`.

    Returns:
        List of dictionaries, as of `to_code`.

    Raises:
        ImportError: If faster-coco-eval is not installed.
    """
    columns = np.asfortranarray(masks.transpose(1, 2, 0), np.uint8)
    return _library().encode(columns)


def _library():
    return optional.load("faster_coco_eval.core.mask", "A mask")


def _parse_code(value, height, width):
    counts, size = value.get("counts"), finite_numbers(value.get("size"))
    if size is None or size.tolist() != [height, width]:
        return None, ["mask is of another size than the image"]
    library = _library()
    size = [height, width]
    try:
        if isinstance(counts, list):
            code = {"size": size, "counts": counts}
            code = library.frPyObjects(code, height, width)
        else:
            code = {"size": size, "counts": counts.encode("ascii")}
        # It is decoded once, or its faults would come up in training.
        library.decode(code)
    # Errors of several classes, from Python's and the binding's to C++'s.
    except Exception:
        return None, ["run-length code cannot be decoded"]
    return code, []


def _fault_of_polygon(polygon, height, width):
    if polygon is None or len(polygon) % 2:
        return "polygon is not pairs of finite numbers"
    if len(polygon) < 6:
        return "polygon has fewer than 3 points"
    points = polygon.reshape(-1, 2)
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    # The memory to draw an edge is as large as the edge is long.
    if min(left + width, top + height) < 0 or (
        max(right - 2 * width, bottom - 2 * height) > 0
    ):
        return "polygon reaches further out than the image is large"
    return None

"""What is known of an image, in the form in which detectors find it."""

import numpy as np


def ground_truth(image):
    """Returns the objects of an image as a detector would find them.

    Example:

    >>> dataset = nonlocal_keras.data.read_coco("coco.json", "images")
    >>> image, pixels = next(dataset.readable())
    >>> picture = nonlocal_keras.visualize.draw_detections(
    ...     pixels,
    ...     nonlocal_keras.visualize.ground_truth(image),
    ...     ("background", *dataset.class_names),
    ... )

    Args:
        image: A `nonlocal_keras.data.coco.CocoImage`.

    Returns:
        Dictionary of `boxes` `(objects, 4)` of left, top, right and bottom in
        pixels, `labels` `(objects,)`, 1 for the first class of the data set,
        and where there are such, `masks` `(objects, height, width)`, Booleans,
        false for an object without a mask, and `keypoints`
        `(objects, joints, 3)` of x, y and visibility.

    Raises:
        ImportError: If the image has masks and faster-coco-eval is not
            installed.
    """
    found = {"boxes": image.boxes, "labels": image.labels + 1}
    if any(segment is not None for segment in image.segments):
        masks = np.zeros((len(image.labels), image.height, image.width), bool)
        for row, segment in enumerate(image.segments):
            if segment is not None:
                masks[row] = image.mask(row)
        found["masks"] = masks
    if image.keypoints.shape[1]:
        found["keypoints"] = image.keypoints
    return found

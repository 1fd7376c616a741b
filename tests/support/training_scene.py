"""Two images with objects, drawn, as a detector is trained with them."""

import numpy as np

SIZES = ((128, 160), (128, 192))
# Pixels of a side of every object, and cells of its mask: one of the other.
SIDE = 48
KEYPOINTS = 5
COUNTS = (3, 2)
CLASSES = 4
# The losses of a detector, in the words of torchvision.
LOSSES = {
    "rpn_objectness_loss": "loss_objectness",
    "rpn_box_loss": "loss_rpn_box_reg",
    "class_loss": "loss_classifier",
    "box_loss": "loss_box_reg",
    "mask_loss": "loss_mask",
    "keypoint_loss": "loss_keypoint",
}


def draw(seed=4):
    """Draws images of noise, with squares in them.

    Args:
        seed: Integer. Defaults to `4`.

    Returns:
        List of uint8 images, and the targets as a dictionary of arrays, see
        `MaskRCNN.losses_of`. The second image has a row that is filling.
    """
    rng = np.random.default_rng(seed)
    number = max(COUNTS)
    images = [rng.integers(0, 256, (*size, 3), "uint8") for size in SIZES]
    corners = np.zeros((2, number, 2), int)
    for image, (height, width) in enumerate(SIZES):
        # Neither at the border nor, mostly, on each other.
        corners[image, :, 0] = rng.integers(1, width - SIDE, number)
        corners[image, :, 1] = rng.integers(1, height - SIDE, number)
    boxes = np.concatenate([corners, corners + SIDE], -1).astype("float32")
    labels = rng.integers(1, CLASSES, (2, number)).astype("int32")
    masks = rng.uniform(size=(2, number, SIDE, SIDE)) < 0.6
    # Some lie outside of their box.
    places = rng.uniform(-0.2, 1.2, (2, number, KEYPOINTS, 2)) * SIDE
    visible = rng.integers(0, 3, (2, number, KEYPOINTS, 1))
    places = places + corners[:, :, None]
    keypoints = np.concatenate([places, visible], -1).astype("float32")
    for image, count in enumerate(COUNTS):
        labels[image, count:] = 0
        boxes[image, count:] = 0
    return images, {
        "boxes": boxes,
        "labels": labels,
        "masks": masks.astype("uint8"),
        "keypoints": keypoints,
    }

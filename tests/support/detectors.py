"""A detector that is small enough for every test, and finds something.

And its zoo record.
"""

import numpy as np

from nonlocal_keras.models import ImageResNet
from nonlocal_keras.models import MaskRCNN
from tests.support.backends import BACKEND
from tests.support.random_weights import randomize

LABELS = ("background", "cat", "dog")
BACKBONE = {"stage_blocks": (1, 1, 1, 1), "width_per_group": 2}
HEADS = {
    "num_classes": 3,
    "num_keypoints": 2,
    "fpn_filters": 4,
    "box_units": 6,
    "mask_filters": (4,),
    "keypoint_filters": (4, 4),
    "pre_nms_top_n": 12,
    "post_nms_top_n": 8,
    "rpn_iou_threshold": 0.9,
    "iou_threshold": 0.9,
    "detections_per_image": 5,
    "min_size": 64,
    "max_size": 96,
}
_PREDICTIONS = ("rpn_objectness", "rpn_deltas", "box_class", "box_deltas")


def small(backbone=None, kind=MaskRCNN, **options):
    """A `MaskRCNN` with random weights.

    Args:
        backbone: Dictionary of arguments of its `ImageResNet`.
        kind: The class, `MaskRCNN` or one made from it.
        **options: Its arguments.
    """
    backbone = ImageResNet(**{**BACKBONE, **(backbone or {})})
    model = randomize(kind(backbone, **{**HEADS, **options}))
    for weight in model.weights:
        # Or all boxes would be empty, or beyond the image.
        if any(f"{part}/" in weight.path for part in _PREDICTIONS):
            weight.assign(0.003 * weight)
    return eager(model)


def eager(model):
    """The model, which TensorFlow need not trace for a few images."""
    if BACKEND == "tensorflow":
        model.run_eagerly = True
    return model


def images(*sizes):
    """Random images of the given heights and widths."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*size, 3), "uint8") for size in sizes]


def assert_equal(found, expected, **tolerance):
    """Two dictionaries of predictions hold the same."""
    assert found.keys() == expected.keys()
    for name in expected:
        for one, other in zip(found[name], expected[name], strict=True):
            np.testing.assert_allclose(one, other, **tolerance)


def record(name="mask_rcnn_tiny_test.local", **changes):
    """Fields of the record of `small()`, as `zoo.register` takes them."""
    return {
        "name": name,
        "task": "object_detection",
        "description": "Mask and Keypoint R-CNN of a test",
        "source": "made by a test",
        "license": "Apache-2.0",
        "parameters": 1,
        "macs": 1,
        "input": {
            "min_size": 64,
            "max_size": 96,
            "channels": "RGB",
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
        },
        "views": {},
        "labels": LABELS,
        "metrics": {
            "dataset": "test",
            "protocol": "one view",
            "box_ap": 0.25,
            "box_ap50": 0.5,
            "keypoint_ap": 0.125,
            "images": 100,
            "command": "python train.py",
        },
        **changes,
    }

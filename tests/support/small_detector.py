"""A detector that is small enough for every test, and what it learns from."""

import numpy as np

from nonlocal_keras.models import ImageResNet
from nonlocal_keras.models import MaskRCNN
from tests.support.backends import BACKEND

HEADS = {
    "num_classes": 3,
    "num_keypoints": 2,
    "fpn_filters": 4,
    "box_units": 6,
    "mask_filters": (4,),
    "keypoint_filters": (4, 4),
    "pre_nms_top_n": 12,
    "post_nms_top_n": 8,
    "min_size": 64,
    "max_size": 96,
}
# Arguments of `compile`.
SAMPLING = {
    "pre_nms_top_n": 20,
    "post_nms_top_n": 12,
    "rpn_samples": 32,
    "roi_samples": 8,
    "roi_positive_fraction": 0.5,
    "seed": 0,
}


def small(backbone=None, **options):
    """A detector with masks and keypoints."""
    backbone = {
        "stage_blocks": (1, 1, 1, 1),
        "width_per_group": 2,
        "normalization": "batch",
        **(backbone or {}),
    }
    return MaskRCNN(ImageResNet(**backbone), **{**HEADS, **options})


def compiled(model, optimizer="sgd", **options):
    """The model, which TensorFlow need not trace for a few steps."""
    options = {"run_eagerly": BACKEND == "tensorflow", **options}
    model.compile(optimizer, **{**SAMPLING, **options})
    return model


def batch(objects=3, height=64, width=96, images=2, seed=0):
    """Inputs and targets: noise, and objects anywhere in it."""
    rng = np.random.default_rng(seed)
    size = np.array([width, height])
    shape = (images, objects)
    low = rng.uniform(0, 0.5, (*shape, 2)) * size
    high = low + rng.uniform(0.2, 0.5, (*shape, 2)) * size
    points = rng.uniform(low[:, :, None], high[:, :, None], (*shape, 2, 2))
    visible = rng.integers(1, 3, (*shape, 2, 1))
    pixels = rng.normal(size=(images, height, width, 3))
    inputs = {
        "images": pixels.astype("float32"),
        "image_sizes": np.array([[height, width]] * images, "int32"),
    }
    return inputs, {
        "boxes": np.concatenate([low, high], -1).astype("float32"),
        "labels": rng.integers(1, 3, shape).astype("int32"),
        "masks": rng.integers(0, 2, (*shape, 8, 8)).astype("uint8"),
        "keypoints": np.concatenate([points, visible], -1).astype("float32"),
    }

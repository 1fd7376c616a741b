"""A classifier that is small enough for every test, and its zoo record."""

from nonlocal_keras import models

LABELS = ("left", "right", "still")


def classifier(**options):
    backbone = models.from_name(
        "nl_c2d_tiny", stem_width=4, input_shape=(4, 32, 32, 3)
    )
    return models.VideoClassifier(backbone, len(LABELS), **options)


def record(name="nl_c2d_tiny_test.local"):
    return {
        "name": name,
        "description": "NL-C2D ResNet-14 of a test",
        "source": "made by a test",
        "license": "Apache-2.0",
        "parameters": 1,
        "macs": 1,
        "input": {
            "frames": 4,
            "stride": 2,
            "size": 32,
            "short_side": 32,
            "channels": "RGB",
            "mean": [0.45, 0.45, 0.45],
            "std": [0.225, 0.225, 0.225],
        },
        "views": {
            "clips": 2,
            "crops": 1,
            "size": 32,
            "window": None,
            "average": "probabilities",
        },
        "labels": LABELS,
        "metrics": {
            "dataset": "test",
            "top1": 0.5,
            "interval": [0.4, 0.6],
            "videos": 100,
            "protocol": "1 x 1 views",
            "command": "python train.py",
        },
    }

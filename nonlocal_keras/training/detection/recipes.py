"""Training recipes of detectors."""

import dataclasses
import typing

from nonlocal_keras.training.recipe import Recipe


@dataclasses.dataclass(frozen=True, kw_only=True)
class DetectionRecipe(Recipe):
    """A recipe of detectors; the heads of a model are told by its name.

    The defaults are those with which Mask R-CNN was published, in the "1x"
    schedule of 12 epochs of COCO.

    Attributes:
        labels: String, `"class"` or `"category_id"`, see
            `nonlocal_keras.data.DetectionReader`. Defaults to `"class"`.
        short_sides: Tuple of integers, of which one is drawn for each image
            in training: its shorter side in pixels. Defaults to the six from
            640 to 800.
        min_size: Integer, the shorter side in tests. Defaults to `800`.
        max_size: Integer, the longest that the longer side may become.
            Defaults to `1333`.
        flip: Boolean, whether half of the images are mirrored. Defaults to
            `True`.
        rpn_samples: Integer, anchors of an image that are learned from.
            Defaults to `256`.
        roi_samples: Integer, proposals of an image that are learned from.
            Defaults to `512`.
        roi_positive_fraction: Float, the part of them that is positive at
            most. Defaults to `0.25`.
        proposals: Integer, of an image in training, and at most of a level.
            Defaults to `2000`.
        normalization: String, `"frozen"` or `"batch"`, see
            `nonlocal_keras.models.ImageResNet`; pyramid, box and mask head
            have the same where it is `"batch"`. Defaults to `"frozen"`.
        frozen_stages: Tuple of strings out of `"conv1"` and `"res2"` to
            `"res5"`, stages of the backbone that keep the weights that `init`
            gave them. Defaults to `("conv1", "res2")`, as in Detectron.
    """

    task: typing.ClassVar[str] = "detection"

    steps: int = 90_000
    batch_size: int = 16
    optimizer: str = "momentum"
    learning_rate: float = 0.02
    schedule: object = (2 / 3, 8 / 9)
    warmup_steps: int = 1000
    epochs: int = 12
    labels: str = "class"
    short_sides: tuple = tuple(range(640, 801, 32))
    min_size: int = 800
    max_size: int = 1333
    flip: bool = True
    rpn_samples: int = 256
    roi_samples: int = 512
    roi_positive_fraction: float = 0.25
    proposals: int = 2000
    normalization: str = "frozen"
    frozen_stages: tuple = ("conv1", "res2")


# The benchmark that the package renders itself (docs/detection.md).
_LONGRANGE_SHAPES = DetectionRecipe(
    models=("nl_mask_rcnn_tiny_fpn", "mask_rcnn_tiny_fpn"),
    dataset="longrange_shapes",
    short_sides=(96,),
    min_size=96,
    max_size=256,
    rpn_samples=64,
    roi_samples=32,
    roi_positive_fraction=0.5,
    proposals=100,
    steps=600,
    batch_size=16,
    optimizer="adamw",
    learning_rate=3e-3,
    schedule="cosine",
    warmup_steps=50,
    weight_decay=1e-2,
    normalization="batch",
    epochs=5,
    render_sizes=(2000, 200, 500),
)


def _coco(model, schedule):
    """Tables 5 and 6 of the paper, which trains as Mask R-CNN was."""
    long = {"1x": 1, "2x": 2}[schedule]
    return DetectionRecipe(
        models=(model,),
        dataset="coco",
        labels="category_id",
        init="imagenet",
        steps=90_000 * long,
        epochs=12 * long,
    )


RECIPES = {
    "longrange_shapes": _LONGRANGE_SHAPES,
    **{
        f"{model}_coco{suffix}": _coco(model, schedule)
        for model in (
            "mask_rcnn_r50_fpn",
            "nl_mask_rcnn_r50_fpn",
            "mask_rcnn_r101_fpn",
            "nl_mask_rcnn_r101_fpn",
            "mask_rcnn_x152_fpn",
            "nl_mask_rcnn_x152_fpn",
            "keypoint_rcnn_r101_fpn",
            "nl4_keypoint_rcnn_r101_fpn",
            "nl_keypoint_rcnn_r101_fpn",
        )
        for suffix, schedule in (("", "1x"), ("_2x", "2x"))
    },
}

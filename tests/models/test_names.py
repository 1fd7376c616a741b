"""Models by name: which kind, and which blocks."""

import pytest

from nonlocal_keras import models
from nonlocal_keras.models.detection import variants

SMALL = {"stage_blocks": (1, 1, 2, 1), "width_per_group": 2, "fpn_filters": 4}
HEADS = {"mask_filters": (4,), "keypoint_filters": (4,) * 8, "box_units": 4}


@pytest.mark.parametrize(
    "name, description",
    [
        ("faster_rcnn_r50_fpn", "Faster R-CNN on ResNet-17: no non-local"),
        (
            "nl_keypoint_rcnn_r50_fpn",
            "NL Keypoint R-CNN with 4 non-local blocks in its head on "
            "ResNet-17: 1 non-local block at res4[0]",
        ),
    ],
)
def test_a_name_tells_the_kind_and_the_blocks(name, description):
    model = models.from_name(name, **SMALL, **HEADS)
    assert model.describe().startswith(description)


def test_overrides_go_to_the_backbone_and_to_the_heads():
    model = models.from_name(
        "nl_mask_rcnn_r50_fpn",
        non_local={"res4": (1,)},
        non_local_options={"pairwise": "dot_product"},
        min_size=400,
        dtype="mixed_bfloat16",
        **SMALL,
        **HEADS,
    )
    block = model.backbone.get_layer("nonlocal_res4_1")
    assert (block.pairwise, block.compute_dtype) == ("dot_product", "bfloat16")
    assert model.get_config()["min_size"] == 400


def test_other_overrides_are_refused():
    with pytest.raises(ValueError, match="An override of 'mask_rcnn_r50_fpn'"):
        models.from_name("mask_rcnn_r50_fpn", family="tiny")


def test_every_name_has_a_depth():
    depths = {
        size: 3 * sum(options["stage_blocks"]) + 2
        for size, options in variants.BACKBONES.items()
    }
    published = {"r50": 50, "r101": 101, "x101": 101, "x152": 152}
    assert depths == {**published, "tiny": 14}


@pytest.mark.parametrize("name", ["nl5_mask_rcnn_r50_fpn", "mask_rcnn_r18_fpn"])
def test_other_names_are_refused(name):
    with pytest.raises(
        ValueError, match="`name` must be of the form"
    ) as caught:
        models.from_name(name)
    assert "[nl_]{faster|mask|keypoint}_rcnn_" in str(caught.value)
    assert f"Received: name={name!r}" in str(caught.value)

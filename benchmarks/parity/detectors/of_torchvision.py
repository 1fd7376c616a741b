"""Full-width detectors of torchvision, which resizes in its models."""

import functools

import torch
from torchvision.models import detection
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops.misc import FrozenBatchNorm2d

# How the first releases were trained: they have no epsilon.
_FIRST = {"norm_layer": functools.partial(FrozenBatchNorm2d, eps=0.0)}


def _released(kind, **options):
    return kind(weights=None, weights_backbone=None, **options)


def _first(kind, **options):
    backbone = resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, **_FIRST
    )
    return kind(backbone, **options)


def _resnet101(kind, **options):
    backbone = resnet_fpn_backbone(backbone_name="resnet101", weights=None)
    return kind(backbone, num_classes=91, **options)


_of_coco = functools.partial(_first, num_classes=91)
_of_persons = functools.partial(_first, num_classes=2, num_keypoints=17)

# name -> (file, as published where it is; how it is made, of which kind)
CASES = {
    "torchvision_faster_r50": (
        "fasterrcnn_resnet50_fpn_coco-258fb6c6.pth",
        _of_coco,
        detection.FasterRCNN,
    ),
    "torchvision_faster_r50_v2": (
        "fasterrcnn_resnet50_fpn_v2_coco.pth",
        _released,
        detection.fasterrcnn_resnet50_fpn_v2,
    ),
    "torchvision_mask_r50": (
        "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth",
        _of_coco,
        detection.MaskRCNN,
    ),
    "torchvision_mask_r50_v2": (
        "maskrcnn_resnet50_fpn_v2_coco.pth",
        _released,
        detection.maskrcnn_resnet50_fpn_v2,
    ),
    "torchvision_mask_r101": (
        "maskrcnn_resnet101_fpn.pth",
        _resnet101,
        detection.MaskRCNN,
    ),
    "torchvision_keypoint_r50": (
        "keypointrcnn_resnet50_fpn_coco-fc266e95.pth",
        _of_persons,
        detection.KeypointRCNN,
    ),
}


class Peer:
    """One of them, as `make.py` uses it."""

    source = "torchvision"
    whole_pixels = True
    resizes_inside = True

    def __init__(self, name, **sizes):
        self.file, build, kind = CASES[name]
        self.net = build(kind, **sizes).eval()

    def predict(self, images):
        """Returns what it finds, see `found`."""
        images = [torch.from_numpy(x).permute(2, 0, 1) / 255 for x in images]
        with torch.no_grad():
            results = self.net(images)
        for one in results:
            if "masks" in one:
                one["masks"] = one["masks"][:, 0]
            if "keypoints" in one:
                one["keypoints"] = one["keypoints"][..., :2]
                one["keypoint_scores"] = one.pop("keypoints_scores")
        return results

    def save(self, path):
        """Writes its file."""
        torch.save(self.net.state_dict(), path)

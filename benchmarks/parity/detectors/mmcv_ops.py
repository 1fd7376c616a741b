"""Stands in for the compiled operations of mmcv, by those of torchvision.

mmcv-lite, which a package index has for every Python and torch, comes without
them; Mask R-CNN needs two. All others are names that raise when they are used.
"""

import sys
import types

import mmcv
import torch
import torchvision

_IMPORTED = [
    f"mmcv.ops.{name}"
    for name in (
        "carafe",
        "merge_cells",
        "modulated_deform_conv",
        "multi_scale_deform_attn",
        "nms",
        "roi_align",
    )
]


class RoIAlign(torch.nn.Module):
    """As `mmcv.ops.RoIAlign`."""

    def __init__(
        self, output_size, spatial_scale=1.0, sampling_ratio=0, aligned=True
    ):
        super().__init__()
        if not isinstance(output_size, tuple):
            output_size = (output_size, output_size)
        self.output_size = output_size
        self.options = (spatial_scale, sampling_ratio, aligned)

    def forward(self, features, rois):
        return torchvision.ops.roi_align(
            features, rois, self.output_size, *self.options
        )


def batched_nms(boxes, scores, idxs, nms_cfg, class_agnostic=False):
    """As `mmcv.ops.batched_nms` of up to 10,000 boxes: moved apart by class."""
    if len(boxes) >= 10_000:
        raise ValueError("So many boxes mmcv takes class by class.")
    if len(boxes):
        moved = idxs.to(boxes) * (boxes.max() + 1)
        moved = boxes if class_agnostic else boxes + moved[:, None]
        keep = torchvision.ops.nms(moved, scores, nms_cfg["iou_threshold"])
    else:
        keep = torch.zeros(0, dtype=torch.long)
    if nms_cfg.get("max_num", -1) > 0:
        keep = keep[: nms_cfg["max_num"]]
    return torch.cat([boxes[keep], scores[keep, None]], 1), keep


class _Missing:
    def __init__(self, *arguments, **options):
        raise NotImplementedError("mmcv-lite has no such operation")


class _Operations(types.ModuleType):
    __path__ = ()
    RoIAlign = RoIAlign
    batched_nms = staticmethod(batched_nms)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Missing


def install():
    """Puts the operations where mmdetection imports them."""
    mmcv.ops = sys.modules["mmcv.ops"] = _Operations("mmcv.ops")
    for name in _IMPORTED:
        sys.modules[name] = _Operations(name)

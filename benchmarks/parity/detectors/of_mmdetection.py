"""Full-width detectors of mmdetection, from its own configurations."""

import pathlib

import mmcv_ops

mmcv_ops.install()

import mmcv  # noqa: E402
import mmdet  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from mmdet.models.roi_heads.mask_heads import fcn_mask_head  # noqa: E402
from mmdet.registry import MODELS  # noqa: E402
from mmdet.structures import DetDataSample  # noqa: E402
from mmdet.utils import register_all_modules  # noqa: E402
from mmengine.config import Config  # noqa: E402
from soft_masks import draw_masks  # noqa: E402

_CONFIGS = pathlib.Path(mmdet.__file__).parent / ".mim/configs"

# name -> its configuration
CASES = {
    "mmdetection_mask_r50": "mask_rcnn/mask-rcnn_r50_fpn_1x_coco.py",
    "mmdetection_mask_r101": "mask_rcnn/mask-rcnn_r101_fpn_1x_coco.py",
    "mmdetection_mask_r50_caffe": (
        "mask_rcnn/mask-rcnn_r50-caffe_fpn_1x_coco.py"
    ),
    "mmdetection_gc_r50": (
        "gcnet/mask-rcnn_r50-syncbn-gcb-r16-c3-c5_fpn_1x_coco.py"
    ),
}


class Peer:
    """One of them, as `make.py` uses it."""

    source = "mmdetection"
    whole_pixels = False
    resizes_inside = False

    def __init__(self, name, min_size, max_size):
        self.scale = (max_size, min_size)
        register_all_modules()
        path = _CONFIGS / CASES[name]
        self.file = f"{path.stem}.pth"
        config = Config.fromfile(path)
        self.text = config.dump()
        # Random weights are drawn later, on one processor.
        config.model.backbone.init_cfg = None
        if config.model.backbone.norm_cfg.type == "SyncBN":
            config.model.backbone.norm_cfg.type = "BN"
        self.net = MODELS.build(config.model).eval()
        self.net.roi_head.mask_head.register_forward_hook(self._keep_masks)

    def _keep_masks(self, module, inputs, outputs):
        del module, inputs
        self.masks = outputs

    def resize(self, image):
        """Returns an image as the project resizes it, by OpenCV."""
        return mmcv.imrescale(image, self.scale)

    def predict(self, images, originals=None):
        """Returns what it finds, see `found`.

        Args:
            images: List of uint8 RGB arrays of the size that it takes.
            originals: List of their heights and widths before they were
                resized. Defaults to `None`, those of the images.
        """
        sizes = [image.shape[:2] for image in images]
        samples = [
            DetDataSample(
                metainfo={
                    "img_shape": size,
                    "ori_shape": original,
                    # Of width and height.
                    "scale_factor": np.divide(size, original)[::-1].tolist(),
                }
            )
            for size, original in zip(sizes, originals or sizes)
        ]
        # Files are read as BGR.
        inputs = [
            torch.from_numpy(image[..., ::-1].copy()).permute(2, 0, 1)
            for image in images
        ]
        data = {"inputs": inputs, "data_samples": samples}
        with torch.no_grad():
            data = self.net.data_preprocessor(data, False)
            results = self.net.predict(
                data["inputs"], data["data_samples"], rescale=True
            )
        results = [result.pred_instances for result in results]
        masks = self.masks.split([len(result) for result in results])
        return [
            {
                "boxes": one.bboxes,
                "labels": one.labels + 1,
                "scores": one.scores,
                "masks": draw_masks(
                    fcn_mask_head._do_paste_mask,
                    mask[range(len(one)), one.labels].sigmoid(),
                    one.bboxes,
                    size,
                ),
            }
            for one, mask, size in zip(results, masks, originals or sizes)
        ]

    def save(self, path):
        """Writes its file."""
        state = self.net.state_dict()
        torch.save({"state_dict": state, "meta": {"cfg": self.text}}, path)

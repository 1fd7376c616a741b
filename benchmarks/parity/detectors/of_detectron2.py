"""Full-width detectors of detectron2, from its own configurations.

`DETECTRON2` names a checkout: the package index does not have it. Nothing of
it is compiled: its rotated boxes and deformable convolutions are not used.
"""

import os
import pathlib
import pickle
import sys
import types

CHECKOUT = pathlib.Path(os.environ["DETECTRON2"])
sys.path.insert(0, str(CHECKOUT))
sys.modules["detectron2._C"] = types.ModuleType("detectron2._C")

import detectron2  # noqa: E402

detectron2._C = sys.modules["detectron2._C"]

import torch  # noqa: E402
from detectron2.config import get_cfg  # noqa: E402
from detectron2.data.transforms import ResizeShortestEdge  # noqa: E402
from detectron2.layers import mask_ops  # noqa: E402
from detectron2.modeling import build_model  # noqa: E402
from detectron2.modeling import postprocessing  # noqa: E402
from soft_masks import draw_masks  # noqa: E402

_MASK = "COCO-InstanceSegmentation/mask_rcnn_{}_FPN_3x.yaml"
_POINTS = "COCO-Keypoints/keypoint_rcnn_{}_FPN_3x.yaml"
_X152 = {"MODEL.RESNETS.DEPTH": 152}

# name -> (its configuration, what is changed)
CASES = {
    "detectron2_mask_r50": (_MASK.format("R_50"), {}),
    "detectron2_mask_r101": (_MASK.format("R_101"), {}),
    "detectron2_keypoint_r50": (_POINTS.format("R_50"), {}),
    "detectron2_mask_x101": (_MASK.format("X_101_32x8d"), {}),
    # As deep as that of tables 5 and 6; its own configuration is a cascade.
    "detectron2_mask_x152": (_MASK.format("X_101_32x8d"), _X152),
}


class Peer:
    """One of them, as `make.py` uses it."""

    source = "detectron2"
    whole_pixels = False
    resizes_inside = False

    def __init__(self, name, min_size, max_size):
        self.rule = ResizeShortestEdge([min_size] * 2, max_size)
        path, changes = CASES[name]
        # Those of the model zoo are `.pkl`, those of its trainer `.pth`.
        ending = ".pth" if "keypoint" in name else ".pkl"
        self.file = pathlib.Path(path).stem + ending
        config = get_cfg()
        config.merge_from_file(str(CHECKOUT / "configs" / path))
        config.MODEL.DEVICE = "cpu"
        config.merge_from_list([x for pair in changes.items() for x in pair])
        self.net = build_model(config).eval()

    def resize(self, image):
        """Returns an image as the project resizes it, by Pillow."""
        return self.rule.get_transform(image).apply_image(image)

    def predict(self, images, originals=None):
        """Returns what it finds, see `found`.

        Args:
            images: List of uint8 RGB arrays of the size that it takes.
            originals: List of their heights and widths before they were
                resized. Defaults to `None`, those of the images.
        """
        # Files are read as BGR.
        inputs = [
            {"image": torch.from_numpy(x[..., ::-1].copy()).permute(2, 0, 1)}
            for x in images
        ]
        with torch.no_grad():
            results = self.net.inference(inputs, do_postprocess=False)
        originals = originals or [image.shape[:2] for image in images]
        return [_read(*pair) for pair in zip(results, originals)]

    def save(self, path):
        """Writes its file."""
        state = self.net.state_dict()
        if path.suffix == ".pth":
            torch.save({"model": state, "iteration": 1}, path)
            return
        state = {name: tensor.numpy() for name, tensor in state.items()}
        with path.open("wb") as file:
            pickle.dump({"model": state, "__author__": "parity"}, file)


def _read(result, size):
    """Returns a result in the form of `found`."""
    # Masks are cut at one half where they are drawn: so these are drawn again.
    masks = result.pred_masks[:, 0] if result.has("pred_masks") else None
    number = len(result)
    result = postprocessing.detector_postprocess(result, *size)
    if len(result) < number:
        raise ValueError("A box without an area was left out: masks differ.")
    boxes = result.pred_boxes.tensor
    one = {
        "boxes": boxes,
        "labels": result.pred_classes + 1,
        "scores": result.scores,
    }
    if masks is not None:
        paste = mask_ops._do_paste_mask
        one["masks"] = draw_masks(paste, masks, boxes, size)
    if result.has("pred_keypoints"):
        one["keypoints"] = result.pred_keypoints[..., :2]
    return one

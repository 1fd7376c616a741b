"""What each source of detectors has that its files do not tell.

|          | torchvision | detectron2 | mmdetection | mmdet. 1   | Detectron  |
|----------|-------------|------------|-------------|------------|------------|
| images   | RGB         | BGR        | RGB or BGR  | RGB or BGR | BGR        |
| stride   | 3x3         | 1x1; 3x3 in ResNeXts; in mmdetection 3x3 for RGB   |
| backgr.  | first class | last       | last        | first      | first      |
| anchors  | rounded     | exact      | exact       | rounded,+1 | scaled, +1 |
| distance | from image  | the strides of the levels                          |
| boxes    | half off    | aligned    | aligned     | half off   | half off   |
| points   | 2 x 2       | positions  | positions   | 2 x 2      | 2 x 2      |

"distance": from anchor to anchor. "boxes", "points": where features of boxes
are read, and how many times per cell (`nonlocal_keras.ops.roi_align`).
"+1": the last pixel of a box counts to it, so that a box from 0 to 3 is 4
pixels wide. Here it ends at 4, which is the same box.
"""

import dataclasses
import re

import numpy as np

from nonlocal_keras.convert import detector_layout as layout
from nonlocal_keras.convert import detector_name_maps as maps
from nonlocal_keras.models.detection import anchors
from nonlocal_keras.models.detection.fpn import STRIDES

_EXACT = {
    "anchor_strides": STRIDES,
    "roi_aligned": True,
    "roi_sampling_ratio": None,
}
_PLUS_ONE = {"anchor_strides": STRIDES}


@dataclasses.dataclass
class Published:
    """What a source has that its files do not tell.

    Attributes:
        backbone: Dictionary, arguments of `ImageResNet`. Defaults to `{}`.
        head: Dictionary, arguments of `MaskRCNN`. Defaults to `{}`.
        place_anchors: Function of sizes of one level, aspect ratios and the
            stride of the level that returns boxes `(anchors, 4)`. Defaults to
            `None`, those of torchvision.
        bgr: Boolean, whether images are in BGR. Defaults to `False`.
        background_last: Boolean. Defaults to `False`.
        affine: Boolean, whether normalizations are a scale and an offset.
            Defaults to `False`.
        notes: List of strings, what was taken from where. Defaults to `[]`.
    """

    backbone: dict = dataclasses.field(default_factory=dict)
    head: dict = dataclasses.field(default_factory=dict)
    place_anchors: object = None
    bgr: bool = False
    background_last: bool = False
    affine: bool = False
    notes: list = dataclasses.field(default_factory=list)

    def arrange(self, tensors):
        """Turns the tensors of a file into those of the model."""
        if self.bgr:
            layout.take_rgb(tensors)
        if self.background_last:
            layout.put_background_first(tensors)
        if self.affine:
            layout.add_statistics(tensors)


def published(tensors, file, metadata, bgr=None):
    """Finds out what the source of a file has that it does not tell.

    Args:
        tensors: `nonlocal_keras.convert.assign.Tensors` of the file.
        file: String, the name of the file, without its folder.
        metadata: Dictionary of what else is in the file.
        bgr: Boolean, whether images are in BGR, if the user says it. Defaults
            to `None`.

    Returns:
        `Published`.
    """
    found = _FINDERS[tensors.name_map.name](tensors, file, metadata, bgr)
    if bgr is not None:
        found.bgr = bgr
    return found


def _torchvision(tensors, file, metadata, bgr):
    del tensors, metadata, bgr
    found = Published()
    if _WITHOUT_EPSILON.fullmatch(file):
        found.backbone["epsilon"] = 0.0
        found.notes.append("epsilon: 0.0, from the name of the file")
    return found


# Files that torchvision publishes as COCO_V1, by what their names end in, and
# loads into normalizations without an epsilon.
_WITHOUT_EPSILON = re.compile(r".*-(bf2d0c1e|fc266e95|258fb6c6)\.pth")


def _detectron2(tensors, file, metadata, bgr):
    del file, metadata, bgr
    found = Published(
        backbone={"strided": "1x1"},
        head={**_EXACT, "rpn_ranking": "logit", **_pixels(maps.IMAGENET_MEAN)},
        place_anchors=exact_anchors,
        bgr=True,
        background_last=True,
    )
    if _is_grouped(tensors):
        found.backbone["strided"] = "3x3"
        found.head |= _pixels(maps.IMAGENET_MEAN, maps.IMAGENET_STD)
    # Files of today do not have these.
    mean, std = (_vector(tensors, f"pixel_{n}", 3) for n in ("mean", "std"))
    if mean is not None and std is not None:
        found.head |= _pixels(mean[::-1], std[::-1])
        found.notes.append("mean, std: from the file")
    cells = [
        tensors.arrays.get(
            f"proposal_generator.anchor_generator.cell_anchors.{level}"
        )
        for level in range(len(STRIDES))
    ]
    if all(cell is not None and cell.shape[1:] == (4,) for cell in cells):
        if len({len(cell) for cell in cells}) == 1:
            boxes = np.stack(cells).astype("float64").tolist()
            found.head["anchor_boxes"] = boxes
            found.notes.append("anchor_boxes: from the file")
    return found


def _vector(tensors, name, size):
    array = tensors.arrays.get(name)
    if array is None or array.size != size:
        return None
    return tuple(array.astype("float64").ravel().tolist())


def _mmdetection(tensors, file, metadata, bgr):
    found = Published(
        head=dict(_EXACT), place_anchors=exact_anchors, background_last=True
    )
    return _in_style(found, tensors, file, metadata, bgr)


def _mmdetection_1(tensors, file, metadata, bgr):
    found = Published(head=dict(_PLUS_ONE), place_anchors=rounded_anchors)
    return _in_style(found, tensors, file, metadata, bgr)


def _in_style(found, tensors, file, metadata, bgr):
    """Adds the images and strides of mmdetection: PyTorch's, or Caffe's."""
    where = "as asked for"
    if bgr is None:
        text = _config(metadata)
        if re.search(r"(to_rgb|bgr_to_rgb)\s*=\s*(True|False)", text):
            where = "from the configuration in the file"
            bgr = not re.search(r"to_rgb\s*=\s*True", text)
        else:
            # Weights of Caffe and Caffe2: others are of PyTorch.
            bgr = "caffe" in file or "32x8d" in file
            where = "from the name of the file"
            if not bgr:
                where = "the default; bgr=True if it began in Caffe's style"
    name = "BGR" if bgr else "RGB"
    found.notes.append(f"images: {name}, {where}")
    if bgr:
        found.bgr = True
        # The ResNeXt of detectron2 has no other in BGR.
        grouped = _is_grouped(tensors)
        std = maps.IMAGENET_STD if grouped else None
        found.backbone["strided"] = "3x3" if grouped else "1x1"
        found.head |= _pixels(maps.IMAGENET_MEAN, std)
    return found


def _config(metadata):
    meta = metadata.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    texts = (metadata.get("cfg"), meta.get("cfg"), meta.get("config"))
    return "\n".join(text for text in texts if isinstance(text, str))


def _detectron(tensors, file, metadata, bgr):
    del file, metadata, bgr
    grouped = _is_grouped(tensors)
    return Published(
        backbone={"strided": "3x3" if grouped else "1x1", "epsilon": 0.0},
        head={**_PLUS_ONE, "roi_shrink": 1.0, **_pixels(maps.CAFFE_MEAN)},
        place_anchors=detectron_anchors,
        bgr=True,
        affine=True,
    )


_FINDERS = {
    maps.TORCHVISION.name: _torchvision,
    maps.DETECTRON2.name: _detectron2,
    maps.MMDETECTION.name: _mmdetection,
    maps.MMDETECTION_1.name: _mmdetection_1,
    maps.DETECTRON.name: _detectron,
}


def _is_grouped(tensors):
    name = "res2_0_branch2b.kernel"
    shape = tensors.shapes().get(name, ())
    return len(shape) > 1 and shape[0] != shape[1]


def _pixels(mean, std=None):
    """Returns the arguments of RGB images from 0 to 1."""
    std = std or (1.0, 1.0, 1.0)
    return {
        "mean": tuple(value / 255 for value in mean),
        "std": tuple(value / 255 for value in std),
    }


def exact_anchors(sizes, aspect_ratios, stride):
    """Returns the anchors of detectron2 and mmdetection around the corner."""
    del stride
    sizes, ratios = _grid(sizes, aspect_ratios)
    return _around(0.0, sizes / np.sqrt(ratios), sizes * np.sqrt(ratios))


def rounded_anchors(sizes, aspect_ratios, stride):
    """Returns the anchors of mmdetection 1, corners rounded."""
    sizes, ratios = _grid(sizes, aspect_ratios)
    middle = 0.5 * (stride - 1)
    widths, heights = sizes / np.sqrt(ratios), sizes * np.sqrt(ratios)
    boxes = np.round(_around(middle, widths - 1, heights - 1))
    return boxes + [0, 0, 1, 1]


def detectron_anchors(sizes, aspect_ratios, stride):
    """Returns the anchors of Detectron, rounded before they are scaled."""
    sizes, ratios = _grid(sizes, aspect_ratios)
    widths = np.round(np.sqrt(stride**2 / ratios))
    heights = np.round(widths * ratios)
    scales = sizes / stride
    return _around(0.5 * stride, widths * scales, heights * scales)


def _grid(sizes, aspect_ratios):
    """Returns all pairs, the sizes of one ratio after each other."""
    ratios, sizes = np.meshgrid(aspect_ratios, sizes, indexing="ij")
    return sizes.ravel().astype("float64"), ratios.ravel()


def _around(center, widths, heights):
    corners = np.stack([-widths, -heights, widths, heights], axis=1)
    return center + corners / 2


def anchor_boxes(place, sizes, aspect_ratios):
    """Returns the anchors of all levels as nested tuples, or `None`.

    Args:
        place: Function, as in `Published`, or `None`.
        sizes: As for `MaskRCNN`, or `None` for the usual ones.
        aspect_ratios: As for `MaskRCNN`, or `None` for the usual ones.
    """
    if place is None:
        return None
    sizes = anchors.SIZES if sizes is None else sizes
    ratios = anchors.ASPECT_RATIOS if aspect_ratios is None else aspect_ratios
    return tuple(
        tuple(map(tuple, place(of_level, ratios, stride).tolist()))
        for of_level, stride in zip(sizes, STRIDES)
    )

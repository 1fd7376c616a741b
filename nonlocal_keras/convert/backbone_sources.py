"""What 2D networks of ImageNet have that their files do not tell.

|                     | pixels            | stride | normalization     |
|---------------------|-------------------|--------|-------------------|
| torchvision         | RGB over a std    | 3x3    | statistics        |
| keras.applications  | BGR to 255        | 1x1    | biases before it  |
| MSRA, Detectron     | BGR to 255        | 1x1    | scale and offset  |
| ResNeXt, Detectron  | BGR to 255        | 3x3    | scale and offset  |
| MSRA, detectron2    | BGR to 255        | 1x1    | statistics        |
| ResNeXt, detectron2 | BGR over a std    | 3x3    | statistics        |
| authors, PySlowFast | RGB, those of clips | 3x3  | statistics        |

The files of MSRA and the ResNeXts are `R-50.pkl`, `R-101.pkl`,
`X-101-32x8d.pkl` and the like. Those that detectron2 made of torchvision's
have names of their own. Only the name of the file tells the statistics of MSRA
from those of the authors.
"""

import dataclasses
import re

from nonlocal_keras.convert import detector_name_maps as detectors
from nonlocal_keras.convert import name_maps
from nonlocal_keras.convert import name_words as words
from nonlocal_keras.convert.name_map import ConversionError
from nonlocal_keras.convert.name_map import NameMap
from nonlocal_keras.convert.name_map import choose_map
from nonlocal_keras.convert.pixels import OF_CLIPS
from nonlocal_keras.convert.pixels import OF_KERAS
from nonlocal_keras.convert.pixels import Pixels

OF_IMAGENET = Pixels((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
OF_CAFFE = Pixels.of_bytes(detectors.CAFFE_MEAN)
OF_RESNEXT = Pixels.of_bytes(detectors.IMAGENET_MEAN, detectors.IMAGENET_STD)

CAFFE2 = NameMap(
    name="Caffe2 blobs",
    words={
        "stage": words.FROM_2,
        "conv": {"2a": "2a", "2b": "2b", "2c": "2c"},
        "bn": {
            **words.CAFFE2_BN,
            "gamma": "gamma",
            "beta": "beta",
            "running_mean": "moving_mean",
            "running_var": "moving_variance",
        },
        "value": {"w": "kernel", "b": "bias"},
        "head": {"pred": "pred", "fc1000": "pred"},
    },
    rows=(
        ("conv1_w", "conv1.kernel"),
        ("res_conv1_bn_{bn}", "conv1_bn.{bn}"),
        ("conv1_bn_{bn}", "conv1_bn.{bn}"),
        ("res{stage}_{block}_branch{conv}_w", words.CONV_OF_BLOCK),
        ("res{stage}_{block}_branch{conv}_bn_{bn}", words.BN_OF_BLOCK),
        ("res{stage}_{block}_branch1_w", words.SHORTCUT),
        ("res{stage}_{block}_branch1_bn_{bn}", words.BN_OF_SHORTCUT),
        ("{head}_{value}", "{head}.{value}"),
    ),
    skipped=(
        (".*_momentum", "the momentum of the optimizer"),
        ("conv1_b", "of no use where a normalization follows"),
        ("lr|model_iter|weight_order", "a setting of the training"),
    ),
)
MAPS = (
    name_maps.TORCHVISION,
    name_maps.KERAS_APPLICATIONS,
    detectors.DETECTRON2_BACKBONE,
    CAFFE2,
    name_maps.PYSLOWFAST,
)
_MSRA = re.compile(r"R-\d+.*\.pkl")


@dataclasses.dataclass(frozen=True)
class Facts:
    """How a network was trained.

    Attributes:
        pixels: `Pixels`.
        strided: String, `"3x3"` or `"1x1"`.
        epsilon: Float. Defaults to `1e-5`.
        groups: Integer. Defaults to `1`.
    """

    pixels: Pixels
    strided: str
    epsilon: float = 1e-5
    groups: int = 1

    def tell(self):
        """Returns pixels and strides in a few words."""
        order = "BGR" if self.pixels.bgr else "RGB"
        mean, std = (
            ", ".join(f"{255 * value:.4g}" for value in values)
            for values in (self.pixels.mean, self.pixels.std)
        )
        return (
            f"trained on {order} less {mean} (in RGB), over {std}, with the "
            f"stride of a stage on its {self.strided} convolution"
        )


def find_name_map(names):
    """Returns the name map that the tensors of a file follow."""
    name_map = choose_map(MAPS, names)
    if name_map is None:
        examples = ", ".join(repr(name) for name in list(names)[:3])
        raise ConversionError(
            "`source` must be a ResNet of keras.applications, torchvision, "
            "detectron2, Detectron, the authors' release or PySlowFast. "
            f"Received: names such as {examples}"
        )
    return name_map


def find_facts(tensors, file):
    """Returns the `Facts` of a file.

    Args:
        tensors: `nonlocal_keras.convert.assign.Tensors`.
        file: String, the name of the file, without its folder.
    """
    shapes, name_map = tensors.shapes(), tensors.name_map
    outputs, inputs = shapes.get("res2_0_branch2b.kernel", (1, 1))[:2]
    groups = max(outputs // max(inputs, 1), 1)
    if name_map is name_maps.KERAS_APPLICATIONS:
        return Facts(OF_KERAS, "1x1", 1.001e-5)
    if name_map is CAFFE2:
        statistics = "conv1_bn.moving_variance" in shapes
        if groups > 1:
            pixels = OF_RESNEXT if statistics else OF_CAFFE
            return Facts(pixels, "3x3", groups=groups)
        if not statistics or _MSRA.fullmatch(file):
            return Facts(OF_CAFFE, "1x1")
    if name_map in (CAFFE2, name_maps.PYSLOWFAST):
        return Facts(OF_CLIPS, "3x3")
    return Facts(OF_IMAGENET, "3x3", groups=groups)

"""Infers what a detector is made of from the names and shapes of a file."""

import dataclasses
import re

from nonlocal_keras.convert.architecture import stage_blocks
from nonlocal_keras.convert.name_map import ConversionError
from nonlocal_keras.models.backbones.image_resnet import STEM_WIDTH
from nonlocal_keras.models.backbones.placement import STAGES
from nonlocal_keras.models.detection.network import BOX_SIZE

_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


@dataclasses.dataclass(frozen=True)
class Detector:
    """What the tensors of a file say about the network.

    Attributes:
        stage_blocks: Tuple of 4 integers, residual blocks of res2 to res5.
        groups: Integer, groups of the 3x3 convolutions.
        width_per_group: Integer, channels of a group in res2.
        fpn_filters: Integer, channels of the pyramid.
        anchors: Integer, anchors of a position.
        box_units: Integer, units of the box head.
        num_classes: Integer, classes with the background.
        mask_filters: Tuple of integers, empty without a mask head.
        mask_hidden: Integer, or `None` without a mask head.
        keypoint_filters: Tuple of integers, empty without a keypoint head.
        num_keypoints: Integer, or `None` without a keypoint head.
    """

    stage_blocks: tuple
    groups: int
    width_per_group: int
    fpn_filters: int
    anchors: int
    box_units: int
    num_classes: int
    mask_filters: tuple
    mask_hidden: int | None
    keypoint_filters: tuple
    num_keypoints: int | None

    def shapes(self):
        """Returns the shape of every weight, as tensors of a file have it."""
        fpn, classes = self.fpn_filters, self.num_classes
        shapes = self._backbone()
        for position, stage in enumerate(STAGES):
            channels = 4 * STEM_WIDTH * 2**position
            number = stage[-1]
            shapes |= _biased(f"fpn_inner_{number}", (fpn, channels, 1, 1))
            shapes |= _biased(f"fpn_output_{number}", (fpn, fpn, 3, 3))
        shapes |= _biased("rpn_conv", (fpn, fpn, 3, 3))
        shapes |= _biased("rpn_objectness", (self.anchors, fpn, 1, 1))
        shapes |= _biased("rpn_deltas", (4 * self.anchors, fpn, 1, 1))
        units, inputs = self.box_units, fpn * BOX_SIZE**2
        shapes |= _biased("box_fc6", (units, inputs))
        shapes |= _biased("box_fc7", (units, units))
        shapes |= _biased("box_class", (classes, units))
        shapes |= _biased("box_deltas", (4 * classes, units))
        if self.mask_hidden is not None:
            width = self._convolutions("mask_conv", self.mask_filters, shapes)
            # Transposed: inputs come first.
            hidden = self.mask_hidden
            shapes["mask_deconv.kernel"] = (width, hidden, 2, 2)
            shapes["mask_deconv.bias"] = (hidden,)
            shapes |= _biased("mask_logits", (classes, hidden, 1, 1))
        if self.num_keypoints is not None:
            filters = self.keypoint_filters
            width = self._convolutions("keypoint_conv", filters, shapes)
            number = self.num_keypoints
            shapes["keypoint_deconv.kernel"] = (width, number, 4, 4)
            shapes["keypoint_deconv.bias"] = (number,)
        return shapes

    def _backbone(self):
        shapes = _normalized("conv1", (STEM_WIDTH, 3, 7, 7))
        channels = STEM_WIDTH
        for position, stage in enumerate(STAGES):
            group = self.width_per_group * 2**position
            width, filters = self.groups * group, 4 * STEM_WIDTH * 2**position
            for index in range(self.stage_blocks[position]):
                name = f"{stage}_{index}_branch"
                if index == 0:
                    shape = (filters, channels, 1, 1)
                    shapes |= _normalized(f"{name}1", shape)
                shapes |= _normalized(f"{name}2a", (width, channels, 1, 1))
                shapes |= _normalized(f"{name}2b", (width, group, 3, 3))
                shapes |= _normalized(f"{name}2c", (filters, width, 1, 1))
                channels = filters
        return shapes

    def _convolutions(self, name, filters, shapes):
        """Adds the convolutions of a head, and returns their last width."""
        width = self.fpn_filters
        for number, following in enumerate(filters, 1):
            shapes |= _biased(f"{name}{number}", (following, width, 3, 3))
            width = following
        return width


def infer_detector(shapes, spell):
    """Infers the network that a file is of.

    Args:
        shapes: Dictionary of weight, such as `rpn_conv.kernel`, to the shape
            of its tensor in the file.
        spell: Function from a weight to its name in the file, for errors.

    Returns:
        A `Detector`.

    Raises:
        ConversionError: If a tensor is missing that tells a size.
    """

    def shape(name, axes):
        found = shapes.get(f"{name}.kernel", ())
        if len(found) != axes or 0 in found:
            raise ConversionError(
                "The file must have the kernel that tells a size of the "
                f"network, {spell(f'{name}.kernel')!r}, with {axes} axes. "
                f"Found: {found or 'none'}"
            )
        return found

    def filters(name):
        pattern = re.compile(rf"{name}(\d+)\.kernel")
        found = sorted(int(m[1]) for m in map(pattern.fullmatch, shapes) if m)
        if found != list(range(1, len(found) + 1)):
            raise ConversionError(
                "The file must have every convolution of a head up to the "
                f"last, here {spell(f'{name}1.kernel')!r} and those after it. "
                f"Found: number {', '.join(map(str, found))}"
            )
        return tuple(shape(f"{name}{number}", 4)[0] for number in found)

    def has(name):
        return any(weight.startswith(name) for weight in shapes)

    blocks = stage_blocks(shapes)
    width, group, *_ = shape("res2_0_branch2b", 4)
    masks, keypoints = has("mask_"), has("keypoint_")
    return Detector(
        stage_blocks=blocks,
        groups=max(width // group, 1),
        width_per_group=group,
        fpn_filters=shape("rpn_conv", 4)[0],
        anchors=shape("rpn_objectness", 4)[0],
        box_units=shape("box_fc6", 2)[0],
        num_classes=shape("box_class", 2)[0],
        mask_filters=filters("mask_conv"),
        mask_hidden=shape("mask_deconv", 4)[1] if masks else None,
        keypoint_filters=filters("keypoint_conv"),
        num_keypoints=shape("keypoint_deconv", 4)[1] if keypoints else None,
    )


def _biased(name, shape):
    return {f"{name}.kernel": shape, f"{name}.bias": shape[:1]}


def _normalized(name, shape):
    vectors = {f"{name}_bn.{vector}": shape[:1] for vector in _NORM}
    return {f"{name}.kernel": shape, **vectors}

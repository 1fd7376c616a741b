"""Infers what a detector is made of from the names and shapes of a file."""

import dataclasses
import re

from nonlocal_keras.convert.architecture import stage_blocks
from nonlocal_keras.convert.name_map import ConversionError
from nonlocal_keras.layers.global_context import FUSIONS
from nonlocal_keras.models.backbones.image_resnet import STEM_WIDTH
from nonlocal_keras.models.backbones.placement import STAGES
from nonlocal_keras.models.detection.network import BOX_SIZE

_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


@dataclasses.dataclass(frozen=True)
class Context:
    """What the tensors of a file say about its global context blocks.

    Attributes:
        stages: Tuple of the stages whose residual blocks have one.
        ratio: Integer, channels per channel of the bottleneck.
        pooling: String, as for `GlobalContext2D`.
        fusions: Tuple of strings, as for `GlobalContext2D`.
    """

    stages: tuple
    ratio: int
    pooling: str
    fusions: tuple

    def shapes(self, name, channels):
        """Returns the shapes of the tensors of one block."""
        shapes, width = {}, max(channels // self.ratio, 1)
        if self.pooling == "attention":
            shapes |= _biased(f"{name}.attention", (1, channels))
        for fusion in self.fusions:
            start = f"{name}.{fusion}"
            shapes |= _biased(f"{start}_reduce", (width, channels))
            shapes |= _biased(f"{start}_expand", (channels, width))
            shapes |= {
                f"{start}_norm.{part}": (width,) for part in ("gamma", "beta")
            }
        return shapes


@dataclasses.dataclass(frozen=True)
class Detector:
    """What the tensors of a file say about the network.

    Attributes:
        stage_blocks: Tuple of 4 integers, residual blocks of res2 to res5.
        groups: Integer, groups of the 3x3 convolutions.
        width_per_group: Integer, channels of a group in res2.
        fpn_filters: Integer, channels of the pyramid.
        anchors: Integer, anchors of a position.
        box_units: Tuple of integers, units of the dense layers of the box
            head.
        num_classes: Integer, classes with the background.
        mask_filters: Tuple of integers, empty without a mask head.
        mask_hidden: Integer, or `None` without a mask head.
        keypoint_filters: Tuple of integers, empty without a keypoint head.
        num_keypoints: Integer, or `None` without a keypoint head.
        rpn_convolutions: Integer, before the outputs of the proposal head.
            Defaults to `1`.
        box_filters: Tuple of integers, of the convolutions of the box head.
            Defaults to `()`.
        normalized: Boolean, whether pyramid, box and mask head have batch
            normalizations. Defaults to `False`.
        context: `Context`, or `None` without global context blocks. Defaults
            to `None`.
    """

    stage_blocks: tuple
    groups: int
    width_per_group: int
    fpn_filters: int
    anchors: int
    box_units: tuple
    num_classes: int
    mask_filters: tuple
    mask_hidden: int | None
    keypoint_filters: tuple
    num_keypoints: int | None
    rpn_convolutions: int = 1
    box_filters: tuple = ()
    normalized: bool = False
    context: Context | None = None

    def shapes(self):
        """Returns the shape of every weight, as tensors of a file have it."""
        fpn, classes = self.fpn_filters, self.num_classes
        shapes = self._backbone()
        for position, stage in enumerate(STAGES):
            channels = 4 * STEM_WIDTH * 2**position
            number = stage[-1]
            shapes |= self._conv(f"fpn_inner_{number}", (fpn, channels, 1, 1))
            shapes |= self._conv(f"fpn_output_{number}", (fpn, fpn, 3, 3))
        for number in range(1, self.rpn_convolutions + 1):
            name = "rpn_conv" if number == 1 else f"rpn_conv{number}"
            shapes |= _biased(name, (fpn, fpn, 3, 3))
        shapes |= _biased("rpn_objectness", (self.anchors, fpn, 1, 1))
        shapes |= _biased("rpn_deltas", (4 * self.anchors, fpn, 1, 1))
        width = self._convolutions("box_conv", self.box_filters, shapes)
        width *= BOX_SIZE**2
        for number, units in enumerate(self.box_units, 6):
            shapes |= _biased(f"box_fc{number}", (units, width))
            width = units
        shapes |= _biased("box_class", (classes, width))
        shapes |= _biased("box_deltas", (4 * classes, width))
        if self.mask_hidden is not None:
            width = self._convolutions("mask_conv", self.mask_filters, shapes)
            # Transposed: inputs come first.
            hidden = self.mask_hidden
            shapes["mask_deconv.kernel"] = (width, hidden, 2, 2)
            shapes["mask_deconv.bias"] = (hidden,)
            shapes |= _biased("mask_logits", (classes, hidden, 1, 1))
        if self.num_keypoints is not None:
            filters = self.keypoint_filters
            width = self._convolutions(
                "keypoint_conv", filters, shapes, biased=True
            )
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
                if self.context and stage in self.context.stages:
                    block = f"global_context_{stage}_{index}"
                    shapes |= self.context.shapes(block, filters)
                channels = filters
        return shapes

    def _conv(self, name, shape):
        return (_normalized if self.normalized else _biased)(name, shape)

    def _convolutions(self, name, filters, shapes, biased=False):
        """Adds the convolutions of a head, and returns their last width."""
        add = _biased if biased else self._conv
        width = self.fpn_filters
        for number, following in enumerate(filters, 1):
            shapes |= add(f"{name}{number}", (following, width, 3, 3))
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

    def filters(name, first=1, axes=4):
        pattern = re.compile(rf"{name}(\d+)\.kernel")
        found = sorted(int(m[1]) for m in map(pattern.fullmatch, shapes) if m)
        if found != list(range(first, len(found) + first)):
            raise ConversionError(
                "The file must have every convolution of a head up to the "
                f"last, here {spell(f'{name}{first}.kernel')!r} and those "
                f"after it. Found: number {', '.join(map(str, found))}"
            )
        return tuple(shape(f"{name}{number}", axes)[0] for number in found)

    def has(name):
        return any(weight.startswith(name) for weight in shapes)

    blocks = stage_blocks(shapes)
    width, group, *_ = shape("res2_0_branch2b", 4)
    masks, keypoints = has("mask_"), has("keypoint_")
    # A first dense layer that is missing is named as such.
    shape("box_fc6", 2)
    return Detector(
        stage_blocks=blocks,
        groups=max(width // group, 1),
        width_per_group=group,
        fpn_filters=shape("rpn_conv", 4)[0],
        anchors=shape("rpn_objectness", 4)[0],
        box_units=filters("box_fc", 6, 2),
        num_classes=shape("box_class", 2)[0],
        mask_filters=filters("mask_conv"),
        mask_hidden=shape("mask_deconv", 4)[1] if masks else None,
        keypoint_filters=filters("keypoint_conv"),
        num_keypoints=shape("keypoint_deconv", 4)[1] if keypoints else None,
        rpn_convolutions=1 + len(filters("rpn_conv", 2)),
        box_filters=filters("box_conv"),
        normalized=has("fpn_inner_2_bn."),
        context=_infer_context(shapes),
    )


def _infer_context(shapes):
    """Returns the `Context` of a file, or `None`."""
    starts = {stage: f"global_context_{stage}_0." for stage in STAGES}
    stages = tuple(
        stage
        for stage, start in starts.items()
        if any(name.startswith(start) for name in shapes)
    )
    if not stages:
        return None
    start = starts[stages[0]]
    fusions = tuple(
        fusion
        for fusion in FUSIONS
        if f"{start}{fusion}_reduce.kernel" in shapes
    )
    if not fusions:
        raise ConversionError(
            "A global context block must have the convolutions of its "
            f"bottleneck, 'add' or 'multiply'. Found: none in {start[:-1]}"
        )
    width, channels = shapes[f"{start}{fusions[0]}_reduce.kernel"][:2]
    attention = f"{start}attention.kernel" in shapes
    return Context(
        stages=stages,
        ratio=max(channels // max(width, 1), 1),
        pooling="attention" if attention else "average",
        fusions=fusions,
    )


def _biased(name, shape):
    return {f"{name}.kernel": shape, f"{name}.bias": shape[:1]}


def _normalized(name, shape):
    vectors = {f"{name}_bn.{vector}": shape[:1] for vector in _NORM}
    return {f"{name}.kernel": shape, **vectors}

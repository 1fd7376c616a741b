"""Infers the architecture of a checkpoint from its names and shapes."""

import dataclasses
import re

from nonlocal_keras.convert.name_map import ConversionError
from nonlocal_keras.models.backbones.placement import STAGES

_BLOCK = re.compile(r"(res[2-5])_(\d+)_.+")
_NON_LOCAL = re.compile(r"nonlocal_(res[2-5])_(\d+)\..+")
_STATISTICS = {"batch": ("moving_mean", "moving_variance"), "affine": ()}


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What the tensors of a file say about the network.

    Attributes:
        stage_blocks: Tuple of 4 integers, residual blocks of res2 to res5.
        stem_width: Integer, channels of the stem.
        channels: Integer, channels of the clip.
        stem_kernel: Tuple of 3 integers.
        temporal_kernels: Dictionary of stage to one integer per block.
        inflate: `"3x1x1"` or `"3x3x3"`.
        normalization: `"batch"` or `"affine"`.
        non_local: Dictionary of stage to block indices.
        block_options: Dictionary of stage to arguments of `NonLocal3D`; for
            `pairwise`, `None` where theta and phi leave two possibilities.
        num_classes: Integer, or `None` for a file without a classifier.
        flat: Boolean, whether the kernels of the convolutions are 2D.
        shifted: Boolean, whether the residual blocks shift frames.
    """

    stage_blocks: tuple
    stem_width: int
    channels: int
    stem_kernel: tuple
    temporal_kernels: dict
    inflate: str
    normalization: str
    non_local: dict
    block_options: dict
    num_classes: int | None
    flat: bool
    shifted: bool

    @property
    def depth(self):
        return 3 * sum(self.stage_blocks) + 2

    @property
    def name(self):
        """`"c2d"`, `"i3d"` or `"i3d_3x3x3"`."""
        if self.inflate == "3x3x3":
            return "i3d_3x3x3"
        inflated = self.stem_kernel[0] > 1 or self.temporal_kernels
        return "i3d" if inflated else "c2d"

    def has_kernels(self, stage, size):
        """Returns whether all blocks of a stage have a kernel of some size."""
        blocks = self.stage_blocks[STAGES.index(stage)]
        kernels = self.temporal_kernels.get(stage, (1,) * blocks)
        return all(kernel == size for kernel in kernels)

    def shapes(self, num_classes):
        """Returns the shape of every weight, as tensors of a file have it.

        Nothing is built for that, so that it costs no memory however large
        the sizes in a file are.
        """
        shapes = self._convolution(
            "conv1", (self.stem_width, self.channels, *self.stem_kernel)
        )
        channels = self.stem_width
        for position, stage in enumerate(STAGES):
            width = self.stem_width * 2**position
            blocks = self.stage_blocks[position]
            kernels = self.temporal_kernels.get(stage, (1,) * blocks)
            for index, kernel in enumerate(kernels):
                t_a, t_b = (
                    (kernel, 1) if self.inflate == "3x1x1" else (1, kernel)
                )
                for conv, shape in (
                    ("branch1", (4 * width, channels, 1, 1, 1)),
                    ("branch2a", (width, channels, t_a, 1, 1)),
                    ("branch2b", (width, width, t_b, 3, 3)),
                    ("branch2c", (4 * width, width, 1, 1, 1)),
                ):
                    if conv != "branch1" or index == 0:
                        name = f"{stage}_{index}_{conv}"
                        shapes |= self._convolution(name, shape)
                channels = 4 * width
                if index in self.non_local.get(stage, ()):
                    shapes |= self._non_local(stage, index, channels)
        shapes["pred.kernel"] = (num_classes, channels)
        shapes["pred.bias"] = (num_classes,)
        return shapes

    def _convolution(self, name, shape):
        vectors = ("gamma", "beta", *_STATISTICS[self.normalization])
        return {
            f"{name}.kernel": shape,
            **{f"{name}_bn.{vector}": shape[:1] for vector in vectors},
        }

    def _non_local(self, stage, index, channels):
        options, name = self.block_options[stage], f"nonlocal_{stage}_{index}"
        width = options["intermediate_dim"] or channels // 2
        maps = ["g", "theta", "phi"]
        shapes = {f"{name}.w_z.kernel": (channels, width)}
        if options["pairwise"] == "gaussian":
            maps = ["g"]
        if options["pairwise"] == "concatenation":
            shapes[f"{name}.w_f"] = (2 * width,)
        for projection in maps:
            shapes[f"{name}.{projection}.kernel"] = (width, channels)
            if options["use_bias"]:
                shapes[f"{name}.{projection}.bias"] = (width,)
        if options["output_bias"]:
            shapes[f"{name}.w_z.bias"] = (channels,)
        if options["normalization"] is not None:
            statistics = _STATISTICS[options["normalization"]]
            for vector in ("gamma", "beta", *statistics):
                shapes[f"{name}.norm.{vector}"] = (channels,)
        return shapes


def infer_architecture(shapes, spell, shifted=False):
    """Infers the architecture of the network that a file is of.

    Args:
        shapes: Dictionary of weight, such as `res2_0_branch2a.kernel`, to
            the shape of its tensor in the file: output channels first, sizes
            last.
        spell: Function from a weight to its name in the file, for errors.
        shifted: Boolean, whether names tell that the residual blocks shift
            frames. Defaults to `False`.

    Returns:
        An `Architecture`.

    Raises:
        ConversionError: If this is no ResNet of bottleneck blocks.
    """
    stem = _with_time(shapes.get("conv1.kernel", ()))
    if len(stem) != 5:
        raise ConversionError(
            f"The file must have the kernel of the stem, "
            f"{spell('conv1.kernel')!r}, with 4 or 5 axes. Found: "
            f"{shapes.get('conv1.kernel', 'none')}"
        )
    blocks = stage_blocks(shapes)
    kernels, inflate = _temporal_kernels(shapes, blocks)
    non_local = _placement(shapes)
    return Architecture(
        stage_blocks=blocks,
        stem_width=stem[0],
        channels=stem[1],
        stem_kernel=stem[2:],
        temporal_kernels=kernels,
        inflate=inflate,
        normalization=_normalization(shapes),
        non_local=non_local,
        block_options={
            stage: _block_options(shapes, stage, indices, spell)
            for stage, indices in non_local.items()
        },
        num_classes=(shapes.get("pred.kernel") or (None,))[0],
        flat=len(shapes["conv1.kernel"]) == 4,
        shifted=shifted,
    )


def _with_time(shape):
    """Returns the shape of a kernel, with an axis of time if it has none."""
    return (*shape[:2], 1, *shape[2:]) if len(shape) == 4 else tuple(shape)


def stage_blocks(shapes):
    """Returns the number of residual blocks of each stage.

    Args:
        shapes: Dictionary of weight to the shape of its tensor.

    Returns:
        Tuple of 4 integers.

    Raises:
        ConversionError: If a block is missing, or blocks have no bottleneck.
    """
    found = {stage: set() for stage in STAGES}
    for name in shapes:
        match = _BLOCK.fullmatch(name)
        if match:
            found[match[1]].add(int(match[2]))
    for stage, indices in found.items():
        missing = set(range(max(indices, default=0) + 1)) - indices
        if missing:
            raise ConversionError(
                f"The file must have every residual block of {stage} up to "
                f"the last, but has none of index {min(missing)}. It may be "
                "cut short, or of another network."
            )
    if not any(name.endswith("branch2c.kernel") for name in shapes):
        raise ConversionError(
            "The file must be of a ResNet of bottleneck blocks, such as "
            "ResNet-50 and 101. Found: blocks of two convolutions, as in "
            "ResNet-18 and 34, which VideoResNet does not have."
        )
    return tuple(max(indices) + 1 for indices in found.values())


def _temporal_kernels(shapes, blocks):
    """Returns the extents in time of the blocks, and which kernel has them."""
    extents = {"2a": {}, "2b": {}}
    for conv, stages in extents.items():
        for stage, count in zip(STAGES, blocks, strict=True):
            # A missing kernel is named later, with all others.
            kernels = [
                _with_time(shapes.get(f"{stage}_{i}_branch{conv}.kernel", ()))
                for i in range(count)
            ]
            sizes = tuple(k[2] if len(k) == 5 else 1 for k in kernels)
            if any(size > 1 for size in sizes):
                stages[stage] = sizes
    if extents["2a"] and extents["2b"]:
        raise ConversionError(
            "Either the first or the second convolution of the blocks may "
            f"extend in time. Found: the first in {sorted(extents['2a'])}, "
            f"the second in {sorted(extents['2b'])}; VideoResNet has no such "
            "form."
        )
    if extents["2b"]:
        return extents["2b"], "3x3x3"
    return extents["2a"], "3x1x1"


def _normalization(shapes):
    backbone = [name for name in shapes if not name.startswith("nonlocal_")]
    statistics = any(name.endswith(".moving_variance") for name in backbone)
    return "batch" if statistics else "affine"


def _placement(shapes):
    """Returns `{"res3": (1, 3)}` for the non-local blocks of a file."""
    found = {stage: set() for stage in STAGES}
    for name in shapes:
        match = _NON_LOCAL.fullmatch(name)
        if match:
            found[match[1]].add(int(match[2]))
    return {s: tuple(sorted(found[s])) for s in STAGES if found[s]}


def _block_options(shapes, stage, indices, spell):
    """Returns the arguments of the non-local blocks of one stage."""
    g = f"nonlocal_{stage}_{indices[0]}.g.kernel"
    shape = shapes.get(g, ())
    if len(shape) < 2:
        raise ConversionError(
            "The file must have the kernel of g of each non-local block, here "
            f"{spell(g)!r}, with 2 or more axes. Found: {shape or 'none'}"
        )
    # What one block has, all must have: a missing tensor is named later.
    has = {
        name.split(".", 1)[1] for name in shapes if _NON_LOCAL.fullmatch(name)
    }
    pairwise = "concatenation" if "w_f" in has else None
    if not has & {"theta.kernel", "phi.kernel"}:
        pairwise = "gaussian"
    normalization = "affine" if "norm.gamma" in has else None
    if has & {"norm.moving_mean", "norm.moving_variance"}:
        normalization = "batch"
    return {
        # Half the channels of the map is what `None` means.
        "intermediate_dim": None if 2 * shape[0] == shape[1] else shape[0],
        "pairwise": pairwise,
        "use_bias": bool(has & {"g.bias", "theta.bias", "phi.bias"}),
        "output_bias": "w_z.bias" in has,
        "normalization": normalization,
    }

"""The published video models by name, as arguments of `VideoResNet`.

This is the only place that knows depths, strides and placements of others.
"""

import re

from nonlocal_keras.models.backbones import placement
from nonlocal_keras.models.backbones.video_resnet import VideoResNet

STAGE_BLOCKS = {
    14: (1, 1, 1, 1),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
}
TINY_PLACEMENT = {"res3": (0,), "res4": (0,)}
ARCHITECTURES = ("c2d", "i3d", "i3d_3x3x3")
NAME = r"(?:nl(1|5|10)?(_))?(c2d|i3d|i3d_3x3x3)_(tiny|r50|r101)"
FORM = "[nl_|nl1_|nl10_]{c2d|i3d|i3d_3x3x3}_{tiny|r50|r101}"

# Stems: strides of conv1, then (size, strides, padding) of the poolings.
_POOL2 = ((2, 1, 1), (2, 1, 1), (0, 0, 0))
_PAPER = {
    "stem_strides": (2, 2, 2),
    "pool1": ((3, 3, 3), (2, 2, 2), (1, 1, 1)),
    "pool2": ((3, 1, 1), (2, 1, 1), (1, 0, 0)),
}
_AUTHORS_STRIDED = {
    "stem_strides": (2, 2, 2),
    "pool1": ((2, 3, 3), (2, 2, 2), (0, 0, 0)),
    "pool2": _POOL2,
}
_AUTHORS_DENSE = {
    "stem_strides": (1, 2, 2),
    "pool1": ((1, 3, 3), (1, 2, 2), (0, 0, 0)),
    "pool2": _POOL2,
}
_PADDED_DENSE = {
    "stem_strides": (1, 2, 2),
    "pool1": ((1, 3, 3), (1, 2, 2), (0, 1, 1)),
    "pool2": _POOL2,
}
_PADDED_STRIDED = {
    "stem_strides": (2, 2, 2),
    "pool1": ((1, 3, 3), (2, 2, 2), (0, 1, 1)),
    "pool2": _POOL2,
}
_PADDED_NO_POOL2 = {**_PADDED_DENSE, "pool2": None}
_SHIFTED = {**_PADDED_NO_POOL2, "shift_div": 8, "zero_init_residual": False}
# Long clips: no normalization in the block, res3 in groups of 4 frames. Both
# published clip lengths have 16 frames there.
_LONG_CLIPS = {"normalization": "affine"}
_LONG_CLIPS_OPTIONS = {"normalization": None, "res3": {"frame_groups": 4}}
_POOL_FIRST = {"pool_size": (1, 2, 2), "pool_first": True}

# family -> (arguments of VideoResNet, options of its blocks, input shape)
FAMILIES = {
    # Table 1 and section 3.3 of the paper; no scale in its equations.
    "paper": (
        _PAPER,
        {"pool_size": (1, 2, 2), "scale": 1.0},
        (32, 224, 224, 3),
    ),
    # The authors' release.
    "vnl_32x2": (_AUTHORS_STRIDED, _POOL_FIRST, (32, 224, 224, 3)),
    "vnl_8x8": (_AUTHORS_DENSE, _POOL_FIRST, (8, 224, 224, 3)),
    "vnl_128x1": (
        {**_AUTHORS_STRIDED, **_LONG_CLIPS},
        {**_POOL_FIRST, **_LONG_CLIPS_OPTIONS},
        (128, 224, 224, 3),
    ),
    "vnl_32x4": (
        {**_AUTHORS_DENSE, **_LONG_CLIPS},
        {**_POOL_FIRST, **_LONG_CLIPS_OPTIONS},
        (32, 224, 224, 3),
    ),
    # Long-term feature banks of the same authors: the model that was trained
    # on Kinetics, and those that were fine-tuned with a finer res5.
    "lfb": (_PADDED_DENSE, _POOL_FIRST, (32, 224, 224, 3)),
    "lfb_finetuned": (
        {**_PADDED_DENSE, **_LONG_CLIPS, "stage_strides": (1, 2, 2, 1)},
        {**_POOL_FIRST, **_LONG_CLIPS_OPTIONS, "normalization": "affine"},
        (32, 224, 224, 3),
    ),
    "pyslowfast": (_PADDED_DENSE, _POOL_FIRST, (8, 224, 224, 3)),
    # The Slow networks and C2D_NOPOOL; pytorchvideo has both forms as well.
    "pyslowfast_nopool": (
        _PADDED_NO_POOL2,
        {**_POOL_FIRST, "pairwise": "dot_product"},
        (8, 224, 224, 3),
    ),
    "mmaction2": (
        {**_PADDED_STRIDED, "zero_init_residual": False},
        {"pool_size": (1, 2, 2), "scale": 1.0, "output_bias": False},
        (32, 224, 224, 3),
    ),
    "mmaction2_heavy": (
        {**_PADDED_DENSE, "zero_init_residual": False},
        {"pool_size": (1, 2, 2), "scale": 1.0, "output_bias": False},
        (32, 224, 224, 3),
    ),
    "mmaction2_slowonly": (
        _PADDED_NO_POOL2,
        {"pool_size": (1, 2, 2), "output_bias": False},
        (8, 224, 224, 3),
    ),
    # Its kernels are 2D; no non-local model of it is published.
    "mmaction2_c2d": (_AUTHORS_DENSE, {}, (8, 224, 224, 3)),
    "mmaction2_c2d_nopool": (_PADDED_NO_POOL2, {}, (8, 224, 224, 3)),
    # 2D ResNets with temporal shifts: in mmaction2, and of the authors of the
    # shift.
    "mmaction2_tsm": (
        _SHIFTED,
        {"pool_size": (1, 2, 2), "scale": 1.0, "output_bias": False},
        (8, 224, 224, 3),
    ),
    "tsm": (
        _SHIFTED,
        {"pool_size": (1, 2, 2), "scale": 1.0},
        (8, 224, 224, 3),
    ),
    "gluoncv": (
        {**_PADDED_STRIDED, "zero_init_residual": False},
        {},
        (32, 224, 224, 3),
    ),
    # For clips of a few small frames: the stem alone reduces them by 4.
    "tiny": (
        {
            "stem_width": 12,
            "stem_strides": (1, 4, 4),
            "pool1": None,
            "pool2": _POOL2,
            "zero_init_residual": False,
        },
        {},
        (4, 32, 32, 3),
    ),
}


def temporal_kernels(stage_blocks):
    """Returns the inflated blocks of an I3D, section 2.2 of the release.

    All blocks of res2, the even ones of res3 and res4 and the odd ones of
    res5; a res5 of one block has its only block inflated.

    Args:
        stage_blocks: Tuple of 4 Integers, residual blocks in res2 to res5.

    Returns:
        Dictionary of stage to one Integer per block, the extent in time.
    """
    res2, res3, res4, res5 = stage_blocks
    return {
        "res2": (3,) * res2,
        "res3": tuple(1 if i % 2 else 3 for i in range(res3)),
        "res4": tuple(1 if i % 2 else 3 for i in range(res4)),
        "res5": tuple(3 if i % 2 or res5 == 1 else 1 for i in range(res5)),
    }


def video_resnet(
    architecture="c2d",
    depth=50,
    non_local=None,
    non_local_options=None,
    family="vnl_32x2",
    **overrides,
):
    """Builds the backbone of a published video model.

    Example:

    >>> backbone = nonlocal_keras.models.video_resnet(
    ...     "i3d", depth=50, non_local=5, family="gluoncv"
    ... )
    >>> backbone.describe()
    'NL-I3D ResNet-50: 5 non-local blocks at res3[1,3] res4[1,3,5]'

    Args:
        architecture: String, `"c2d"`, `"i3d"` (3x1x1) or `"i3d_3x3x3"`.
            Defaults to `"c2d"`.
        depth: Integer, 50 or 101, or 14 for a small model. Defaults to `50`.
        non_local: Integer, 1, 5 or 10 blocks as in the paper, or a dictionary
            such as `{"res3": (1, 3), "res4": (1, 3, 5)}`. Defaults to `None`,
            no block.
        non_local_options: Dictionary of arguments of `NonLocal3D`, on top of
            those of the family. Defaults to `None`.
        family: String, which stem, poolings and block options, a key of
            `nonlocal_keras.models.video.variants.FAMILIES`: `"paper"`,
            `"vnl_32x2"`, `"vnl_8x8"`, `"vnl_128x1"`, `"vnl_32x4"` (the
            authors' release), `"lfb"`, `"pyslowfast"`, `"mmaction2"`,
            `"gluoncv"`, `"tsm"`, `"tiny"` and forms of these. Defaults to
            `"vnl_32x2"`.
        **overrides: Arguments of `VideoResNet`, on top of those of the
            family, e.g. `input_shape=(None, None, None, 3)`.

    Returns:
        A `nonlocal_keras.models.VideoResNet`.

    Raises:
        ValueError: For an unknown name, or a setting without an effect.
    """
    for name, value, choices in (
        ("architecture", architecture, ARCHITECTURES),
        ("depth", depth, STAGE_BLOCKS),
        ("family", family, FAMILIES),
    ):
        if value not in choices:
            raise ValueError(
                f"`{name}` must be one of {list(choices)}. "
                f"Received: {name}={value!r}"
            )
    arguments, options, input_shape = FAMILIES[family]
    stage_blocks = overrides.pop("stage_blocks", STAGE_BLOCKS[depth])
    if isinstance(non_local, int) and not isinstance(non_local, bool):
        non_local = placement.published_placement(
            non_local, depth, stage_blocks
        )
    if isinstance(non_local, dict):
        non_local_options = _merge(options, non_local_options, non_local)
    if architecture != "c2d":
        arguments = {
            "stem_kernel": (5, 7, 7),
            "temporal_kernels": temporal_kernels(stage_blocks),
            "inflate": "3x3x3" if architecture == "i3d_3x3x3" else "3x1x1",
            **arguments,
        }
    return VideoResNet(
        **{
            "input_shape": input_shape,
            "stage_blocks": stage_blocks,
            "non_local": non_local,
            "non_local_options": non_local_options,
            **arguments,
            **overrides,
        }
    )


def from_name(name, family=None, **overrides):
    """Builds a backbone from a name such as `"nl_i3d_r101"`.

    A name is `[nl_|nl1_|nl10_]{c2d|i3d|i3d_3x3x3}_{tiny|r50|r101}`: without
    `nl` no non-local block, with `nl` five, else that many. The tiny model is
    a ResNet-14 with one block after res3 and one after res4.

    Example:

    >>> from nonlocal_keras.models.video import variants
    >>> variants.from_name("nl_c2d_r50").describe()
    'NL-C2D ResNet-50: 5 non-local blocks at res3[1,3] res4[1,3,5]'

    Args:
        name: String.
        family: String, as for `video_resnet`. Defaults to `None`, which is
            `"tiny"` for the tiny model and `"vnl_32x2"` for others.
        **overrides: As for `video_resnet`.

    Returns:
        A `nonlocal_keras.models.VideoResNet`.

    Raises:
        ValueError: For a name of another form.
    """
    match = re.fullmatch(NAME, name)
    # The tiny model has one placement, so a number would change nothing.
    if not match or (match[1] and match[4] == "tiny"):
        raise ValueError(
            f"`name` must be of the form {FORM}, e.g. 'nl_i3d_r50'. "
            f"Received: name={name!r}"
        )
    number, non_local, architecture, size = match.groups()
    if size == "tiny":
        blocks, depth, family = TINY_PLACEMENT, 14, family or "tiny"
    else:
        blocks, depth, family = int(number or 5), int(size[1:]), family
    if non_local:
        overrides.setdefault("non_local", blocks)
    return video_resnet(
        architecture, depth, family=family or "vnl_32x2", **overrides
    )


def _merge(family_options, options, stages):
    """Puts the user's options over the family's, stage by stage."""
    options = options or {}
    merged = {**family_options, **options}
    for stage in placement.STAGES:
        both = {**family_options.get(stage, {}), **options.get(stage, {})}
        if stage in stages and both:
            merged[stage] = both
        elif stage not in options:
            # The family's own option for a stage that has no block here.
            merged.pop(stage, None)
    return merged

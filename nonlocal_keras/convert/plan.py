"""Decides what shapes cannot tell: from overrides, else from the family."""

import dataclasses
import difflib
import warnings

from nonlocal_keras.convert import block_options
from nonlocal_keras.convert import detector_plan
from nonlocal_keras.convert import families
from nonlocal_keras.convert import name_maps
from nonlocal_keras.convert.architecture import Architecture
from nonlocal_keras.convert.name_map import ConversionError
from nonlocal_keras.models.backbones.placement import published_placement
from nonlocal_keras.models.video import variants
from nonlocal_keras.models.video.video_classifier import VideoClassifier

# What the tensors tell as well: an override must agree with them.
TOLD = ("architecture", "depth", "non_local", "normalization", "stem_width")
CLIP = ("family", "frames", "input_shape")
BACKBONE = (
    "stem_strides",
    "pool1",
    "pool2",
    "stage_strides",
    "stage_dilations",
    "shift_div",
    "epsilon",
    "momentum",
    "synchronized",
    "implementation",
    "dtype",
)
HEAD = ("num_classes", "fully_convolutional", "dropout", "activation")
IMAGENET = ("inflation",)


@dataclasses.dataclass
class Plan:
    """How a model is built and filled.

    Attributes:
        architecture: `Architecture`, what the tensors must fill.
        family: String, key of
            `nonlocal_keras.models.video.variants.FAMILIES`.
        backbone: Dictionary, arguments of `VideoResNet`.
        head: Dictionary, arguments of `VideoClassifier`.
        fresh: Tuple of starts of the names of weights that stay as they are
            initialized, since the file has none for them. Defaults to `()`.
        inflation: `"repeat"`, `"center"`, or `None` for no inflation.
            Defaults to `None`.
        notes: List of strings, what was taken from where. Defaults to `[]`.
        warnings: List of strings, what the user should check. Defaults to
            `[]`.
    """

    architecture: Architecture
    family: str
    backbone: dict
    head: dict
    fresh: tuple = ()
    inflation: str | None = None
    notes: list = dataclasses.field(default_factory=list)
    warnings: list = dataclasses.field(default_factory=list)

    def shapes(self):
        """Returns the shape of the tensor that every weight must have."""
        return self.architecture.shapes(self.head["num_classes"])

    def build(self):
        """Returns a model with fresh weights, and one line on it."""
        backbone = variants.video_resnet(family=self.family, **self.backbone)
        return VideoClassifier(backbone, **self.head), backbone.describe()


def make_plan(source, architecture, names, metadata, file, overrides):
    """Decides how the model of a file is built.

    Args:
        source: String, key of `nonlocal_keras.convert.name_maps.SOURCES`.
        architecture: `Architecture` of the file.
        names: Names of the tensors of the file.
        metadata: Dictionary of what else is in the file.
        file: String, the name of the file, without its folder.
        overrides: Dictionary of the user's settings.

    Returns:
        A `Plan`.

    Raises:
        ConversionError: If an override is unknown, contradicts the file, or
            would change nothing.
    """
    inflated, non_local = architecture, architecture.non_local
    if source == "imagenet":
        inflated, non_local = _inflated(architecture, overrides)
    else:
        _check_told(architecture, overrides)
    family, why = families.choose_family(source, inflated, overrides, file)
    arguments, options, input_shape = variants.FAMILIES[family]
    plan = Plan(
        inflated,
        family,
        dict(arguments),
        {},
        notes=[f"family: {family}, {why}"],
    )
    asked = {k: overrides[k] for k in BACKBONE if k in overrides}
    plan.backbone |= asked
    plan.notes += [f"{name}: {asked[name]}, as asked for" for name in asked]
    if source != "imagenet":
        _check_shift(plan)
    if source in families.GROUPED:
        plan.backbone.setdefault("epsilon", families.CAFFE2_EPSILON)
    if arguments.get("normalization", "batch") != inflated.normalization:
        plan.warnings.append(
            f"The family {family} is published with normalization "
            f"{arguments.get('normalization', 'batch')!r}; this file has "
            f"{inflated.normalization!r}, which is what was built."
        )
    frames = _frames(overrides, input_shape[0])
    hints = families.find_hints(metadata, file)
    blocks = block_options.BlockOptions(
        source, plan, names, hints, overrides, frames
    )
    of_blocks = blocks.resolve(options, non_local)
    plan.backbone |= {
        "input_shape": _input_shape(
            overrides, inflated.channels, blocks.groups and frames
        ),
        "stage_blocks": inflated.stage_blocks,
        "stem_width": inflated.stem_width,
        "stem_kernel": inflated.stem_kernel,
        "temporal_kernels": inflated.temporal_kernels or None,
        "inflate": inflated.inflate,
        "normalization": inflated.normalization,
        "non_local": non_local or None,
        "non_local_options": of_blocks or None,
    }
    _decide_head(source, plan, overrides, frames, input_shape)
    if source == "imagenet" and non_local:
        plan.fresh += ("nonlocal_",)
    return plan


def check_names(source, overrides):
    """Refuses an override that a source does not have."""
    known = (*TOLD, *CLIP, *BACKBONE, *block_options.OVERRIDES, *HEAD, "name")
    if source == "imagenet":
        known += IMAGENET
    if source in name_maps.DETECTORS:
        known = detector_plan.OVERRIDES
    for name in overrides:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ConversionError(
                f"An override of source {source!r} must be one of "
                f"{', '.join(sorted(known))}. Received: {name}="
                f"{overrides[name]!r}.{hint}"
            )


def _check_told(architecture, overrides):
    """Refuses an override that the tensors of the file contradict."""
    told = {
        "architecture": architecture.name,
        "depth": architecture.depth,
        "non_local": architecture.non_local,
        "normalization": architecture.normalization,
        "stem_width": architecture.stem_width,
    }
    for name, found in told.items():
        given = overrides.get(name, found)
        if name == "non_local":
            given = _placement(given, architecture)
        if given != found:
            raise ConversionError(
                f"`{name}` follows from the tensors of the file, which say "
                f"{found!r}. Leave it out, or give another file. "
                f"Received: {name}={given!r}"
            )


def _check_shift(plan):
    """Refuses a shift, or its absence, that the names contradict."""
    shifted = plan.architecture.shifted
    shift_div = plan.backbone.get("shift_div")
    if (shift_div is not None) != shifted:
        network = "with temporal shifts" if shifted else "without such shifts"
        raise ConversionError(
            "`family` and `shift_div` must agree with the names of the file, "
            f"which are those of a network {network}. Leave them out. "
            f"Received: family={plan.family!r}, shift_div={shift_div}"
        )


def _placement(non_local, architecture):
    """Returns a placement as a dictionary of sorted tuples."""
    if isinstance(non_local, int):
        non_local = published_placement(
            non_local, architecture.depth, architecture.stage_blocks
        )
    return {s: tuple(sorted(i)) for s, i in (non_local or {}).items()}


def _inflated(architecture, overrides):
    """Returns the video network that 2D weights fill, and its blocks."""
    if architecture.non_local or architecture.name != "c2d":
        raise ConversionError(
            "Source 'imagenet' is for 2D networks, and this file has a video "
            "network. Name the project that made it, e.g. source='vnl'. "
            f"Received: a {architecture.name} with non-local blocks at "
            f"{architecture.non_local or 'no place'}"
        )
    name = overrides.get("architecture", "i3d")
    if name not in variants.ARCHITECTURES:
        raise ConversionError(
            f"`architecture` must be one of {list(variants.ARCHITECTURES)}. "
            f"Received: architecture={name!r}"
        )
    _check_told(
        architecture,
        {
            key: value
            for key, value in overrides.items()
            if key not in ("architecture", "non_local")
        },
    )
    if name != "c2d":
        _, *sizes = architecture.stem_kernel
        architecture = dataclasses.replace(
            architecture,
            stem_kernel=(5, *sizes),
            temporal_kernels=variants.temporal_kernels(
                architecture.stage_blocks
            ),
            inflate="3x3x3" if name == "i3d_3x3x3" else "3x1x1",
        )
    placement = _placement(overrides.get("non_local"), architecture)
    return architecture, placement


def _frames(overrides, default):
    """Returns the frames of a clip: those that were asked for, or usual."""
    shape, frames = overrides.get("input_shape"), overrides.get("frames")
    if shape is not None and shape[0] is not None:
        if frames not in (None, shape[0]):
            raise ConversionError(
                "`frames` must agree with `input_shape`. Received: "
                f"frames={frames}, input_shape={tuple(shape)}"
            )
        return shape[0]
    return frames or default


def _input_shape(overrides, channels, needed_frames):
    """Returns the shape of a clip; what need not be known stays open."""
    frames = overrides.get("frames") or needed_frames or None
    shape = tuple(overrides.get("input_shape") or (None, None, None, channels))
    if shape[3] != channels:
        raise ConversionError(
            f"`input_shape` must end with the channels of the file, "
            f"{channels}. Received: input_shape={shape}"
        )
    return (shape[0] or frames, *shape[1:])


def _decide_head(source, plan, overrides, frames, input_shape):
    """Decides classes and pooling."""
    found = plan.architecture.num_classes
    classes = overrides.get("num_classes", found)
    if classes is None:
        raise ConversionError(
            "The file has no classifier. Give num_classes=... for a fresh one "
            "that is to be trained."
        )
    plan.head = {"num_classes": classes, **families.head_arguments(source)}
    plan.head |= {k: overrides[k] for k in HEAD[2:] if k in overrides}
    if classes != found:
        plan.fresh += ("pred.",)
        of_file = f"{found} classes" if found else "none"
        plan.warnings.append(
            f"The classifier of {classes} classes is fresh and must be "
            f"trained; the file has {of_file}."
        )
    window = overrides.get("fully_convolutional", False)
    if window is True:
        if source not in families.WINDOWS:
            raise ConversionError(
                f"`fully_convolutional` is for {families.WINDOWS}: the other "
                "sources pool over the whole clip, which is the default. "
                "Received: fully_convolutional=True"
            )
        size = input_shape[1] // 32
        window = (families.frames_of_res3(frames, plan.backbone), size, size)
    if window:
        plan.head["pool_size"] = tuple(window)
        plan.notes.append(f"window of the head: {tuple(window)}")
    if source == "imagenet":
        plan.inflation = _inflation(overrides.get("inflation", "repeat"))
    if "name" in overrides:
        plan.head["name"] = overrides["name"]


def _inflation(name):
    """Returns the name of a way to inflate, in today's spelling."""
    if name == "centre":
        warnings.warn(
            "`inflation='centre'` is spelled 'center' now.",
            DeprecationWarning,
            # Of the caller of `convert`.
            stacklevel=6,
        )
        return "center"
    if name not in ("repeat", "center"):
        raise ConversionError(
            "`inflation` must be 'repeat' (all times, divided by their "
            "number) or 'center' (the middle time alone). "
            f"Received: inflation={name!r}"
        )
    return name

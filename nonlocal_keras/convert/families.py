"""What each source is known to do that its tensors do not show."""

import re

from nonlocal_keras.convert.name_map import ConversionError
from nonlocal_keras.models.backbones.placement import STAGES
from nonlocal_keras.models.video import variants

# source -> families it may be of; the first is the default of its kind.
OF_SOURCE = {
    "vnl": ("vnl_8x8", "vnl_32x2", "vnl_32x4", "vnl_128x1"),
    "lfb": ("lfb", "lfb_finetuned"),
    "pyslowfast": ("pyslowfast", "pyslowfast_nopool"),
    "pytorchvideo": ("pyslowfast", "pyslowfast_nopool"),
    "mmaction2": (
        "mmaction2",
        "mmaction2_heavy",
        "mmaction2_slowonly",
        "mmaction2_c2d",
        "mmaction2_c2d_nopool",
        "mmaction2_tsm",
    ),
    "gluoncv": ("gluoncv",),
    "tsm": ("tsm",),
    "imagenet": ("vnl_8x8", *(f for f in variants.FAMILIES if f != "vnl_8x8")),
}
# Sources whose head slides a window over the features of res5.
WINDOWS = ("vnl", "pyslowfast", "pytorchvideo")
# Sources in Caffe2, whose affine models split res3 into groups of 4 frames.
GROUPED = ("vnl", "lfb")
CAFFE2_EPSILON = 1.0000001e-5
FRAMES_OF_GROUP = 4
BY_NAME = "by the name of the file"


def choose_family(source, architecture, overrides, file_name):
    """Chooses the family of a file and says why.

    Args:
        source: String, key of `OF_SOURCE`.
        architecture: `nonlocal_keras.convert.architecture.Architecture`.
        overrides: Dictionary of the user's settings.
        file_name: String, the name of the file, without its folder.

    Returns:
        The key of `nonlocal_keras.models.video.variants.FAMILIES`, and why.
    """
    known = OF_SOURCE[source]
    if "family" in overrides:
        family = overrides["family"]
        if family not in known:
            raise ConversionError(
                f"`family` of source {source!r} must be one of {known}. "
                f"Received: family={family!r}"
            )
        return family, "as asked for"
    if source == "vnl":
        return _of_release(architecture, overrides, file_name)
    if source == "lfb":
        affine = architecture.normalization == "affine"
        which = "affine layers" if affine else "batch normalization"
        return known[affine], f"the LFB models with {which}"
    no_pool = re.search("nopool", file_name, re.IGNORECASE)
    slow = _is_slow(architecture)
    if source in ("pyslowfast", "pytorchvideo") and (slow or no_pool):
        return known[1], "by its kernels" if slow else BY_NAME
    if source == "mmaction2":
        if architecture.shifted:
            return "mmaction2_tsm", "by its temporal shifts"
        if architecture.flat and no_pool:
            return "mmaction2_c2d_nopool", BY_NAME
        if architecture.flat:
            return "mmaction2_c2d", "by its 2D kernels"
        if slow:
            return "mmaction2_slowonly", "by its kernels"
        if all(architecture.has_kernels(stage, 3) for stage in STAGES):
            return "mmaction2_heavy", "since every block is inflated"
    return known[0], "the default of the source"


def _of_release(architecture, overrides, file_name):
    """Chooses among the authors' models, which look alike by pairs."""
    named = re.search(r"(?<!\d)(8x8|32x2|32x4|128x1)(?!\d)", file_name)
    if named:
        return f"vnl_{named[1]}", BY_NAME
    dense, strided = "vnl_8x8", "vnl_32x2"
    if architecture.normalization == "affine":
        dense, strided = "vnl_32x4", "vnl_128x1"
    frames = overrides.get("frames")
    shape = overrides.get("input_shape")
    if frames is None and shape:
        frames = tuple(shape)[0]
    for family in (dense, strided):
        if frames == variants.FAMILIES[family][2][0]:
            return family, f"the model published for {frames} frames"
    other = f"for the one with a strided stem, family={strided!r}"
    return dense, f"the default of the source ({other})"


def _is_slow(architecture):
    """Returns whether it is a Slow network: inflated in res4 and res5 alone."""
    return (
        architecture.stem_kernel[0] == 1
        and architecture.inflate == "3x1x1"
        and architecture.has_kernels("res2", 1)
        and architecture.has_kernels("res3", 1)
        and architecture.has_kernels("res4", 3)
        and architecture.has_kernels("res5", 3)
    )


def head_arguments(source):
    """Returns arguments of `VideoClassifier` that are not its defaults."""
    return {"dropout": 0.3} if source == "lfb" else {}


def frames_of_res3(frames, backbone):
    """Returns the frames after the stem, which are those of res3 to res5."""
    left = (frames - 1) // backbone["stem_strides"][0] + 1
    for name in ("pool1", "pool2"):
        if backbone[name] is not None:
            size, strides, padding = backbone[name]
            left = (left + 2 * padding[0] - size[0]) // strides[0] + 1
    if left < 1:
        raise ConversionError(
            "`frames` must be enough for the poolings of the stem. "
            f"Received: frames={frames}"
        )
    return left


def find_hints(metadata, file_name):
    """Finds what the file says of its blocks outside of its tensors.

    PySlowFast and mmaction2 may save the training configuration, as text. It
    is searched for single words and never evaluated. The published files of
    mmaction2 say the pairwise function in their names.

    Returns:
        A dictionary of `pairwise` and `scale` to a value and where it was
        found.
    """
    meta = metadata.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    texts = (metadata.get("cfg"), meta.get("cfg"), meta.get("config"))
    text = "\n".join(text for text in texts if isinstance(text, str))
    found = {}
    for place, where, pattern in (
        (file_name, "the name of the file", _IN_NAMES),
        (text, "the configuration in the file", _IN_CONFIGURATIONS),
    ):
        match = re.search(pattern, place)
        if match:
            word = next(filter(None, match.groups())).replace("-", "_")
            found["pairwise"] = _PAIRWISE.get(word, word), where
    match = re.search(r"\buse_scale ?= ?(True|False)\b", text)
    if match:
        scale = None if match[1] == "True" else 1.0
        found["scale"] = scale, "the configuration in the file"
    return found


_PAIRWISE = {"softmax": "embedded_gaussian"}
_IN_NAMES = r"(?<![a-z])nl[-_](embedded[-_]gaussian|gaussian|dot[-_]product)"
_IN_CONFIGURATIONS = (
    r"INSTANTIATION: *['\"]?(softmax|dot_product)\b|\bmode ?= ?['\"]"
    r"(embedded_gaussian|gaussian|dot_product|concatenation)['\"]"
)

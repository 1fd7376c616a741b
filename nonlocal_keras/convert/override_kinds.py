"""What kind of value each override takes, checked before it is used.

Values come from the command line as Python literals of any kind. What they
mean is decided in `plan.py` and by the layers, which may rely on this.
"""

import numbers

from nonlocal_keras.convert.name_map import ConversionError
from nonlocal_keras.models.backbones.placement import STAGES

# Beyond what any network has; more would only ask for memory.
MOST = 100_000
LARGEST = 1e30


def _is_integer(least):
    # `type`, since `True` is an `int`.
    return lambda value: type(value) is int and least <= value <= MOST


def _is_number(least, below):
    def holds(value):
        number = isinstance(value, numbers.Real) and type(value) is not bool
        # False for a NaN and for what is too large, too.
        return number and least <= value < below

    return holds


def _is_text(value):
    return isinstance(value, str)


def _is_object(value):
    """Returns whether this is a word or an object, such as a dtype policy."""
    data = (bool, numbers.Number, bytes, list, tuple, dict, set)
    return not isinstance(value, data)


def _is_truth(value):
    return isinstance(value, bool)


def _are(holds, length=None):
    def all_hold(values):
        if not isinstance(values, list | tuple):
            return False
        return length in (None, len(values)) and all(map(holds, values))

    return all_hold


def _any(*kinds):
    return lambda value: any(holds(value) for holds in kinds)


def _is_none(value):
    return value is None


def _is_pooling(value):
    sizes, padding = _are(_is_integer(1), 3), _are(_is_integer(0), 3)
    if not isinstance(value, list | tuple) or len(value) != 3:
        return False
    return sizes(value[0]) and sizes(value[1]) and padding(value[2])


def _is_placement(value):
    if not isinstance(value, dict):
        return False
    return set(value) <= set(STAGES) and all(
        map(_are(_is_integer(0)), value.values())
    )


def _is_options(value):
    return isinstance(value, dict) and all(map(_is_text, value))


_POOLING = (
    _any(_is_none, _is_pooling),
    "(size, strides, padding) of three integers each, or None",
)
_TEXT = (_is_text, "a word")
_COUNT = (_is_integer(1), f"a positive integer, at most {MOST}")
_PART = (_any(_is_number(0, 1), lambda value: value == 1), "from 0 to 1")
_COLORS = (_are(_is_number(-LARGEST, LARGEST), 3), "three numbers")
_OF_STAGES = (_are(_is_integer(1), 4), "four positive integers, one per stage")

# Name of the override: what must hold, in code and in words.
KINDS = {
    "architecture": _TEXT,
    "depth": (_is_integer(1), "a positive integer"),
    "non_local": (
        _any(_is_none, _is_integer(0), _is_placement),
        f"a number of blocks, None, or blocks by stage out of {STAGES}, e.g. "
        "{'res3': (1, 3)}",
    ),
    "normalization": (_any(_is_none, _is_text), "a word or None"),
    "stem_width": (_is_integer(1), "a positive integer"),
    "family": _TEXT,
    "frames": (
        _is_integer(1),
        f"a positive integer, at most {MOST}",
    ),
    "input_shape": (
        _are(_any(_is_none, _is_integer(1)), 4),
        "(frames, height, width, channels), any but the channels None",
    ),
    "stem_strides": (_are(_is_integer(1), 3), "three positive integers"),
    "pool1": _POOLING,
    "pool2": _POOLING,
    "stage_strides": _OF_STAGES,
    "stage_dilations": _OF_STAGES,
    "shift_div": (
        _any(_is_none, _is_integer(1)),
        "a positive integer or None",
    ),
    "epsilon": (_is_number(0, LARGEST), "a number of at least 0"),
    "momentum": (_is_number(0, 1), "a number from 0 to below 1"),
    "synchronized": (_is_truth, "True or False"),
    "implementation": _TEXT,
    "dtype": (_is_object, "the name of a dtype policy"),
    "num_classes": (_is_integer(1), f"a positive integer, at most {MOST}"),
    "fully_convolutional": (
        _any(_is_truth, _are(_is_integer(1), 3)),
        "True, False, or a window of three positive integers",
    ),
    "dropout": (_is_number(0, 1), "a number from 0 to below 1"),
    "activation": (_is_object, "the name of an activation, or None"),
    "name": _TEXT,
    "inflation": _TEXT,
    # Of detectors.
    "strided": _TEXT,
    "non_local_options": (_is_options, "a dictionary of arguments"),
    "keypoint_non_local": (_is_options, "a dictionary of arguments"),
    "anchor_sizes": (
        _are(_are(_is_integer(1)), 5),
        "a tuple of positive integers for each of 5 levels",
    ),
    "aspect_ratios": (_are(_is_number(1e-3, 1e3)), "positive numbers"),
    "anchor_boxes": (
        _are(_are(_are(_is_number(-LARGEST, LARGEST), 4)), 5),
        "a tuple of boxes of four numbers for each of 5 levels",
    ),
    "anchor_strides": (_are(_is_integer(1), 5), "five positive integers"),
    "bgr": (_is_truth, "True or False"),
    "global_context": (
        _any(_is_none, _are(lambda value: value in STAGES)),
        f"a tuple of stages out of {STAGES}, or None",
    ),
    "global_context_options": (_is_options, "a dictionary of arguments"),
    "roi_sampling_ratio": (
        _any(_is_none, _is_integer(1)),
        "a positive integer or None",
    ),
    "roi_shrink": (_is_number(0, LARGEST), "a number of at least 0"),
    "pre_nms_top_n": _COUNT,
    "post_nms_top_n": _COUNT,
    "rpn_iou_threshold": _PART,
    "rpn_ranking": _TEXT,
    "roi_aligned": (_is_truth, "True or False"),
    "score_threshold": _PART,
    "iou_threshold": _PART,
    "detections_per_image": _COUNT,
    "min_size": _COUNT,
    "max_size": _COUNT,
    "mean": _COLORS,
    "std": _COLORS,
    "labels": (_are(_is_text), "names of the classes"),
}
# Those of non-local blocks may also be given as `{stage: value}`.
KINDS_OF_BLOCKS = {
    "pairwise": _TEXT,
    "scale": (
        _any(_is_none, _is_number(-LARGEST, LARGEST)),
        "a number or None",
    ),
    "pool_size": (
        _any(_is_none, _is_integer(1), _are(_is_integer(1), 3)),
        "a positive integer, three of them, or None",
    ),
    "pool_first": (_any(_is_none, _is_truth), "True, False or None"),
    "frame_groups": (_is_integer(1), "a positive integer"),
    "attend_axes": (
        _any(_is_none, _is_text, _are(_is_integer(0))),
        "a word, axes, or None",
    ),
}


def check(overrides):
    """Refuses values of another kind.

    Args:
        overrides: Dictionary of the names of known overrides to their
            values.

    Raises:
        ConversionError: For the first one that does not fit.
    """
    for name, value in overrides.items():
        holds, rule = KINDS.get(name) or KINDS_OF_BLOCKS[name]
        values = [value]
        if name in KINDS_OF_BLOCKS:
            rule += ", or a dictionary of stages to such values"
            values = value.values() if isinstance(value, dict) else values
        if not all(map(holds, values)):
            raise ConversionError(
                f"`{name}` must be {rule}. Received: {name}={value!r}"
            )

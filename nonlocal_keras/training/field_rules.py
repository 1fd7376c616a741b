"""What each field of a recipe may be, for the values that a user sets.

What does not fit is refused before a video is opened: some of it would only
fail at the end of a training.
"""

import ast
import math
import re

# Pixels, frames, clips: beyond this, a zero too many.
MOST = 1_000_000


def _is_integer(least, most=MOST):
    # `type`, since `True` is an `int`.
    return lambda value: type(value) is int and least <= value <= most


def _is_number(value):
    return type(value) in (int, float) and math.isfinite(value)


def _is_range(value):
    whole = len(value) == 2 and all(map(_is_integer(1), value))
    return whole and value[0] <= value[1]


def _are_numbers(value):
    return len(value) == 3 and all(map(_is_number, value))


def _is_schedule(value):
    if value == "cosine":
        return True
    if not isinstance(value, tuple) or not all(map(_is_number, value)):
        return False
    return list(value) == sorted(set(value)) and all(0 < v < 1 for v in value)


_POSITIVE = (_is_integer(1), f"a whole number from 1 to {MOST}")
_COUNT = (_is_integer(1, 10**12), "a positive whole number")
_NATURAL = (_is_integer(0, 10**15), "a whole number of at least 0")
_RATE = (
    lambda value: _is_number(value) and value >= 0,
    "a number of at least 0",
)

# Name of the field: what must hold, in code and in words. Values are of the
# type of the field already, except for those of `schedule`.
RULES = {
    "models": (
        lambda value: value and all(isinstance(v, str) and v for v in value),
        "names joined by +",
    ),
    "dataset": (
        lambda value: re.fullmatch(r"[a-z0-9_]{1,100}", value),
        "lower case, digits and _, since it becomes part of a name",
    ),
    "frames": _POSITIVE,
    "stride": _POSITIVE,
    "size": _POSITIVE,
    "short_side": (_is_range, "two whole numbers (low, high), low <= high"),
    "short_sides": (
        lambda value: value and all(map(_is_integer(1), value)),
        "positive whole numbers, such as (640, 800)",
    ),
    "rpn_samples": _POSITIVE,
    "roi_samples": _POSITIVE,
    "roi_positive_fraction": (
        lambda value: _is_number(value) and 0 < value <= 1,
        "a number above 0, at most 1",
    ),
    "proposals": _POSITIVE,
    "min_size": _POSITIVE,
    "max_size": _POSITIVE,
    "labels": (
        lambda value: value in ("class", "category_id"),
        "class or category_id",
    ),
    "normalization": (
        lambda value: value in ("frozen", "batch"),
        "frozen or batch",
    ),
    "mean": (_are_numbers, "three numbers"),
    "std": (
        lambda value: _are_numbers(value) and min(value) > 0,
        "three numbers above 0",
    ),
    "resize": (
        lambda value: len(value) == 2 and all(map(_is_integer(1), value)),
        "two whole numbers (width, height), or None",
    ),
    "fps": (
        lambda value: _is_number(value) and value > 0,
        "a number above 0, or None to count frames",
    ),
    "steps": _COUNT,
    "batch_size": _POSITIVE,
    "learning_rate": _RATE,
    "schedule": (
        _is_schedule,
        "cosine, or rising fractions of the steps between 0 and 1",
    ),
    "warmup_steps": _NATURAL,
    "weight_decay": _RATE,
    "init": (
        lambda value: len(value) < 4096 and "\0" not in value,
        "imagenet, none, a name of the zoo or a file",
    ),
    "patience": _NATURAL,
    "statistics": (
        lambda value: value in ("moving", "frozen"),
        "moving or frozen",
    ),
    "frozen_stages": (
        lambda value: set(value) <= {"conv1", "res2", "res3", "res4", "res5"},
        "names out of conv1, res2, res3, res4, res5",
    ),
    "dropout": (
        lambda value: _is_number(value) and 0 <= value < 1,
        "a number from 0 to below 1",
    ),
    "seed": (_is_integer(0, 2**32 - 1), "a whole number below 2**32"),
    "epochs": _POSITIVE,
    "test_clips": _POSITIVE,
    "test_crops": (lambda value: value in (1, 3, 10), "1, 3 or 10"),
    "cache_bytes": _NATURAL,
    "render_sizes": (
        lambda value: (
            not value or (len(value) == 3 and all(map(_is_integer(1), value)))
        ),
        "three positive whole numbers, or ()",
    ),
}
# Fields that may be `None`, and an example of what they are if they are not.
OPTIONAL = {"resize": (340, 256), "fps": 30.0}


def checked(name, value, usual):
    """Returns a value that a user sets, in the type of its field.

    Args:
        name: String, the field.
        value: The value; a string is read as a Python literal if the field
            is none.
        usual: The value in the recipe, whose type the field has.

    Raises:
        ValueError: If it is of another type or breaks the rule of the field.
    """
    found = value
    if name in OPTIONAL:
        if value is None or value == "None":
            return None
        usual = OPTIONAL[name]
    # Whatever the schedule is in the recipe, it may be a word or a tuple.
    if isinstance(value, str) and (
        not isinstance(usual, str) or name == "schedule"
    ):
        found = _literal(value)
    if name == "models" and isinstance(found, str):
        found = tuple(found.split("+"))
    if isinstance(usual, float) and type(found) is int:
        # A larger one is refused as what it is.
        found = float(found) if abs(found) <= 10**300 else math.inf
    if isinstance(usual, tuple) and isinstance(found, list):
        found = tuple(found)
    holds, words = RULES.get(name, (lambda value: True, "another value"))
    same = type(found) is type(usual) or name == "schedule"
    if not same or not holds(found):
        rule = words if name in RULES else f"of type {type(usual).__name__}"
        # A field that is empty in the recipe is no example.
        example = f", e.g. {name}={usual}" if holds(usual) else ""
        raise ValueError(
            f"`{name}` must be {rule}{example}. Received: {name}={value!r}"
        )
    return found


def _literal(text):
    try:
        return ast.literal_eval(text)
    # Nesting runs out of memory or stack; a list is no key of a dictionary.
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return text

"""Which anchors and proposals a detector learns from: the rules, checked."""

import numbers

from nonlocal_keras.layers import arguments

# Those of the published detectors.
OPTIONS = {
    "rpn_iou_thresholds": (0.3, 0.7),
    "rpn_samples": 256,
    "rpn_positive_fraction": 0.5,
    "pre_nms_top_n": 2000,
    "post_nms_top_n": 2000,
    "roi_iou_threshold": 0.5,
    "roi_samples": 512,
    "roi_positive_fraction": 0.25,
}


def standardize(options):
    """Checks the rules, and brings each into one form.

    Args:
        options: Dictionary with the keys of `OPTIONS`.

    Returns:
        Dictionary of the same keys.

    Raises:
        ValueError: If one is outside its rule.
    """
    thresholds = options["rpn_iou_thresholds"]
    if (
        not isinstance(thresholds, (tuple, list))
        or len(thresholds) != 2
        or not all(map(_is_number, thresholds))
        or not 0 <= thresholds[0] <= thresholds[1] <= 1
    ):
        raise ValueError(
            "`rpn_iou_thresholds` must be two numbers from 0 to 1, below the "
            "first of which an anchor is background, and from the second of "
            "which it is an object, e.g. (0.3, 0.7). Received: "
            f"rpn_iou_thresholds={thresholds}"
        )
    for name in ("pre_nms_top_n", "post_nms_top_n"):
        arguments.check_positive_int(name, options[name])
    threshold = options["roi_iou_threshold"]
    if not _is_number(threshold) or not 0 < threshold <= 1:
        raise ValueError(
            "`roi_iou_threshold` must be a number above 0, up to 1. Received: "
            f"roi_iou_threshold={threshold!r}"
        )
    for kind in ("rpn", "roi"):
        count, part = f"{kind}_samples", f"{kind}_positive_fraction"
        arguments.check_positive_int(count, options[count])
        if not _is_number(options[part]) or not 0 <= options[part] <= 1:
            raise ValueError(
                f"`{part}` must be a number from 0 to 1. Received: "
                f"{part}={options[part]!r}"
            )
        if int(options[count] * options[part]) < 1:
            raise ValueError(
                f"`{part}` of `{count}` must be at least one sample, or "
                f"nothing is learned of objects. Received: "
                f"{part}={options[part]}, {count}={options[count]}"
            )
    return {**options, "rpn_iou_thresholds": tuple(thresholds)}


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)

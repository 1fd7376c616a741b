"""The numbers of COCO, by name."""

import dataclasses

import numpy as np

_OF_AREAS = (
    *("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large"),
    *("AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large"),
)
# Of a single class: the mean over the ten overlaps from 0.5 to 0.95, and the
# first and the sixth of them.
_OF_CLASSES = {"AP": slice(None), "AP50": slice(0, 1), "AP75": slice(5, 6)}
# Precision at thresholds and sizes, then recall, in the order in which the
# library gives them. No keypoints are labeled on small objects.
NAMES = {
    "boxes": _OF_AREAS,
    "masks": _OF_AREAS,
    "keypoints": (
        *("AP", "AP50", "AP75", "AP_medium", "AP_large"),
        *("AR", "AR50", "AR75", "AR_medium", "AR_large"),
    ),
}


@dataclasses.dataclass(frozen=True)
class CocoResult:
    """Average precision and recall; `str` makes a table of them.

    Attributes:
        numbers: Dictionary from `"boxes"`, `"masks"` or `"keypoints"` to a
            dictionary from a name, such as `"AP50"`, to a float between 0 and
            1. `None` where no object is of that kind or size, so that there is
            nothing to measure.
        images: Integer, number of images that were measured.
        by_class: Dictionary from the same kinds to a dictionary from the name
            of a class to one of its `"AP"`, `"AP50"` and `"AP75"`.
    """

    numbers: dict
    images: int
    by_class: dict

    def __str__(self):
        kinds = list(self.numbers)
        names = dict.fromkeys(name for k in kinds for name in NAMES[k])
        rows = [[f"{self.images} images", *kinds]]
        for name in names:
            cells = [_cell(self.numbers[k], name) for k in kinds]
            rows.append([name, *cells])
        return _aligned(rows)

    def table_by_class(self):
        """Returns a table of a row per class."""
        heads = [(kind, key) for kind in self.by_class for key in _OF_CLASSES]
        names = dict.fromkeys(
            name for classes in self.by_class.values() for name in classes
        )
        rows = [["class", *(f"{kind} {key}" for kind, key in heads)]]
        for name in names:
            cells = [
                _cell(self.by_class[kind].get(name, {}), key)
                for kind, key in heads
            ]
            rows.append([name, *cells])
        return _aligned(rows)


def _aligned(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        )
        for row in rows
    )


def named(kind, values):
    """Names the numbers of the library.

    Args:
        kind: String, a key of `NAMES`.
        values: Sequence of floats in the order of `NAMES`; -1 stands for what
            cannot be measured.

    Returns:
        Dictionary from names to floats or `None`.
    """
    return {
        name: float(value) if value >= 0 else None
        for name, value in zip(NAMES[kind], values, strict=True)
    }


def named_by_class(names, precision):
    """Names the precision of each class.

    Args:
        names: Sequence of strings, the classes.
        precision: Array `(10, recalls, classes, sizes, maxima)` of the
            library: of overlaps, of all sizes first, of the most detections
            last; -1 stands for what cannot be measured.

    Returns:
        Dictionary from names of classes to dictionaries from names to floats
        or `None`.
    """
    # (classes, overlaps, recalls)
    values = np.moveaxis(np.asarray(precision)[:, :, :, 0, -1], 2, 0)
    return {
        name: {
            key: None if value.min() < 0 else float(value[overlaps].mean())
            for key, overlaps in _OF_CLASSES.items()
        }
        for name, value in zip(names, values, strict=True)
    }


def _cell(numbers, name):
    if name not in numbers:
        return ""
    value = numbers[name]
    return "-" if value is None else f"{value:.3f}"

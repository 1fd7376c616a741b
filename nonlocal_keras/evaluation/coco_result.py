"""The numbers of COCO, by name."""

import dataclasses

_OF_AREAS = (
    *("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large"),
    *("AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large"),
)
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
    """

    numbers: dict
    images: int

    def __str__(self):
        kinds = list(self.numbers)
        names = dict.fromkeys(name for k in kinds for name in NAMES[k])
        rows = [[f"{self.images} images", *kinds]]
        for name in names:
            cells = [_cell(self.numbers[k], name) for k in kinds]
            rows.append([name, *cells])
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


def _cell(numbers, name):
    if name not in numbers:
        return ""
    value = numbers[name]
    return "-" if value is None else f"{value:.3f}"

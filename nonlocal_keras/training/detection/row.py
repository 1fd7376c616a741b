"""One detector in the report of a run: its size and its precision."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    """One model of the comparison.

    Attributes:
        model: String, name of the model.
        description: String, what `MaskRCNN.describe` says.
        parameters: Integer, number of weights without statistics.
        macs: Integer, multiply-adds of a square image of the shorter side.
        numbers: Dictionary of what was measured, `"boxes"` and the like, to
            the numbers of COCO by name, see
            `nonlocal_keras.evaluation.coco_result`.
        by_class: Dictionary of the same kinds to those numbers of each class.
        images: Integer, number of test images that were read.
        skipped: Integer, number of broken test images.
        protocol: String, how the test was made.
        seconds: Float, duration of the training.
    """

    model: str
    description: str
    parameters: int
    macs: int
    numbers: dict
    by_class: dict
    images: int
    skipped: int
    protocol: str
    seconds: float

    @property
    def score(self):
        """What models are compared by: the AP of boxes."""
        return self.numbers["boxes"]["AP"] or 0.0

    def cells(self):
        """Returns the row of the report, by column."""
        cells = {"model": self.model, "params": f"{self.parameters:,}"}
        for kind, numbers in self.numbers.items():
            for name in ("AP", "AP50"):
                value = numbers.get(name)
                text = "-" if value is None else f"{value:.1%}"
                cells[f"{kind} {name}"] = text
        return {**cells, "test images": str(self.images)}

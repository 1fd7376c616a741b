"""One classifier in the report of a run: its cost and its accuracy."""

import dataclasses

from nonlocal_keras.analysis import macs


@dataclasses.dataclass(frozen=True)
class Row:
    """One model of the comparison.

    Attributes:
        model: String, name of the model.
        description: String, what `VideoResNet.describe` says.
        parameters: Integer, number of weights.
        macs: Integer, multiply-adds per clip.
        top1: Float between 0 and 1.
        interval: Tuple of 2 floats, the 95% interval of `top1`.
        top5: Float between 0 and 1.
        videos: Integer, number of test videos that were read.
        skipped: Integer, number of broken test videos.
        protocol: String, how the test took its views.
        seconds: Float, duration of the training.
    """

    model: str
    description: str
    parameters: int
    macs: int
    top1: float
    interval: tuple
    top5: float
    videos: int
    skipped: int
    protocol: str
    seconds: float

    @property
    def score(self):
        """What models are compared by."""
        return self.top1

    def cells(self):
        """Returns the row of the report, by column."""
        low, high = self.interval
        return {
            "model": self.model,
            "params": f"{self.parameters:,}",
            "MACs": f"{self.macs / 1e6:.1f} M",
            "top-1": f"{self.top1:.1%}",
            "95% interval": f"{low:.1%} to {high:.1%}",
            "test videos": str(self.videos),
        }


def make_row(name, model, evaluation, seconds):
    """Returns the cost of a model and its accuracy.

    Args:
        name: String, name of the model.
        model: A `VideoClassifier` with a known input shape.
        evaluation: A `nonlocal_keras.Evaluation`.
        seconds: Float, duration of the training.

    Returns:
        A `Row`.
    """
    cost = macs.total(macs.count(model))
    return Row(
        model=name,
        description=model.backbone.describe(),
        parameters=cost.parameters,
        macs=cost.macs,
        top1=evaluation.top1,
        interval=evaluation.interval,
        top5=evaluation.top5,
        videos=evaluation.videos,
        skipped=evaluation.skipped,
        protocol=evaluation.protocol,
        seconds=seconds,
    )

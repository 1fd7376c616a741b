"""How videos are tested: which views, and how they become one prediction."""

import dataclasses

import keras

from nonlocal_keras.models import VideoClassifier

# What is averaged, and how a protocol says it.
AVERAGES = {
    "probabilities": "mean of probabilities",
    "logits": "mean of logits",
    "maximum": "maximum of probabilities",
}


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The test of a video, as the `views` of a zoo record state it.

    Attributes:
        clips: Integer, clips spread over the video; 1 stands in its middle.
            Defaults to `1`.
        crops: Integer, crops per clip: 1, 3 or 10. Defaults to `1`.
        size: Integer, side of the crops in pixels; `None` for that of the
            clips that the model takes. Defaults to `None`.
        window: Tuple of 3 integers, the average pooling before the classifier,
            which slides over the features; `None` for the pooling of the
            model. Defaults to `None`.
        average: String, one of `AVERAGES`. Defaults to `"probabilities"`.
        rule: String, where the clips and crops lie: see
            `nonlocal_keras.data.view_indices`. Defaults to `"vnl"`.
    """

    clips: int = 1
    crops: int = 1
    size: int | None = None
    window: tuple | None = None
    average: str = "probabilities"
    rule: str = "vnl"

    def __post_init__(self):
        if self.average not in AVERAGES:
            raise ValueError(
                f"`average` must be one of {tuple(AVERAGES)}. "
                f"Received: {self.average!r}"
            )

    def read_views(self, reader, index):
        """Returns the views of a video, `None` for a broken one.

        Args:
            reader: A `nonlocal_keras.data.ClipReader`.
            index: Integer, position in the list of videos.

        Returns:
            uint8 array `(views, frames, size, size, 3)`.
        """
        return reader.test_views(
            index, self.clips, self.crops, self.rule, self.size
        )

    def make_scorer(self, model):
        """Returns the model whose scores of views `combine` takes.

        Args:
            model: A `nonlocal_keras.models.VideoClassifier`, or where this
                protocol asks for no `window` and no logits any function from
                clips to probabilities.

        Raises:
            ValueError: If `model` is no classifier and has to be one.
        """
        if self.window is None and self.average != "logits":
            return model
        if not isinstance(model, VideoClassifier):
            raise ValueError(
                "`model` must be a nonlocal_keras.models.VideoClassifier for a "
                "`window` or an `average` of logits, which are of its head. "
                f"Received: model={model!r}, window={self.window}, "
                f"average={self.average!r}"
            )
        scorer = model
        if self.window is not None:
            scorer = model.with_head(pool_size=tuple(self.window))
            # The same weights under a pooling that slides.
            weights = model.get_layer("pred").get_weights()
            scorer.get_layer("pred").set_weights(weights)
        return scorer.logits if self.average == "logits" else scorer

    def combine(self, scores, model):
        """Returns one prediction per video of the scores of its views.

        Args:
            scores: Array `(videos, views, classes)` of what `make_scorer`
                gives.
            model: The model or function that was given to `make_scorer`.

        Returns:
            Array `(videos, classes)`.
        """
        if self.average == "maximum":
            return scores.max(axis=1)
        mean = scores.mean(axis=1)
        if self.average == "logits":
            return keras.ops.convert_to_numpy(model.activation(mean))
        return mean

    def describe(self, spec):
        """Returns this protocol in words; what is usual is left out.

        Args:
            spec: The `nonlocal_keras.data.ClipSpec` of the clips.

        Returns:
            String.
        """
        words = f"{self.clips} x {self.crops} views of {spec.frames} frames"
        words += f", stride {spec.stride}"
        if spec.fps is not None:
            words += f" at {spec.fps:g} frames per second"
        if self.rule != "vnl":
            words += f", placed as by {self.rule}"
        if spec.resize is not None:
            words += ", of frames stretched to {} x {}".format(*spec.resize)
        words += f", {self.size or spec.size} pixels"
        if self.window is not None:
            words += ", under a sliding window of {} x {} x {}".format(
                *self.window
            )
        return f"{words}; {AVERAGES[self.average]}"

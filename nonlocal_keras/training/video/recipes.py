"""Training recipes of classifiers of videos."""

import dataclasses
import typing

from nonlocal_keras.data.clip_spec import ClipSpec
from nonlocal_keras.training.recipe import Recipe


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoRecipe(Recipe, ClipSpec):
    """What training adds to the specification of its clips.

    So each field has one name: in recipes, flags, overrides, and in what the
    folder of a run remembers. The defaults are those of section 4.1 of the
    paper in the 8-frame form of the release.

    Attributes:
        family: String, the family of the models.
        dropout: Float, rate before the classifier. Defaults to `0.5`.
        test_clips: Integer, clips per video in the final test. Defaults to
            `10`.
        test_crops: Integer, crops per clip in the final test. Defaults to
            `3`.
        cache_bytes: Integer, memory for decoded videos. Defaults to `0`.
    """

    task: typing.ClassVar[str] = "video"

    family: str
    steps: int = 400_000
    batch_size: int = 64
    learning_rate: float = 0.01
    schedule: object = (0.375, 0.75)
    dropout: float = 0.5
    epochs: int = 100
    test_clips: int = 10
    test_crops: int = 3
    cache_bytes: int = 0

    @property
    def clip_spec(self):
        """The specification of the clips alone."""
        names = [field.name for field in dataclasses.fields(ClipSpec)]
        return ClipSpec(**{name: getattr(self, name) for name in names})


# The benchmark that the package renders itself (docs/design.md).
_LONGRANGE = VideoRecipe(
    models=("nl_c2d_tiny", "c2d_tiny"),
    dataset="longrange",
    family="tiny",
    frames=4,
    stride=4,
    size=32,
    short_side=(36, 36),
    steps=1800,
    batch_size=32,
    optimizer="adamw",
    learning_rate=5e-3,
    schedule="cosine",
    warmup_steps=60,
    weight_decay=0.01,
    dropout=0.0,
    epochs=10,
    test_clips=1,
    test_crops=1,
    cache_bytes=1_000_000_000,
    render_sizes=(6000, 500, 2000),
)

# A start for a small folder of one's own, in minutes without an accelerator.
_SMALL = VideoRecipe(
    models=("nl_c2d_tiny",),
    dataset="small",
    family="tiny",
    frames=8,
    stride=4,
    size=64,
    # One size only: decoded videos stay in memory.
    short_side=(72, 72),
    steps=600,
    batch_size=16,
    optimizer="adamw",
    learning_rate=2e-3,
    schedule="cosine",
    warmup_steps=30,
    weight_decay=0.01,
    dropout=0.2,
    epochs=10,
    test_clips=2,
    test_crops=1,
    cache_bytes=1_000_000_000,
)


def _kinetics(model):
    """Section 4.1 of the paper, in the 8-frame form of the release."""
    return VideoRecipe(models=(model,), dataset="kinetics", family="vnl_8x8")


RECIPES = {
    "longrange": _LONGRANGE,
    "small": _SMALL,
    **{
        f"{model}_kinetics": _kinetics(model)
        for model in (
            "c2d_r50",
            "nl_c2d_r50",
            "i3d_r50",
            "nl_i3d_r50",
            "nl_c2d_r101",
            "nl_i3d_r101",
        )
    },
}

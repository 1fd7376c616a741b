"""Training recipes of classifiers of videos."""

import dataclasses
import typing

from nonlocal_keras.data.clip_spec import ClipSpec
from nonlocal_keras.training.recipe import Recipe

# The family of a recipe whose models are what `init` names.
OF_INIT = "init"


@dataclasses.dataclass(frozen=True, kw_only=True)
class VideoRecipe(Recipe, ClipSpec):
    """What training adds to the specification of its clips.

    So each field has one name: in recipes, flags, overrides, and in what the
    folder of a run remembers. The defaults are those of section 4.1 of the
    paper in the 8-frame form of the release.

    Attributes:
        family: String, the family of the models; `"init"`, with the same word
            as `models`, for the network of `init`, whose clips are taken where
            `frames` and the like are empty.
        statistics: String, `"moving"` for batch normalizations that learn,
            or `"frozen"` for those that `init` gave its statistics, to keep
            them with scale and offset. Defaults to `"moving"`.
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
    statistics: str = "moving"
    dropout: float = 0.5
    epochs: int = 100
    test_clips: int = 10
    test_crops: int = 3
    cache_bytes: int = 0

    def __post_init__(self):
        # Empty until it is known what the run starts from.
        if self.family != OF_INIT or min(self.short_side):
            super().__post_init__()

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


# A hundred videos of one's own and a model that knows others: clips are those
# of the model, where they are empty here, and the best weights are kept.
_FINETUNE = VideoRecipe(
    models=(OF_INIT,),
    family=OF_INIT,
    init="nl_c2d_tiny_longrange",
    dataset="finetuned",
    frames=0,
    stride=0,
    size=0,
    short_side=(0, 0),
    mean=(),
    std=(),
    steps=600,
    batch_size=8,
    optimizer="adamw",
    learning_rate=5e-4,
    schedule="cosine",
    warmup_steps=30,
    weight_decay=0.01,
    epochs=20,
    patience=6,
    test_clips=4,
    test_crops=1,
    cache_bytes=1_000_000_000,
)


def _kinetics(model):
    """Section 4.1 of the paper, in the 8-frame form of the release."""
    return VideoRecipe(
        models=(model,), dataset="kinetics", family="vnl_8x8", init="imagenet"
    )


def _long_clips(model):
    """Section 5.1, 128 frames, as the release trains it: from 32 frames.

    The release starts from the baseline, whose statistics stay frozen.
    """
    architecture = model.removeprefix("nl_")
    return VideoRecipe(
        models=(model,),
        dataset="kinetics_128",
        family="vnl_128x1",
        init=f"{architecture}_kinetics.vnl_32x2",
        frames=128,
        stride=1,
        batch_size=16,
        learning_rate=0.0025,
    )


RECIPES = {
    "longrange": _LONGRANGE,
    "small": _SMALL,
    "finetune": _FINETUNE,
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
    **{
        f"{model}_kinetics_128": _long_clips(model)
        for model in ("c2d_r50", "i3d_r50", "nl_i3d_r50")
    },
}

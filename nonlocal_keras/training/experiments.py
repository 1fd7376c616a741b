"""Training recipes by name: which models, which clips, which optimizer."""

import dataclasses
import difflib

from nonlocal_keras.data.clip_spec import ClipSpec
from nonlocal_keras.training import field_rules


@dataclasses.dataclass(frozen=True, kw_only=True)
class Experiment(ClipSpec):
    """One recipe. Every field can be set by `--overrides=field=value`.

    It is the specification of its clips and what training adds to it, so that
    each field has one name: in recipes, flags, overrides, and in what the
    folder of a run remembers.

    Attributes:
        models: Tuple of strings, names of models, see
            `nonlocal_keras.models.from_name`; they are trained in turn on the
            same clips and compared.
        dataset: String, name of the data set in reports and in the zoo.
        family: String, the family of the models.
        steps: Integer, number of updates. Defaults to `400_000`.
        batch_size: Integer, clips per update over all replicas. Defaults to
            `64`.
        optimizer: String, `"adamw"` or `"sgd"` (Nesterov momentum 0.9).
            Defaults to `"sgd"`.
        learning_rate: Float, the highest. Defaults to `0.01`.
        schedule: String `"cosine"`, or Tuple of the fractions of `steps`
            after which the rate falls to a tenth. Defaults to
            `(0.375, 0.75)`.
        warmup_steps: Integer, steps of linear growth of the rate. Defaults to
            `0`.
        weight_decay: Float, on kernels; decoupled for AdamW, L2 for SGD.
            Defaults to `1e-4`.
        dropout: Float, rate before the classifier. Defaults to `0.5`.
        seed: Integer, of weights, order, crops and dropout. Defaults to `1`.
        epochs: Integer, number of parts of the run; after each of them the
            model is validated and saved. Defaults to `100`.
        test_clips: Integer, clips per video in the final test. Defaults to
            `10`.
        test_crops: Integer, crops per clip in the final test. Defaults to
            `3`.
        cache_bytes: Integer, memory for decoded videos. Defaults to `0`.
        render_sizes: Tuple of 3 integers, training, validation and test
            videos of a data set that is rendered; empty for one that is not.
            Defaults to `()`.
    """

    models: tuple
    dataset: str
    family: str
    steps: int = 400_000
    batch_size: int = 64
    optimizer: str = "sgd"
    learning_rate: float = 0.01
    schedule: object = (0.375, 0.75)
    warmup_steps: int = 0
    weight_decay: float = 1e-4
    dropout: float = 0.5
    seed: int = 1
    epochs: int = 100
    test_clips: int = 10
    test_crops: int = 3
    cache_bytes: int = 0
    render_sizes: tuple = ()

    @property
    def clip_spec(self):
        """The specification of the clips alone."""
        names = [field.name for field in dataclasses.fields(ClipSpec)]
        return ClipSpec(**{name: getattr(self, name) for name in names})

    def override(self, assignments):
        """Returns the recipe with changed fields.

        Args:
            assignments: Dictionary of field to value; a string is read as a
                Python literal if it is one.

        Raises:
            ValueError: For an unknown field, a value of another type, or one
                that breaks the rule of its field.
        """
        fields = {field.name for field in dataclasses.fields(self)}
        changes = {}
        for name, value in assignments.items():
            if name not in fields:
                near = difflib.get_close_matches(name, fields, n=3)
                raise ValueError(
                    "`overrides` must name a field of the experiment: "
                    f"{', '.join(sorted(fields))}. Received: {name!r}."
                    + (f" Did you mean {near}?" if near else "")
                )
            usual = getattr(self, name)
            changes[name] = field_rules.checked(name, value, usual)
        # What holds between the fields is checked as it is made.
        return dataclasses.replace(self, **changes)


# The benchmark that the package renders itself (docs/design.md).
_LONGRANGE = Experiment(
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
_SMALL = Experiment(
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
    return Experiment(models=(model,), dataset="kinetics", family="vnl_8x8")


EXPERIMENTS = {
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


def get_experiment(name):
    """Returns a recipe by name.

    Args:
        name: String, one of `EXPERIMENTS`.

    Raises:
        ValueError: For an unknown name, with the near ones.
    """
    if name not in EXPERIMENTS:
        near = difflib.get_close_matches(name, EXPERIMENTS, n=3, cutoff=0.4)
        raise ValueError(
            f"`experiment` must be one of {', '.join(EXPERIMENTS)}. "
            f"Received: {name!r}." + (f" Did you mean {near}?" if near else "")
        )
    return EXPERIMENTS[name]

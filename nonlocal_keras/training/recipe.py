"""What the training recipes of all tasks have in common."""

import dataclasses
import difflib
import typing

from nonlocal_keras.training import field_rules


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """One recipe. Every field can be set by `--overrides=field=value`.

    Attributes:
        models: Tuple of strings, names of models, see
            `nonlocal_keras.models.from_name`; they are trained in turn on the
            same data and compared.
        dataset: String, name of the data set in reports and in the zoo.
        steps: Integer, number of updates.
        batch_size: Integer, examples per update over all replicas.
        optimizer: String, `"adamw"`, or with a momentum of 0.9 `"sgd"`, in
            Nesterov's form, or `"momentum"`, in the plain one. Defaults to
            `"sgd"`.
        learning_rate: Float, the highest.
        schedule: String `"cosine"`, or Tuple of the fractions of `steps`
            after which the rate falls to a tenth.
        warmup_steps: Integer, steps of linear growth of the rate. Defaults to
            `0`.
        weight_decay: Float, on kernels; decoupled for AdamW, L2 else.
            Defaults to `1e-4`.
        init: String, the weights that a run starts from: `""` or `"none"` for
            random ones, `"imagenet"`, a name of the zoo, or a file; see
            `nonlocal_keras.training.initial`. Defaults to `""`.
        patience: Integer, epochs without a better validation after which
            training ends, with the best weights; 0 trains to the end and
            keeps the last ones. Defaults to `0`.
        seed: Integer, of weights and of all that is drawn. Defaults to `1`.
        epochs: Integer, number of parts of the run; after each of them the
            model is validated and saved.
        render_sizes: Tuple of 3 integers, examples for training, validation
            and test of a data set that is rendered; empty for one that is
            not. Defaults to `()`.
    """

    # The folder beside this file that trains by such recipes.
    task: typing.ClassVar[str]

    models: tuple
    dataset: str
    steps: int
    batch_size: int
    optimizer: str = "sgd"
    learning_rate: float
    schedule: object
    warmup_steps: int = 0
    weight_decay: float = 1e-4
    init: str = ""
    patience: int = 0
    seed: int = 1
    epochs: int
    render_sizes: tuple = ()

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

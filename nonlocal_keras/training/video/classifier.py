"""The classifier that a recipe trains."""

from nonlocal_keras import models
from nonlocal_keras.models.weight_names import norms_of
from nonlocal_keras.training import initial as initials
from nonlocal_keras.training import optimizers
from nonlocal_keras.training.video.recipes import OF_INIT

HEAD = ("pred",)
# What a network does beside its weights.
_HABITS = (
    "stem_strides",
    "pool1",
    "pool2",
    "stage_strides",
    "stage_dilations",
    "shift_div",
)
_HABITS_OF_BLOCKS = (
    "pairwise",
    "scale",
    "pool_size",
    "pool_first",
    "frame_groups",
    "attend_axes",
)


def build_model(recipe, name, classes, synchronized=False, initial=None):
    """Returns the classifier of a recipe with new weights.

    Args:
        recipe: A `nonlocal_keras.training.video.recipes.VideoRecipe`.
        name: String, a name for `nonlocal_keras.models.from_name`.
        classes: Integer, the number of classes.
        synchronized: Boolean, whether replicas share batch statistics.
            Defaults to `False`.
        initial: The `nonlocal_keras.training.initial.Initial` of a recipe
            whose model is what `init` names. Defaults to `None`.

    Returns:
        A `nonlocal_keras.models.VideoClassifier`.
    """
    spec = recipe.clip_spec
    options = {
        "input_shape": (spec.frames, spec.size, spec.size, 3),
        "synchronized": synchronized,
        "kernel_regularizer": optimizers.make_l2(recipe),
    }
    if recipe.family == OF_INIT:
        config = {**initial.model.backbone.get_config(), **options}
        config.pop("name")
        backbone = models.VideoResNet(**config)
    else:
        backbone = models.from_name(name, family=recipe.family, **options)
    return models.VideoClassifier(
        backbone, classes, dropout=recipe.dropout, name=name
    )


def start(model, recipe, initial, classes, directory, say=None):
    """Gives a classifier the weights that a run starts from.

    Args:
        model: A `nonlocal_keras.models.VideoClassifier`.
        recipe: A `nonlocal_keras.training.video.recipes.VideoRecipe`.
        initial: A `nonlocal_keras.training.initial.Initial`, or `None` for
            random weights.
        classes: Sequence of strings, the names of the classes.
        directory: `pathlib.Path` of the folder of the run.
        say: Function that shows a text to the user. Defaults to `None`, for a
            run that goes on: nothing.

    Raises:
        ValueError: If the weights are of another network.
    """
    say = say or (lambda text: None)
    config = model.backbone.get_config()
    frozen = recipe.statistics == "frozen"
    if initial is None:
        if frozen or config["normalization"] == "affine":
            say(initials.FROZEN_NOISE.format(model.name))
        return
    fresh = HEAD
    if initial.model is None:
        depth = 3 * sum(config["stage_blocks"]) + 2
        backbone = initials.read_depth(
            initial, depth, 1, recipe.mean, recipe.std
        )
        source, notes = backbone.weights, list(backbone.notes)
        if backbone.strided != "3x3":
            notes.append(
                "here that stride is on the 3x3 convolution: a start for "
                "training, not the same network"
            )
    else:
        _check_kind(initial)
        source, notes = initial.model, _differences(model, recipe, initial)
        if _same_classes(initial.model, classes):
            fresh = ()
    say(f"{model.name} starts from {initial.name}:")
    transfer = initials.take(model, initial, source, fresh, directory, say)
    if fresh:
        say(f"fresh classifier of {model.num_classes} classes")
    for note in notes:
        say(f"note: {note}")
    if frozen:
        taken = set(transfer.taken)
        for name, layer in norms_of(model):
            # A new block would stay the identity with a frozen gamma of 0.
            layer.trainable = f"{name}.gamma" not in taken


def _check_kind(initial):
    if not isinstance(
        initial.model, (models.VideoClassifier, models.VideoResNet)
    ):
        raise ValueError(
            "`init` must be of a classifier of videos or of a 2D network for "
            f"this experiment. Received: init={initial.name!r}, a "
            f"{type(initial.model).__name__}"
        )


def _same_classes(model, classes):
    labels = getattr(model, "labels", None)
    return labels is not None and tuple(labels) == tuple(classes)


def _differences(model, recipe, initial):
    """Returns what the network of a source does otherwise, as sentences."""
    source = initial.model
    theirs = getattr(source, "backbone", source).get_config()
    ours = model.backbone.get_config()
    found = [
        f"{key} {theirs[key]} there, {ours[key]} here"
        for key in _HABITS
        if _plain(theirs[key]) != _plain(ours[key])
    ]
    blocks = {
        la.name: la for la in _blocks(getattr(source, "backbone", source))
    }
    for block in _blocks(model.backbone):
        if block.name in blocks:
            old, new = blocks[block.name].get_config(), block.get_config()
            found += [
                f"{block.name}: {key} {old[key]} there, {new[key]} here"
                for key in _HABITS_OF_BLOCKS
                if _plain(old[key]) != _plain(new[key])
            ]
    preprocessing = getattr(source, "preprocessing", None) or {}
    for key in ("mean", "std"):
        value = preprocessing.get(key, getattr(recipe, key))
        if _plain(value) != _plain(getattr(recipe, key)):
            found.append(f"{key} {value} there, {getattr(recipe, key)} here")
    return [f"the network differs in {found}"] if found else []


def _blocks(backbone):
    names = models.weight_names.blocks_of(backbone)
    return [backbone.get_layer(name) for name in names]


def _plain(value):
    if isinstance(value, (list, tuple)):
        return tuple(map(_plain, value))
    return value

"""The detector that a recipe trains."""

import dataclasses
import re

from nonlocal_keras import models
from nonlocal_keras.models.backbones.placement import STAGES
from nonlocal_keras.models.detection import variants
from nonlocal_keras.models.weight_names import layers_of
from nonlocal_keras.training import initial as initials
from nonlocal_keras.training import optimizers

# Layers that tell the classes apart.
HEADS = ("box_class", "box_deltas", "mask_logits")
# Arguments of a detector that are of the recipe, or of the name of the model.
_OF_RECIPE = {
    "num_classes",
    "labels",
    "min_size",
    "max_size",
    "masks",
    "num_keypoints",
    "keypoint_non_local",
    "dtype",
    "name",
    "trainable",
}
_FROZEN = {"conv1": r"conv1.*", **{s: rf"{s}_.*" for s in STAGES}}


def build_model(
    recipe, name, dataset, class_names, synchronized=False, options=None
):
    """Returns the detector of a recipe with new weights.

    Args:
        recipe: A
            `nonlocal_keras.training.detection.recipes.DetectionRecipe`.
        name: String, a name for `nonlocal_keras.models.from_name`.
        dataset: A `nonlocal_keras.data.coco.CocoDataset`, whose joints are
            learned by a keypoint head.
        class_names: Tuple of strings by label, the background first.
        synchronized: Boolean, whether replicas share batch statistics.
            Defaults to `False`.
        options: Dictionary of `options_of` the weights that it starts from.
            Defaults to `None`.

    Returns:
        A `nonlocal_keras.models.MaskRCNN`.

    Raises:
        ValueError: If there is a keypoint head and there are no joints.
    """
    batch = recipe.normalization == "batch"
    # Where statistics are frozen, only the backbone has any.
    options = {"normalization": "batch" if batch else None, **(options or {})}
    if "keypoint" in name:
        options["num_keypoints"] = len(dataset.keypoint_names)
    options["backbone"] = {
        **options.get("backbone", {}),
        "normalization": recipe.normalization,
        # Frozen statistics are shared anyway.
        "synchronized": synchronized and batch,
    }
    return models.from_name(
        name,
        num_classes=len(class_names),
        labels=class_names,
        min_size=recipe.min_size,
        max_size=recipe.max_size,
        **options,
    )


def depth_of(name):
    """Returns depth and groups of the backbone that a name has."""
    size = re.fullmatch(variants.NAME, name)[3]
    options = variants.BACKBONES[size]
    return 3 * sum(options["stage_blocks"]) + 2, options.get("groups", 1)


@dataclasses.dataclass(frozen=True, eq=False)
class Start:
    """What a detector starts from.

    Attributes:
        initial: `nonlocal_keras.training.initial.Initial`.
        source: A detector or backbone, or
            `nonlocal_keras.models.weight_names.NamedWeights`.
        options: Dictionary of arguments with which a detector computes what
            the source did.
        labels: Tuple of its class names, or `None`.
        notes: Tuple of sentences.
    """

    initial: initials.Initial
    source: object
    options: dict
    labels: tuple | None
    notes: tuple


def read_start(recipe, name):
    """Reads the weights that a detector starts from.

    Args:
        recipe: A
            `nonlocal_keras.training.detection.recipes.DetectionRecipe`.
        name: String, one of `recipe.models`.

    Returns:
        A `Start`, or `None` for random weights.

    Raises:
        ValueError: If there are no such weights.
    """
    initial = initials.open_initial(recipe.init)
    if initial is None:
        return None
    if initial.model is None:
        backbone = initials.read_depth(initial, *depth_of(name))
        options, notes = backbone.options, backbone.notes
        return Start(initial, backbone.weights, options, None, notes)
    model = initial.model
    if isinstance(model, models.ImageResNet):
        options = {"backbone": _of_backbone(model, name)}
        return Start(initial, model, options, None, ())
    if not isinstance(model, models.MaskRCNN):
        raise ValueError(
            "`init` must be of a detector or of a 2D network for this "
            f"experiment. Received: init={initial.name!r}, a "
            f"{type(model).__name__}"
        )
    config = model.get_config()
    config.pop("backbone")
    options = {k: v for k, v in config.items() if k not in _OF_RECIPE}
    if isinstance(model.backbone, models.ImageResNet):
        options["backbone"] = _of_backbone(model.backbone, name)
    return Start(initial, model, options, model.labels, ())


def _of_backbone(model, name):
    """Returns arguments of a backbone that are not of the name of a model."""
    config = model.get_config()
    names = ["strided", "epsilon", "momentum"]
    names += ["global_context", "global_context_options"]
    if config["non_local"] and re.fullmatch(variants.NAME, name)[1] == "nl_":
        names += ["non_local", "non_local_options"]
    return {key: config[key] for key in names}


def fill(model, recipe, start, directory, say=None):
    """Gives a detector the weights that a run starts from, and freezes some.

    Args:
        model: A `nonlocal_keras.models.MaskRCNN`.
        recipe: A
            `nonlocal_keras.training.detection.recipes.DetectionRecipe`.
        start: A `Start`, or `None` for random weights.
        directory: `pathlib.Path` of the folder of the run.
        say: Function that shows a text to the user. Defaults to `None`, for a
            run that goes on: nothing.

    Raises:
        ValueError: If the weights are of another network.
    """
    say = say or (lambda text: None)
    if start is None:
        if recipe.normalization == "frozen":
            say(initials.FROZEN_NOISE.format(model.name))
    else:
        same = start.labels is not None and start.labels == model.labels
        fresh = () if same else HEADS
        say(f"{model.name} starts from {start.initial.name}:")
        initials.take(model, start.initial, start.source, fresh, directory, say)
        for note in start.notes:
            say(f"note: {note}")
        freeze(model, recipe.frozen_stages)
        if recipe.frozen_stages:
            say(f"not trained: {', '.join(recipe.frozen_stages)}")
    l2 = optimizers.make_l2(recipe)
    for weight in model.trainable_variables:
        if weight.name == "kernel":
            weight.regularizer = l2


def freeze(model, stages):
    """Keeps the weights of the first stages of a backbone as they are.

    Args:
        model: A `nonlocal_keras.models.MaskRCNN`.
        stages: Tuple of `"conv1"` and `"res2"` to `"res5"`.
    """
    for layer in layers_of(model.backbone):
        if any(re.fullmatch(_FROZEN[stage], layer.name) for stage in stages):
            layer.trainable = False

"""The detector that a recipe trains."""

from nonlocal_keras import models
from nonlocal_keras.training import optimizers


def build_model(recipe, name, dataset, class_names, synchronized=False):
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

    Returns:
        A `nonlocal_keras.models.MaskRCNN`.

    Raises:
        ValueError: If there is a keypoint head and there are no joints.
    """
    options = {}
    if "keypoint" in name:
        options["num_keypoints"] = len(dataset.keypoint_names)
    model = models.from_name(
        name,
        num_classes=len(class_names),
        labels=class_names,
        min_size=recipe.min_size,
        max_size=recipe.max_size,
        normalization=recipe.normalization,
        # Frozen statistics are shared anyway.
        synchronized=synchronized and recipe.normalization == "batch",
        **options,
    )
    l2 = optimizers.make_l2(recipe)
    for weight in model.trainable_variables:
        if weight.name == "kernel":
            weight.regularizer = l2
    return model

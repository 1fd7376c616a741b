"""AP of a detector on the images of a data set."""

import itertools

import keras

from nonlocal_keras.evaluation.coco import CocoEvaluator
from nonlocal_keras.models import MaskRCNN
from nonlocal_keras.models.detection.finite import require_finite

# By the kind that is measured: whether a detector of a configuration has it.
_HEADS = {
    "boxes": lambda config: True,
    "masks": lambda config: config["masks"],
    "keypoints": lambda config: config["num_keypoints"] is not None,
}


def evaluate_detector(
    model, dataset, kinds=None, batch_size=1, sigmas=None, progress=True
):
    """Measures the average precision of a detector by the rules of COCO.

    Classes of model and data set are those of one name. A model without
    names (`model.labels`) must have as many classes as the data set, in its
    order after the background.

    Example:

    >>> dataset = nonlocal_keras.data.read_coco("coco.json", "images")
    >>> backbone = nonlocal_keras.models.ImageResNet(
    ...     stage_blocks=(1, 1, 1, 1), width_per_group=4
    ... )
    >>> model = nonlocal_keras.models.MaskRCNN(
    ...     backbone,
    ...     num_classes=3,
    ...     masks=False,
    ...     fpn_filters=8,
    ...     min_size=64,
    ...     labels=("background", "person", "kite"),
    ... )
    >>> result = nonlocal_keras.evaluation.evaluate_detector(model, dataset)
    >>> result.images, list(result.numbers)
    (1, ['boxes'])

    Args:
        model: A `nonlocal_keras.models.MaskRCNN`.
        dataset: A `nonlocal_keras.data.coco.CocoDataset`, read with the
            folder of its images. Those that cannot be read are left out and
            counted in its `faults`.
        kinds: Tuple of strings, what is measured: `"boxes"`, `"masks"`,
            `"keypoints"`. `None` for all that the model predicts and the data
            set has. Defaults to `None`.
        batch_size: Integer, images predicted at once, padded to one size.
            Defaults to `1`.
        sigmas: Sequence of floats, as for `CocoEvaluator`. Defaults to
            `None`.
        progress: Boolean, whether to print a bar. Defaults to `True`.

    Returns:
        A `nonlocal_keras.evaluation.coco_result.CocoResult`.

    Raises:
        ValueError: If the model is no detector, no image can be read, or
            model and data set do not fit each other.
        FloatingPointError: If a weight or a prediction is no finite number.
        ImportError: If faster-coco-eval or Pillow is not installed.
    """
    if not isinstance(model, MaskRCNN):
        raise ValueError(
            "`model` must be a nonlocal_keras.models.MaskRCNN; `evaluate` "
            f"measures video classifiers. Received: model={model!r}"
        )
    require_finite(model)
    config = model.get_config()
    kinds = _choose(kinds, config, dataset)
    named = model.labels is not None
    if not named:
        _require_as_many(config["num_classes"], dataset)
    evaluator = CocoEvaluator(dataset, kinds, model.labels, sigmas)
    bar = keras.utils.Progbar(len(dataset.images), verbose=int(progress))
    readable = dataset.readable()
    while batch := list(itertools.islice(readable, batch_size)):
        images, pixels = zip(*batch)
        # A mask of COCO has a pixel or has it not.
        found = model.predict(list(pixels), mask_threshold=0.5)
        if not named:
            found["labels"] = found["labels"] - 1
        evaluator.update(images, found)
        bar.add(len(batch))
    return evaluator.result()


def _choose(kinds, config, dataset):
    """Returns what is measured, or says what the model does not predict."""
    predicted = [kind for kind, has in _HEADS.items() if has(config)]
    if kinds is None:
        # No joints, or no mask of any object.
        absent = set() if dataset.keypoint_names else {"keypoints"}
        if not dataset.has_masks:
            absent.add("masks")
        return [kind for kind in predicted if kind not in absent]
    missing = [kind for kind in kinds if kind in _HEADS.keys() - {*predicted}]
    if missing:
        raise ValueError(
            "`kinds` must be of what the model predicts, which is "
            f"{', '.join(predicted)}. Received: kinds={kinds!r}"
        )
    return kinds


def _require_as_many(num_classes, dataset):
    number = len(dataset.class_names)
    if num_classes != number + 1:
        raise ValueError(
            "`model` must know the names of its classes where it has others "
            "than the data set: set model.labels, the background first. "
            f"Received: labels=None, {num_classes - 1} classes of the model "
            f"and {number} of the data set"
        )

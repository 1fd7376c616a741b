"""Detectors of objects in images: `nonlocal_keras.models.MaskRCNN`.

`input` of such a record is a dictionary of the image in the network:
`min_size` of its short side in pixels and `max_size` of its long one,
`channels` ("RGB"), `mean` and `std` of `(x / 255 - mean) / std`.

`views` is empty: the published tests look at an image once.

`labels` are the names of the classes by the labels that the model gives, the
background first. Where a file counts as COCO does, 91 with gaps, a gap has the
name `GAP`.

`metrics` hold average precision (AP) and recall (AR) between 0 and 1 under
names such as `box_ap`, `box_ap50`, `mask_ap_small` or `keypoint_ar`: the words
of `nonlocal_keras.evaluation`, see `measures`; and the number of `images`.

`architecture` is `model`, a name of `nonlocal_keras.models.from_name`, and
`options`, further arguments of it.
"""

import re

from absl import logging

from zoo import checks

INPUT_FIELDS = ("min_size", "max_size", "channels", "mean", "std")
ARCHITECTURE_FIELDS = ("model", "options")
GAP = "N/A"
MEASURE = re.compile(r"(box|mask|keypoint)_(ap|ar)\d*(_[a-z]+)?")
# Of what average precision is, in the order in which it is told.
KINDS = {"boxes": "box", "masks": "mask", "keypoints": "keypoint"}
# Pixels: what is proven of a model on small images is so on large ones.
LARGEST_PROOF = 64


def rules(record):
    """Yields the rules of the fields that are of this task."""
    yield from _rules_of_input(record.input)
    yield "views", record.views == {}, "empty: an image is looked at once"
    yield "labels", len(record.labels) > 1, "of the background and a class"
    found = [v for k, v in record.metrics.items() if MEASURE.fullmatch(k)]
    numbers = all(map(checks.is_number, found))
    yield "metrics", numbers, "of numbers as AP and AR"
    yield "metrics", all(0 <= m <= 1 for m in found), "from 0 to 1"
    if record.architecture is not None:
        yield from _rules_of_architecture(record.architecture)


def _rules_of_input(image):
    same = checks.has_fields(image, INPUT_FIELDS)
    yield "input", same, f"a dictionary of {INPUT_FIELDS}"
    sizes = [image[key] for key in ("min_size", "max_size")]
    yield "input", checks.are_sizes(sizes), "of positive integers"
    for key in ("mean", "std"):
        three = checks.is_list(image[key], 3)
        three = three and all(map(checks.is_number, image[key]))
        yield "input", three, f"with three numbers as `{key}`"
    yield "input", min(image["std"]) > 0, "of a positive `std`"


def _rules_of_architecture(architecture):
    same = checks.has_fields(architecture, ARCHITECTURE_FIELDS)
    yield "architecture", same, f"a dictionary of {ARCHITECTURE_FIELDS}"
    for key, kind in zip(ARCHITECTURE_FIELDS, (str, dict)):
        right = isinstance(architecture[key], kind)
        yield "architecture", right, f"with {key} of type {kind.__name__}"


def measures(result):
    """Returns what was measured by the names that a record has for it.

    Args:
        result: A `nonlocal_keras.evaluation.coco_result.CocoResult`.

    Returns:
        Dictionary of numbers, for `metrics`.
    """
    found = {
        f"{KINDS[kind]}_{name.lower()}": value
        for kind, numbers in result.numbers.items()
        for name, value in numbers.items()
        # There was nothing of that size.
        if value is not None
    }
    return {**found, "images": result.images}


def build(record):
    """Builds the architecture of a record with fresh weights."""
    from nonlocal_keras import models

    architecture, image = record.architecture, dict(record.input)
    image.pop("channels")
    return models.from_name(
        architecture["model"],
        num_classes=len(record.labels),
        **image,
        **architecture["options"],
    )


def equip(model, record):
    """Sets the class names of a detector.

    Returns:
        The model.

    Raises:
        ValueError: If the record tells of other images or classes than those
            of the model.
    """
    config = model.get_config()
    checks.check(record, _rules_of_model(record, config))
    model.labels = tuple(record.labels)
    return model


def _rules_of_model(record, config):
    number = config["num_classes"]
    right = len(record.labels) == number
    yield "labels", right, f"the {number} names of its model, with background"
    for key in ("min_size", "max_size"):
        right = record.input[key] == config[key]
        yield "input", right, f"that of its model, whose {key} is {config[key]}"
    for key in ("mean", "std"):
        right = tuple(record.input[key]) == tuple(config[key])
        yield "input", right, f"that of its model, whose {key} is {config[key]}"


def choose_head(model, record, num_classes, include_top):
    """Returns the detector, one of other classes, or the backbone."""
    if not include_top:
        backbone = model.backbone
        backbone.preprocess = lambda images: model.preprocess(images)["images"]
        return backbone
    if num_classes in (None, len(record.labels)):
        return model
    logging.warning(
        "The layers that tell %s classes with the background apart are fresh "
        "and must be trained; the published ones tell %d.",
        num_classes,
        len(record.labels),
    )
    return _with_classes(model, num_classes)


def _with_classes(model, num_classes):
    """Makes a detector of other classes with all weights that still fit."""
    from nonlocal_keras import models

    config = {**model.get_config(), "num_classes": num_classes, "labels": None}
    fresh = type(model).from_config(config)
    models.take_weights(fresh, model)
    return fresh


def write_saved_model(model, record, folder):
    """Writes the SavedModel with class names; returns its version folder."""
    from nonlocal_keras import export

    return export.to_saved_model(model, folder, record.labels, record.version)


def find_fault(model, record, folder):
    """Says how a SavedModel differs from its model, or returns `None`.

    It takes images and gives objects, so it cannot be asked part by part.
    """
    from nonlocal_keras.export import ExportError
    from nonlocal_keras.export import detector_serving

    try:
        detector_serving.prove(model, folder)
    except ExportError as error:
        return str(error).rstrip(".")
    return None


def draw_inputs(model, record):
    """Draws a small random image, and features for each head of a box."""
    import numpy as np

    rng = np.random.default_rng(0)
    side = min(record.input["min_size"], LARGEST_PROOF)
    shapes = {"images": (1, side, side, 3)}
    for head in _heads(model):
        shapes[head] = (1, *model.get_layer(head).input_shape[1:])
    return {
        name: rng.normal(size=shape).astype("float32")
        for name, shape in shapes.items()
    }


def run(model, inputs):
    """Returns what each part of a detector gives, by the name of the part.

    On a drawn image it may find nothing, and would be right in that with
    other weights as well. So every part is asked on its own.
    """
    stages = model.backbone(inputs["images"], training=False)
    pyramid = model.get_layer("fpn")(stages, training=False)
    proposals = model.get_layer("rpn")
    found = {
        f"proposals of level {level}": proposals(features, training=False)
        for level, features in enumerate(pyramid, 2)
    }
    for head in _heads(model):
        outputs = model.get_layer(head)(inputs[head], training=False)
        found[head.replace("_", " ")] = outputs
    return _flat(found)


def _heads(model):
    names = [layer.name for layer in model.layers]
    return [f"{k}_head" for k in KINDS.values() if f"{k}_head" in names]


def _flat(found):
    """Returns all tensors by name, numbered where a part gives several."""
    tensors = {}
    for name, outputs in found.items():
        several = isinstance(outputs, list | tuple)
        for number, tensor in enumerate(outputs if several else [outputs], 1):
            tensors[f"outputs {number} of the {name}"] = tensor
    return tensors


def input_shape(record):
    """Returns the shape of a square image, by the name of the input."""
    side = record.input["min_size"]
    return {"images": (side, side, 3)}


def class_names(record):
    """Returns the names of the classes, without background and gaps."""
    return [name for name in record.labels[1:] if name != GAP]


def tell_fields(record):
    """Returns rows of the model card, as a dictionary of strings."""
    from nonlocal_keras import card

    image = record.input
    side = image["min_size"]
    return {
        f"multiply-adds of {side} x {side} pixels": f"{record.macs:,}",
        "input": f"an image with a shorter side of {side} pixels, or less "
        f"where the longer one would pass {image['max_size']}, "
        f"{image['channels']}, (x / 255 - mean) / std with mean "
        f"{image['mean']} and std {image['std']}",
        "classes": card.tell_classes(class_names(record)),
    }


def tell_accuracy(record):
    """Returns the accuracy and how it was measured, as a sentence."""
    metrics, parts = record.metrics, []
    for kind in KINDS.values():
        found = [
            f"{_word(key)} {metrics[key]:.1%}"
            for key in (f"{kind}_ap", f"{kind}_ap50", f"{kind}_ap75")
            if key in metrics
        ]
        parts += [f"{kind} {', '.join(found)}"] if found else []
    text = "; ".join(parts) or "no accuracy is published"
    number = f"{metrics['images']} images of " if "images" in metrics else ""
    text = f"{text} on {number}{metrics['dataset']}; {metrics['protocol']}."
    return text[0].upper() + text[1:]


def _word(key):
    return key.partition("_")[2].upper()


def short_input(record):
    """Returns the short side of an image."""
    return f"{record.input['min_size']} px"


def short_accuracy(record):
    """Returns the AP that models are compared by; "" if unknown."""
    found = [
        f"{kind} {record.metrics[f'{kind}_ap']:.1%}"
        for kind in KINDS.values()
        if f"{kind}_ap" in record.metrics
    ]
    return f"AP {', '.join(found)}" if found else ""

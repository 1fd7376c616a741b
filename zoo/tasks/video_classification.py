"""Classifiers of videos: `nonlocal_keras.models.VideoClassifier`.

`input` of such a record is a dictionary of the clip: `frames`, `stride`
(`None` if they are spread over the whole video), `size` of the crop and
`short_side` of the frame in pixels, `channels` ("RGB"), `mean` and `std` of
`(x / 255 - mean) / std`; where they are of use also `resize` (width and height
to which frames are stretched first) and `fps` (the clip counts time, and
`stride` is meant for that many frames per second).

`views` are those of the published test of a video: `clips`, `crops` per clip
and their `size`, the `rule` by which they are placed (see
`nonlocal_keras.data.view_indices`), `window` (frames, rows and columns of the
average pooling before the classifier, which slides over the features of a
larger crop; `None` for all of them), and what is averaged (`average`, see
`nonlocal_keras.predict_video`).

`metrics` hold where known `top1`, `top5` or `map` between 0 and 1, the 95%
`interval` of `top1`, and the number of `videos`.

`architecture` is `model` and `family` of `nonlocal_keras.models.from_name`,
its further `options`, and `head`, arguments of `VideoClassifier`.
"""

from absl import logging

from zoo import checks

INPUT_FIELDS = (
    "frames",
    "stride",
    "size",
    "short_side",
    "channels",
    "mean",
    "std",
)
MORE_INPUT_FIELDS = ("resize", "fps")
VIEW_FIELDS = ("clips", "crops", "size", "window", "average")
MORE_VIEW_FIELDS = ("rule",)
# The rule of a record that names none.
USUAL_RULE = "vnl"
MEASURES = ("top1", "top5", "map")
ARCHITECTURE_FIELDS = ("model", "family", "options", "head")
# Pixels: what is proven of a model on small clips is so on large ones.
LARGEST_PROOF = 64


def rules(record):
    """Yields the rules of the fields that are of this task."""
    yield from _rules_of_input(record.input)
    yield from _rules_of_views(record.views)
    found = [record.metrics[m] for m in MEASURES if m in record.metrics]
    numbers = all(isinstance(m, int | float) for m in found)
    yield "metrics", numbers, f"of numbers at {MEASURES}"
    yield "metrics", all(0 <= m <= 1 for m in found), "from 0 to 1"
    if record.architecture is not None:
        yield from _rules_of_architecture(record.architecture)


def _rules_of_input(clip):
    same = checks.has_fields(clip, INPUT_FIELDS, MORE_INPUT_FIELDS)
    yield "input", same, f"a dictionary of {INPUT_FIELDS}"
    sizes = [clip[key] for key in ("frames", "size", "short_side")]
    # A stride of None spreads the frames over the whole video.
    sizes.append(1 if clip["stride"] is None else clip["stride"])
    yield "input", checks.are_sizes(sizes), "of positive integers"
    for key in ("mean", "std"):
        three = checks.is_list(clip[key], 3)
        three = three and all(map(checks.is_number, clip[key]))
        yield "input", three, f"with three numbers as `{key}`"
    yield "input", min(clip["std"]) > 0, "of a positive `std`"
    resize = clip.get("resize")
    two = checks.is_list(resize, 2) and checks.are_sizes(resize)
    right = resize is None or two
    yield "input", right, "of a `resize` of width and height, or null"
    fps = clip.get("fps")
    right = fps is None or (checks.is_number(fps) and 0 < fps < float("inf"))
    yield "input", right, "of a positive number as `fps`, or null"
    right = fps is None or clip["stride"] is not None
    yield "input", right, "of a `stride` where it has `fps`"


def _rules_of_views(views):
    same = checks.has_fields(views, VIEW_FIELDS, MORE_VIEW_FIELDS)
    yield "views", same, f"a dictionary of {VIEW_FIELDS}"
    sizes = [views[key] for key in ("clips", "crops", "size")]
    yield "views", checks.are_sizes(sizes), "of positive integers"
    window = views["window"]
    three = checks.is_list(window, 3) and checks.are_sizes(window)
    yield (
        "views",
        window is None or three,
        "of a `window` of three sizes, or null",
    )
    # Whether they are names of today is looked at by `equip`.
    for key in ("average", "rule"):
        named = isinstance(views.get(key, USUAL_RULE), str)
        yield "views", named, f"of a name as `{key}`"


def _rules_of_architecture(architecture):
    same = checks.has_fields(architecture, ARCHITECTURE_FIELDS)
    yield "architecture", same, f"a dictionary of {ARCHITECTURE_FIELDS}"
    for key, kind in zip(ARCHITECTURE_FIELDS, (str, str, dict, dict)):
        right = isinstance(architecture[key], kind)
        yield "architecture", right, f"with {key} of type {kind.__name__}"


def _rules_of_names(views):
    """The names of rules and averages stand beside what they name.

    To look there is to import Keras, which reading a record does not; a model
    does.
    """
    from nonlocal_keras.data import views as placing
    from nonlocal_keras.evaluation.protocol import AVERAGES

    known = views["average"] in AVERAGES
    yield "views", known, f"of an average out of {tuple(AVERAGES)}"
    known = views.get("rule", USUAL_RULE) in placing.VIEW_RULES
    yield "views", known, f"of a rule out of {placing.VIEW_RULES}"


def build(record):
    """Builds the architecture of a record with fresh weights."""
    from nonlocal_keras import models

    architecture = record.architecture
    options = {
        "input_shape": (None, None, None, 3),
        **architecture["options"],
    }
    backbone = models.from_name(
        architecture["model"], family=architecture["family"], **options
    )
    return models.VideoClassifier(
        backbone, len(record.labels), **architecture["head"]
    )


def equip(model, record):
    """Sets the class names and the preprocessing of a classifier.

    Returns:
        The model.

    Raises:
        ValueError: If the record names a rule or an average of its views that
            there is not.
    """
    checks.check(record, _rules_of_names(record.views))
    model.labels = record.labels
    model.preprocessing = {
        key: value for key, value in record.input.items() if key != "channels"
    }
    return model


def choose_head(model, record, num_classes, include_top):
    """Returns the classifier, one of other classes, or the backbone."""
    if not include_top:
        model.backbone.preprocess = model.preprocess
        return model.backbone
    if num_classes in (None, len(record.labels)):
        return model
    logging.warning(
        "The classifier of %s classes is fresh and must be trained; the "
        "published one has %d.",
        num_classes,
        model.num_classes,
    )
    return model.with_head(num_classes=num_classes, labels=None)


def write_saved_model(model, record, folder):
    """Writes the SavedModel with class names; returns its version folder."""
    from nonlocal_keras import export

    return export.to_saved_model(model, folder, record.labels, record.version)


def draw_inputs(model, record):
    """Draws a small random clip, `(1, frames, height, width, 3)`."""
    import numpy as np

    frames, *sides, channels = input_shape(record)
    small = (frames, *(min(side, LARGEST_PROOF) for side in sides), channels)
    shape = [known or size for known, size in zip(model.input_shape[1:], small)]
    clip = np.random.default_rng(0).normal(size=(1, *shape))
    return {"clip": clip.astype("float32")}


def run(model, inputs):
    """Returns the logits `(1, classes)` of a clip, by their name."""
    return {"logits": model.logits(inputs["clip"], training=False)}


def input_shape(record):
    """Returns `(frames, height, width, channels)` of a clip."""
    clip = record.input
    return clip["frames"], clip["size"], clip["size"], 3


def tell_fields(record):
    """Returns rows of the model card, as a dictionary of strings."""
    # Whoever makes a card has imported Keras already.
    from nonlocal_keras.evaluation.protocol import AVERAGES

    clip, views = record.input, record.views
    average = AVERAGES.get(views["average"], views["average"])
    return {
        "multiply-adds per clip": f"{record.macs:,}",
        "input": f"{clip['frames']} frames, {_tell_stride(clip)}, "
        f"{clip['size']} x {clip['size']} pixels of a frame "
        f"{_tell_frame(clip)}, {clip['channels']}, (x / 255 - mean) "
        f"/ std with mean {clip['mean']} and std {clip['std']}",
        "test": f"{views['clips']} clips x {views['crops']} crops of "
        f"{views['size']} pixels, placed as by "
        f"{views.get('rule', USUAL_RULE)}, {average}",
    }


def tell_accuracy(record):
    """Returns the accuracy and how it was measured, as a sentence."""
    metrics, parts = record.metrics, []
    for key, word in zip(MEASURES, ("Top-1", "top-5", "mAP")):
        if key in metrics:
            parts.append(f"{word} {metrics[key]:.2%}")
    text = ", ".join(parts) or "No accuracy is published"
    if "interval" in metrics:
        low, high = metrics["interval"]
        text += f" (95% interval {low:.1%} to {high:.1%})"
    number = f"{metrics['videos']} videos of " if "videos" in metrics else ""
    return f"{text} on {number}{metrics['dataset']}; {metrics['protocol']}."


def short_input(record):
    """Returns frames x stride; "spread" is over the whole video."""
    clip = record.input
    return f"{clip['frames']} x {clip['stride'] or 'spread'}"


def short_accuracy(record):
    """Returns the accuracy that models are compared by; "" if unknown."""
    for key, word in (("top1", "top-1"), ("map", "mAP")):
        if key in record.metrics:
            return f"{word} {record.metrics[key]:.1%}"
    return ""


def _tell_stride(clip):
    if clip["stride"] is None:
        return "one out of each of as many equal parts of the video"
    if clip.get("fps") is None:
        return f"every {clip['stride']}."
    return f"every {clip['stride']}. of {clip['fps']} per second"


def _tell_frame(clip):
    with_side = f"with a shorter side of {clip['short_side']}"
    if clip.get("resize") is None:
        return with_side
    return "stretched to {} x {}, ".format(*clip["resize"]) + with_side

"""The card beside an exported model, of what the model tells itself."""

import math

import keras

from nonlocal_keras import card
from nonlocal_keras.analysis import macs
from nonlocal_keras.export.parity import sizes_of_clips
from nonlocal_keras.export.signatures import SIGNATURES

_NO_RECORD = (
    "The file of the model has no record, so that its source, the license of "
    "its weights and its accuracy are not known here."
)


def make_model_card(model, name, labels):
    """Returns the card of a model that has no record.

    Args:
        model: A `nonlocal_keras.models.VideoClassifier`.
        name: String.
        labels: Sequence of class names.

    Returns:
        String of Markdown.
    """
    backbone = model.backbone
    describe = getattr(backbone, "describe", lambda: backbone.name)
    frames, height, width = sizes_of_clips(model)
    rows = {
        "clip": f"{frames} frames of {height} x {width} pixels; the model "
        f"takes {_shape(model.input_shape[1:4])}",
        "preprocessing": model.preprocessing or "unknown",
        "parameters": f"{_parameters(model):,}",
        "multiply-adds per clip": _macs(model, (frames, height, width)),
        "outputs": keras.activations.serialize(model.activation),
        "classes": card.tell_classes(labels),
    }
    return f"{card.make_head(name, describe(), rows)}\n{_NO_RECORD}\n"


def make_detector_card(model, name, labels):
    """Returns the card of a detector that has no record.

    Args:
        model: A `nonlocal_keras.models.MaskRCNN`.
        name: String.
        labels: Sequence of class names, the background first.

    Returns:
        String of Markdown.
    """
    config = model.get_config()
    rows = {
        "images": f"RGB of any size; the short side becomes "
        f"{config['min_size']} pixels, the long one at most "
        f"{config['max_size']}",
        "detections": f"at most {config['detections_per_image']} of an image, "
        f"of a probability above {config['score_threshold']}",
        "parameters": f"{_parameters(model):,}",
        "classes": card.tell_classes(labels),
    }
    head = card.make_head(name, model.describe(), rows)
    return f"{head}\n{_NO_RECORD}\n"


def add_signatures(text, signatures, lines, table=SIGNATURES):
    """Adds what a client calls, and how the comparison went.

    Args:
        text: String of Markdown, the card so far.
        signatures: Sequence of names of `export.signatures`.
        lines: Sequence of strings, the results of the comparison.
        table: Dictionary from names to input, its description and outputs.
            Defaults to `export.signatures.SIGNATURES`.

    Returns:
        String of Markdown.
    """
    rows = []
    for name in signatures:
        key, holds, outputs = table[name]
        given = ", ".join(f"`{output}`" for output in outputs)
        rows.append(f"| `{name}` | `{key}`: {holds} | {given} |")
    rows, lines = "\n".join(rows), "\n".join(f"- {line}" for line in lines)
    return (
        f"{text.rstrip()}\n\n## Signatures\n\n| name | input | outputs |\n"
        f"|---|---|---|\n{rows}\n\n## Against the Keras model\n\n{lines}\n"
    )


def _shape(sizes):
    frames, height, width = ("any" if n is None else n for n in sizes)
    return f"{frames} frames of {height} x {width}"


def _parameters(model):
    statistics = ("moving_mean", "moving_variance")
    weights = [w for w in model.weights if w.name not in statistics]
    return sum(math.prod(weight.shape) for weight in weights)


def _macs(model, sizes):
    try:
        cost = macs.total(macs.count(model, (*sizes, model.input_shape[4])))
    except ValueError as error:
        return f"not counted: {error}"
    return f"{cost.macs:,}"

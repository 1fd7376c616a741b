"""Narrow files with the names that each project gives to its tensors."""

import pickle

import numpy as np

from nonlocal_keras.convert import detector_name_maps as maps
from nonlocal_keras.convert.detector import Context
from nonlocal_keras.convert.detector import Detector
from tests.support import checkpoint_writers as w

# Sources whose background is the last class, which has no boxes and masks.
_BACKGROUND_LAST = ("detectron2", "mmdetection")
# Options of a record that its narrow twin has other values for.
_WIDTHS = {
    "stage_blocks": [1, 1, 1, 1],
    "width_per_group": 2,
    "fpn_filters": 4,
    "box_units": [6, 6],
    "mask_filters": [4, 4],
    "keypoint_filters": [4, 4],
}


def architecture(record):
    """The architecture of a record, as narrow as the file of `tensors`."""
    found = record.architecture
    options = {**found["options"], **_WIDTHS}
    options["groups"] = 2 if "_x1" in found["model"] else 1
    if "box_filters" in options:
        options |= {"box_filters": [4, 4], "box_units": [6]}
    return {**found, "options": options}


def tensors(record):
    """Random tensors by the names of the source of a record."""
    source = record.download["converter"]
    name_map, rng = maps.SOURCES[source][0], np.random.default_rng(0)
    found = {}
    for weight, shape in _detector(record).shapes().items():
        if source == "detectron" and "_bn.moving_" in weight:
            continue  # A scale and an offset are all that it has.
        if source in _BACKGROUND_LAST:
            shape = _without_background(weight, shape, len(record.labels))
        values = 0.5 + rng.random(shape) if "variance" in weight else None
        values = 0.1 * rng.normal(size=shape) if values is None else values
        found[name_map.spell(weight)] = values.astype("float32")
    return found


def file_bytes(record):
    """A checkpoint as the source of a record writes it."""
    source, found = record.download["converter"], tensors(record)
    if source == "detectron2":
        return pickle.dumps({"model": found, "__author__": "Model Zoo"})
    if source == "detectron":
        return pickle.dumps({"blobs": found, "cfg": "MODEL:"})
    wrapper = "state_dict" if source == "mmdetection" else None
    return w.torch_file(found, wrapper, counters=False)


def _detector(record):
    options = architecture(record)["options"]
    model, context = record.architecture["model"], None
    if "global_context" in options:
        context = Context(
            stages=tuple(options["global_context"]),
            **options["global_context_options"],
        )
    return Detector(
        stage_blocks=tuple(options["stage_blocks"]),
        groups=options["groups"],
        width_per_group=options["width_per_group"],
        fpn_filters=options["fpn_filters"],
        anchors=3,
        box_units=tuple(options["box_units"]),
        num_classes=len(record.labels),
        mask_filters=(4, 4) if "mask" in model else (),
        mask_hidden=4 if "mask" in model else None,
        keypoint_filters=(4, 4) if "keypoint" in model else (),
        num_keypoints=17 if "keypoint" in model else None,
        rpn_convolutions=options.get("rpn_convolutions", 1),
        box_filters=tuple(options.get("box_filters", ())),
        normalized="normalization" in options,
        context=context,
    )


def _without_background(weight, shape, classes):
    layer = weight.partition(".")[0]
    first = {"box_deltas": 4 * (classes - 1), "mask_logits": classes - 1}
    return (first.get(layer, shape[0]), *shape[1:])

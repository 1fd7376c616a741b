"""Turns a published checkpoint into a Keras model."""

import os

import keras
from absl import logging

from nonlocal_keras.convert import assign
from nonlocal_keras.convert import name_maps
from nonlocal_keras.convert import override_kinds
from nonlocal_keras.convert import pixels
from nonlocal_keras.convert.architecture import infer_architecture
from nonlocal_keras.convert.detector import infer_detector
from nonlocal_keras.convert.detector_plan import make_detector_plan
from nonlocal_keras.convert.detector_sources import published
from nonlocal_keras.convert.files import keras_files
from nonlocal_keras.convert.files.read import read_tensors
from nonlocal_keras.convert.name_map import ConversionError
from nonlocal_keras.convert.name_map import without_prefix
from nonlocal_keras.convert.plan import check_names
from nonlocal_keras.convert.plan import make_plan
from nonlocal_keras.convert.report import Entry
from nonlocal_keras.convert.report import Report

UNTRAINED = (
    "The file has no trained non-local block at {}: its gamma or W_z is zero."
)


def load_checkpoint(path, source, **overrides):
    """Makes a Keras model of a published checkpoint.

    The architecture is read off the names and shapes in the file; what they
    cannot tell comes from `overrides`, else from what the source published.
    Files are read as data: nothing in them is run.

    Example:

    >>> model = nonlocal_keras.convert.load_checkpoint(
    ...     "i3d_nonlocal_32x2_IN_pretrain_400k.pkl", "vnl", family="vnl_32x2"
    ... )
    >>> model.backbone.describe()
    'NL-I3D ResNet-50: 5 non-local blocks at res3[1,3] res4[1,3,5]'
    >>> model.logits(np.zeros((1, 8, 64, 64, 3))).shape[0]
    1

    Args:
        path: String or path, the file. For `source="imagenet"` also an
            `.h5` file of `keras.applications`, or a `keras.Model`.
        source: String, the project that made the file: `"vnl"` (the authors'
            release), `"lfb"`, `"pyslowfast"`, `"pytorchvideo"`,
            `"mmaction2"`, `"gluoncv"`, `"tsm"` (the authors of the temporal
            shift), `"imagenet"` for 2D ResNets, which are inflated, or
            `"torchvision"`, `"detectron2"`, `"mmdetection"` or `"detectron"`
            for their Faster, Mask and Keypoint R-CNN on feature pyramids.
        **overrides: What the file cannot tell. Of the whole network:
            `family`, `frames`, `input_shape`, `stem_strides`, `pool1`,
            `pool2`, `stage_strides`, `stage_dilations`, `shift_div`,
            `epsilon`, `momentum`, `synchronized`, `implementation`, `dtype`.
            Of its non-local blocks, as one value or as `{stage: value}`:
            `pairwise`, `scale`, `pool_size`, `pool_first`, `frame_groups`,
            `attend_axes`. Of the classifier: `num_classes` (another number
            than in the file gives fresh weights), `fully_convolutional`
            (`True` for the window of the source, or a window), `dropout`,
            `activation`, `name`. Of
            `source="imagenet"`: `architecture`, `non_local` and `inflation`
            (`"repeat"` or `"center"`). Of detectors: `non_local`,
            `non_local_options`, `global_context` and
            `global_context_options` for blocks that stay the identity until
            they are trained, `normalization`, `strided`, `bgr` (whether the
            network was trained on images in BGR; the model takes RGB in any
            case), and all arguments of `nonlocal_keras.models.MaskRCNN` that
            shapes cannot tell, such as `min_size`, `post_nms_top_n` and
            `score_threshold`.

    Returns:
        A `nonlocal_keras.models.VideoClassifier`, whose `logits` is the model
        up to the logits, or a `nonlocal_keras.models.MaskRCNN`.

    Raises:
        ValueError: If the file is no checkpoint, a tensor or weight is left
            over, or an override contradicts the file or would change nothing.
    """
    return convert(path, source, **overrides)[0]


def convert(path, source, **overrides):
    """Makes a Keras model of a published checkpoint, with a report.

    Example:

    >>> model, report = nonlocal_keras.convert.convert(
    ...     "i3d_nl5_resnet101_v1_kinetics400.params", "gluoncv"
    ... )
    >>> print(report)
    i3d_nl5_resnet101_v1_kinetics400.params (mxnet, SHA-256 ...)
    gluoncv: GluonCV parameters of MXNet
    ...

    Args:
        path: As for `load_checkpoint`.
        source: As for `load_checkpoint`.
        **overrides: As for `load_checkpoint`.

    Returns:
        The model and a
        `nonlocal_keras.convert.Report`.

    Raises:
        ValueError: As for `load_checkpoint`.
    """
    if source not in name_maps.SOURCES:
        raise ConversionError(
            f"`source` must be one of {', '.join(name_maps.SOURCES)}. "
            f"Received: source={source!r}"
        )
    checkpoint, absorbed = _read(path, source)
    arrays, full_names = without_prefix(checkpoint.tensors)
    name_map = _find_name_map(source, arrays)
    tensors = assign.Tensors(name_map, arrays)
    if name_map is name_maps.KERAS_APPLICATIONS:
        pixels.change(tensors, pixels.OF_KERAS, pixels.OF_CLIPS)
    file = path.name if isinstance(path, keras.Model) else os.fspath(path)
    metadata = checkpoint.metadata
    plan = _plan(source, tensors, metadata, os.path.basename(file), overrides)
    if "pred." in plan.fresh:
        tensors.skip("pred.", "a fresh classifier takes its place")
    assign.check_tensors(
        tensors,
        plan.shapes(),
        plan.fresh,
        inflate=plan.inflation is not None,
    )
    model, description = plan.build()
    fresh = assign.assign_tensors(model, tensors, plan.fresh, plan.inflation)
    _warn(plan, model, absorbed)
    report = Report(
        file=file,
        sha256=checkpoint.sha256,
        format=checkpoint.format,
        source=source,
        naming=name_map.name,
        model=description,
        family=plan.family,
        backbone=plan.backbone,
        head=plan.head,
        entries=_entries(checkpoint, tensors, full_names, absorbed),
        fresh=fresh,
        notes=plan.notes,
        warnings=plan.warnings,
    )
    return model, report


def _read(path, source):
    """Returns the checkpoint, and what became of tensors while reading."""
    if source == "imagenet" and isinstance(path, keras.Model):
        return keras_files.read_model(path)
    if source == "imagenet" and keras_files.is_hdf5(path):
        return keras_files.read_file(path)
    return read_tensors(path), {}


def _find_name_map(source, names):
    """Returns the name map that the tensors of a file follow."""
    known = {
        name_map.name: (name_map.count_known(names), name_map)
        for of_source in name_maps.SOURCES.values()
        for name_map in of_source
    }
    most, name_map = max(
        (known[m.name] for m in name_maps.SOURCES[source]), key=lambda k: k[0]
    )
    best, other = max(known.values(), key=lambda k: k[0])
    if most and 2 * most >= best:
        return name_map
    examples = ", ".join(repr(name) for name in list(names)[:3])
    wanted = name_map.spell("res3_1_branch2a.kernel")
    if not best:
        raise ConversionError(
            f"Files of source {source!r} have names such as {wanted!r}; this "
            f"one has {examples}, which no source here has. Sources are "
            f"{', '.join(name_maps.SOURCES)}."
        )
    right = [s for s, group in name_maps.SOURCES.items() if other in group]
    hint = " or ".join(f"source={name!r}" for name in right)
    raise ConversionError(
        f"Files of source {source!r} have names such as {wanted!r}; this one "
        f"has {examples}. They are those of {other.name}: use {hint}."
    )


def _plan(source, tensors, metadata, file, overrides):
    """Decides how the model of a file is built."""
    check_names(source, overrides)
    override_kinds.check(overrides)
    spell = tensors.spell
    if source in name_maps.DETECTORS:
        of_source = published(tensors, file, metadata, overrides.get("bgr"))
        of_source.arrange(tensors)
        detector = infer_detector(tensors.shapes(), spell)
        return make_detector_plan(detector, of_source, overrides)
    shapes = tensors.shapes()
    architecture = infer_architecture(shapes, spell, tensors.name_map.shifted)
    return make_plan(
        source, architecture, tensors.arrays, metadata, file, overrides
    )


def _warn(plan, model, absorbed):
    """Adds what a model shows to the warnings of its plan, and logs all."""
    blocks = assign.untrained_blocks(model)
    if blocks and "nonlocal_" not in plan.fresh:
        plan.warnings.append(UNTRAINED.format(", ".join(blocks)))
    if absorbed:
        plan.warnings.append(keras_files.DIFFERENCES)
    for warning in plan.warnings:
        logging.warning("%s", warning)


def _entries(checkpoint, tensors, full_names, absorbed):
    """Returns the entries of the report, in the order of the file."""
    notes = {}
    for target, name in tensors.used.items():
        notes[name] = ("used", target)
    for name, first in tensors.duplicates.items():
        notes[name] = ("duplicate", full_names[first])
    for name, reason in tensors.skipped.items():
        notes[name] = ("skipped", reason)
    entries = [
        Entry(full_names[name], array.shape, *notes[name])
        for name, array in tensors.arrays.items()
    ]
    entries += [
        Entry(name, shape, "used", target)
        for name, (shape, target) in absorbed.items()
    ]
    for name in checkpoint.metadata:
        reason = tensors.name_map.reason_to_skip(name) or "not a tensor"
        entries.append(Entry(name, None, "skipped", reason))
    return entries

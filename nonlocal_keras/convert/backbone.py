"""Reads 2D networks of ImageNet, from which other networks start."""

import dataclasses
import os
import re

import keras
import numpy as np

from nonlocal_keras.convert import assign
from nonlocal_keras.convert import backbone_sources
from nonlocal_keras.convert import pixels
from nonlocal_keras.convert.architecture import stage_blocks
from nonlocal_keras.convert.files import keras_files
from nonlocal_keras.convert.files.read import read_tensors
from nonlocal_keras.convert.name_map import ConversionError
from nonlocal_keras.convert.name_map import without_prefix
from nonlocal_keras.models.weight_names import NamedWeights

IMAGENET = "imagenet"
DEPTHS = (50, 101, 152)
_OF_NETWORK = re.compile(r"(conv1|res[2-5]_\d+_branch\w+|pred)(_bn)?\.\w+")


@dataclasses.dataclass(frozen=True, eq=False)
class Backbone:
    """A residual network of images, and how it is to be built and fed.

    Example:

    >>> resnet = keras.applications.ResNet50(weights=None)
    >>> backbone = nonlocal_keras.convert.read_backbone(resnet)
    >>> backbone.options["strided"]
    '1x1'
    >>> detector = nonlocal_keras.models.ImageResNet(strided="1x1")
    >>> print(nonlocal_keras.models.take_weights(detector, backbone.weights))
    | weights | number | of |
    ...

    Attributes:
        weights: `nonlocal_keras.models.weight_names.NamedWeights` of a
            network that takes `pixels`.
        stage_blocks: Tuple of 4 integers, its residual blocks.
        groups: Integer, groups of its 3x3 convolutions.
        strided: String, as for `nonlocal_keras.models.ImageResNet`.
        mean: Tuple of 3 floats, of RGB values from 0 to 1.
        std: Tuple of 3 floats.
        notes: Tuple of strings, what was taken from where.
        sha256: String, of the file; empty for a model.
    """

    weights: NamedWeights = dataclasses.field(repr=False)
    stage_blocks: tuple
    groups: int
    strided: str
    mean: tuple
    std: tuple
    notes: tuple
    sha256: str

    @property
    def options(self):
        """Arguments with which a detector computes what this network did."""
        names = ("strided", "mean", "std")
        return {name: getattr(self, name) for name in names}


def read_backbone(source=IMAGENET, depth=50, mean=None, std=None):
    """Reads a ResNet or ResNeXt that was trained on ImageNet.

    Files are read as data: nothing in them is run. A stem that takes BGR, or
    values up to 255, becomes one that takes RGB from 0 to 1 less `mean`, over
    `std`. That is exact but for the zeros around an image, which are of
    another color unless `mean` is that of the network.

    Example:

    >>> resnet = keras.applications.ResNet50(weights=None)
    >>> backbone = nonlocal_keras.convert.read_backbone(
    ...     resnet, mean=(0.45, 0.45, 0.45), std=(0.225, 0.225, 0.225)
    ... )
    >>> model = nonlocal_keras.models.from_name("nl_i3d_r50")
    >>> table = nonlocal_keras.models.take_weights(model, backbone.weights)

    Args:
        source: `"imagenet"` for the weights of `keras.applications`, which
            Keras downloads; the path of a file of `keras.applications`,
            torchvision, detectron2 or Detectron, the authors' release or
            PySlowFast; or a `keras.Model` of `keras.applications`. Defaults
            to `"imagenet"`.
        depth: Integer, 50, 101 or 152, for `"imagenet"` alone. Defaults to
            `50`.
        mean: Tuple of 3 floats, of the RGB values from 0 to 1 that the stem
            is to take. Defaults to `None`, that of the network.
        std: Tuple of 3 floats. Defaults to `None`, that of the network.

    Returns:
        A `nonlocal_keras.convert.backbone.Backbone`.

    Raises:
        ValueError: If the file is of no such network, or the weights cannot
            be had.
    """
    origin = source.name if isinstance(source, keras.Model) else str(source)
    if source == IMAGENET:
        source = _download(depth)
        origin = f"ImageNet ({source.name} of keras.applications)"
    checkpoint, absorbed = _read(source)
    arrays, _ = without_prefix(checkpoint.tensors)
    name_map = backbone_sources.find_name_map(arrays)
    tensors = assign.Tensors(name_map, arrays)
    blocks = _check(tensors, origin)
    facts = backbone_sources.find_facts(tensors, os.path.basename(origin))
    wanted = pixels.Pixels(mean or facts.pixels.mean, std or facts.pixels.std)
    pixels.change(tensors, facts.pixels, wanted)
    values = {
        target: _to_keras(tensors.array_of(target)) for target in tensors.used
    }
    notes = [f"{name_map.name}; {facts.tell()}"]
    if absorbed:
        notes.append("biases of convolutions are part of the statistics")
    epsilons = {
        name.rpartition(".")[0]: facts.epsilon
        for name in values
        if name.endswith(".moving_variance")
    }
    return Backbone(
        weights=NamedWeights(values, epsilons, origin),
        stage_blocks=blocks,
        groups=facts.groups,
        strided=facts.strided,
        mean=wanted.mean,
        std=wanted.std,
        notes=tuple(notes),
        sha256=checkpoint.sha256,
    )


def _download(depth):
    if depth not in DEPTHS:
        raise ValueError(
            f"`depth` must be one of {DEPTHS}, of which keras.applications "
            "has weights of ImageNet; give a file of others. Received: "
            f"depth={depth}"
        )
    make = getattr(keras.applications, f"ResNet{depth}")
    try:
        return make(weights=IMAGENET, include_top=False)
    # Keras raises a bare `Exception` for a download that fails.
    except Exception as error:
        raise ValueError(
            f"The weights of ImageNet must be downloaded by Keras, which "
            f"ended with: {str(error)[:200]}. Get "
            f"resnet{depth}_weights_tf_dim_ordering_tf_kernels_notop.h5 of "
            "keras.applications, or a file of torchvision, on another machine "
            "and give its path"
        ) from error


def _read(source):
    if isinstance(source, keras.Model):
        return keras_files.read_model(source)
    if keras_files.is_hdf5(source):
        return keras_files.read_file(os.fspath(source))
    return read_tensors(source), {}


def _check(tensors, origin):
    """Refuses what is no network of images; returns its residual blocks."""
    shapes = tensors.shapes()
    strange = [name for name in shapes if not _OF_NETWORK.fullmatch(name)]
    stem = shapes.get("conv1.kernel", ())
    axes = {4, 5} if not strange else ()
    if strange or len(stem) not in axes or (len(stem) == 5 and stem[2] > 1):
        found = f"{strange[0]!r}" if strange else f"a stem of shape {stem}"
        raise ConversionError(
            "`source` must be a ResNet of images, as it was trained on "
            f"ImageNet. Received: {origin} with {found}"
        )
    blocks = stage_blocks(shapes)
    for problem in assign.bad_numbers(tensors):
        raise ConversionError(f"`source` is damaged: {origin}, {problem}")
    return blocks


def _to_keras(array):
    """Turns a tensor, output channels first, into the layout of Keras."""
    if array.ndim == 5 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim > 2:
        return np.transpose(array, (*range(2, array.ndim), 1, 0))
    return array.T

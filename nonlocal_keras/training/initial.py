"""The weights that a run starts from: the field `init` of its recipe."""

import dataclasses
import functools
import os
import pathlib
import re

import keras
from absl import logging

import zoo
from nonlocal_keras import convert
from nonlocal_keras import model_file
from nonlocal_keras import models
from nonlocal_keras import partial
from nonlocal_keras.convert.backbone import IMAGENET
from nonlocal_keras.convert.identify import find_source
from nonlocal_keras.models.weight_names import NamedWeights

_KINDS = (
    models.VideoClassifier,
    models.VideoResNet,
    models.MaskRCNN,
    models.ImageResNet,
)
# Of models that this project trains; a file does not tell its own.
OWN_LICENSE = "Apache-2.0"
FROZEN_NOISE = (
    "warning: {}: its normalizations are frozen, and it starts from random "
    "weights, which it can hardly train. Add --init=imagenet, a name of the "
    "zoo or a file"
)


@dataclasses.dataclass(frozen=True, eq=False)
class Initial:
    """A source of weights.

    Attributes:
        name: String, the field `init`.
        model: A classifier, detector or backbone, or `None` for a 2D network
            of ImageNet.
        read: Function of `depth`, `mean` and `std` that returns that network,
            see `nonlocal_keras.convert.read_backbone`; `None` for a model.
    """

    name: str
    model: keras.Model | None = None
    read: object = None

    @property
    def short_name(self):
        """The name as part of the name of a model."""
        stem = pathlib.PurePath(self.name).stem.lower()
        return re.sub(r"[^a-z0-9_]+", "_", stem)


def open_initial(init):
    """Finds the source of the weights of a run.

    Args:
        init: String: `""` or `"none"` for random weights, `"imagenet"`, a name
            of the zoo, a `.keras` file, or a file that
            `nonlocal_keras.convert` reads.

    Returns:
        An `Initial`, or `None` for random weights.

    Raises:
        ValueError: If there is no such model or file, or it is of another
            kind.
    """
    if init in ("", "none"):
        return None
    if init == IMAGENET:
        return Initial(init, read=functools.partial(convert.read_backbone))
    if model_file.is_file_name(init):
        return _of_model(init, model_file.read(init, "init"))
    if os.path.isfile(init):
        return _of_file(init)
    if os.sep in init or re.search(r"\.(pkl|pth|pyth|pt|h5|params)$", init):
        raise ValueError(
            "`init` must be a file that exists, a name of `nonlocal-keras "
            f"list`, imagenet or none. Received: init={init!r}"
        )
    try:
        return _of_model(init, zoo.load(init))
    except ValueError as error:
        raise ValueError(f"`init`={init!r}: {error}") from error


def license_of(init):
    """Returns the license of a model that is trained from these weights.

    Args:
        init: String, as for `open_initial`.
    """
    if init in ("", "none", IMAGENET) or os.path.isfile(init):
        return OWN_LICENSE
    return zoo.info(init).license


def _of_model(init, model):
    if isinstance(model, _KINDS):
        return Initial(init, model)
    # A network of keras.applications, or what its errors call it.
    return Initial(init, read=functools.partial(convert.read_backbone, model))


def _of_file(init):
    source, with_classes = find_source(init)
    if source == IMAGENET:
        return Initial(
            init, read=functools.partial(convert.read_backbone, init)
        )
    # Classes are those of the run in any case.
    options = {} if with_classes else {"num_classes": 1}
    return Initial(init, convert.load_checkpoint(init, source, **options))


def read_depth(initial, depth, groups, mean=None, std=None):
    """Reads the 2D network of a source, of the depth of a model.

    Args:
        initial: An `Initial` without a model.
        depth: Integer, the depth of the model that is to be filled.
        groups: Integer, groups of its 3x3 convolutions.
        mean: As for `nonlocal_keras.convert.read_backbone`.
        std: As for `nonlocal_keras.convert.read_backbone`.

    Returns:
        A `nonlocal_keras.convert.backbone.Backbone`.

    Raises:
        ValueError: If there is no such network.
    """
    options = {"mean": mean, "std": std}
    if initial.name == IMAGENET:
        if groups > 1 or depth not in convert.backbone.DEPTHS:
            raise ValueError(
                "`init` must be a file for this model: the weights of "
                "imagenet that Keras downloads are of ResNet-50, 101 and 152. "
                "Files of torchvision, detectron2 and Detectron are read, or "
                "take init=none. Received: init='imagenet' for "
                f"{'ResNeXt' if groups > 1 else 'ResNet'}-{depth}"
            )
        options["depth"] = depth
    return initial.read(**options)


def take(model, initial, source, fresh, directory, say=None):
    """Fills a model from a source, and says what became of each weight.

    Args:
        model: The model of a run.
        initial: An `Initial`.
        source: A model, or `NamedWeights`.
        fresh: Tuple of the names of layers that stay as they are.
        directory: `pathlib.Path` of the folder of the run, where `init.json`
            will hold all names.
        say: Function that shows a text to the user. Defaults to `None`, for a
            run that goes on: nothing.

    Returns:
        A `nonlocal_keras.models.transfer.Transfer`.

    Raises:
        ValueError: If the source is of another network.
    """
    if not isinstance(source, NamedWeights):
        source = NamedWeights.of(source)
    named = dataclasses.replace(source, origin=initial.name)
    try:
        transfer = models.take_weights(model, named, fresh)
    except ValueError as error:
        raise ValueError(f"`init`={initial.name!r}: {error}") from error
    partial.write_text(directory / "init.json", transfer.to_json() + "\n")
    if say is not None:
        say(f"{transfer}")
        if transfer.new_blocks:
            say(
                f"{len(transfer.new_blocks)} new blocks are the identity "
                "until they are trained"
            )
    logging.info("%s", transfer.to_json())
    return transfer

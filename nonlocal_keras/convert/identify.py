"""Tells what kind of published file one is, by the names in it."""

import os

from nonlocal_keras.convert import assign
from nonlocal_keras.convert import name_maps
from nonlocal_keras.convert.backbone import IMAGENET
from nonlocal_keras.convert.backbone_sources import MAPS
from nonlocal_keras.convert.files import keras_files
from nonlocal_keras.convert.files.read import read_tensors
from nonlocal_keras.convert.name_map import ConversionError
from nonlocal_keras.convert.name_map import choose_map
from nonlocal_keras.convert.name_map import without_prefix


def find_source(path):
    """Returns the source of a file, as `nonlocal_keras.convert` calls it.

    Of sources whose files have the same names it is the first: the weights are
    the same, and what they do not tell is to be asked for.

    Args:
        path: String or path of the file.

    Returns:
        A tuple of the source, `"imagenet"` for a 2D network, and whether the
        file has a classifier.

    Raises:
        ValueError: If it is no file of a source.
    """
    if keras_files.is_hdf5(path):
        return IMAGENET, False
    arrays, _ = without_prefix(read_tensors(os.fspath(path)).tensors)
    maps = [m for of_source in name_maps.SOURCES.values() for m in of_source]
    name_map = choose_map([*maps, *MAPS], arrays)
    if name_map is None:
        examples = ", ".join(repr(name) for name in list(arrays)[:3])
        raise ConversionError(
            "The file must be of a source that is converted: "
            f"{', '.join(name_maps.SOURCES)}. Received: {path} with names "
            f"such as {examples}"
        )
    sources = [s for s, ms in name_maps.SOURCES.items() if name_map in ms]
    source = sources[0] if sources else IMAGENET
    shapes = assign.Tensors(name_map, arrays).shapes()
    stem = shapes.get("conv1.kernel", ())
    if source in name_maps.DETECTORS:
        # Their backbones have the same names.
        alone = "rpn_conv.kernel" not in shapes
        return (IMAGENET if alone else source), True
    # Those of clips with the same names have an axis of time.
    flat = len(stem) == 4 and IMAGENET in sources
    return (IMAGENET if flat else source), "pred.kernel" in shapes

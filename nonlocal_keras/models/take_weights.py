"""The weights of one model for another, and what became of each."""

import re

import keras

from nonlocal_keras.layers import arguments
from nonlocal_keras.models.inflation import INFLATIONS
from nonlocal_keras.models.inflation import inflate
from nonlocal_keras.models.norm_forms import fit_norms
from nonlocal_keras.models.transfer import Transfer
from nonlocal_keras.models.weight_names import NamedWeights
from nonlocal_keras.models.weight_names import blocks_of
from nonlocal_keras.models.weight_names import epsilons_of
from nonlocal_keras.models.weight_names import weights_of

# Stem and residual blocks: a network that has them in part is another one.
RESIDUAL = re.compile(r"(conv1|res[2-5]_\d+_branch\w+?)(_bn)?\.\w+")


def take_weights(model, source, fresh=(), inflation="repeat"):
    """Puts the weights of another model into a model, where they fit.

    Weights are matched by name and shape. Kernels of images fill those of
    clips. Batch normalizations become scale and offset where the model keeps
    no statistics. A non-local block is taken over whole or stays as it is: a
    new one is the identity, so that the model computes what the source does.

    Example:

    >>> source = zoo.load("nl_c2d_tiny_longrange")
    >>> backbone = nonlocal_keras.models.from_name("nl_i3d_tiny")
    >>> model = nonlocal_keras.models.VideoClassifier(backbone, num_classes=51)
    >>> print(nonlocal_keras.models.take_weights(model, source))
    | weights | number | of |
    ...

    Args:
        model: A `nonlocal_keras.models.VideoClassifier`, a
            `nonlocal_keras.models.MaskRCNN`, or a backbone of one; changed.
        source: Another such model, or the
            `nonlocal_keras.models.weight_names.NamedWeights` of a file, see
            `nonlocal_keras.convert.read_backbone`.
        fresh: Tuple of strings, the names of layers that keep the weights
            that they have, such as a classifier of other classes. Defaults to
            `()`.
        inflation: String, how a kernel of an image becomes one of a clip,
            `"repeat"` or `"center"`, see `nonlocal_keras.convert`. Defaults to
            `"repeat"`, as in the paper.

    Returns:
        A `nonlocal_keras.models.transfer.Transfer`, which prints as a table.

    Raises:
        ValueError: If stem and residual blocks are not those of the model;
            nothing is changed then.
    """
    arguments.check_choice("inflation", inflation, INFLATIONS)
    if not isinstance(source, NamedWeights):
        source = NamedWeights.of(source)
    weights = weights_of(model)
    given = fit_norms(source, weights, epsilons_of(model))
    found, misfits = _match(weights, given, fresh)
    for block in blocks_of(model):
        _take_whole(block, weights, given, found, misfits)
    left_out = [name for name in given if name not in found]
    _require_residual(source, weights, found, misfits, left_out)
    return Transfer(
        origin=source.origin,
        inflation=inflation,
        taken=tuple(found),
        inflated=_assign(weights, found, inflation),
        misfits=misfits,
        fresh=tuple(name for name in weights if name not in found | misfits),
        left_out=tuple(name for name in left_out if name not in misfits),
        blocks=tuple(blocks_of(model)),
    )


def _match(weights, given, fresh):
    """Returns the arrays that fit by name, and both shapes of the others."""
    found, misfits = {}, {}
    for name, weight in weights.items():
        if name in given and name.split(".")[0] not in fresh:
            theirs, ours = tuple(given[name].shape), tuple(weight.shape)
            if _fits(theirs, ours):
                found[name] = given[name]
            else:
                misfits[name] = (theirs, ours)
    return found, misfits


def _assign(weights, found, inflation):
    """Assigns the arrays; returns the frames of those that were inflated."""
    inflated = {}
    for name, array in found.items():
        weight = weights[name]
        if len(weight.shape) == 5:
            kernel = array[None] if array.ndim == 4 else array
            array = inflate(kernel, weight.shape[0], inflation)
            if len(array) != len(kernel):
                inflated[name] = len(array)
        weight.assign(keras.ops.convert_to_tensor(array, weight.dtype))
    return inflated


def _fits(found, expected):
    if found == expected:
        return True
    if len(expected) != 5:
        return False
    # A kernel of an image, or of one frame.
    return found in (expected[1:], (1, *expected[1:]))


def _take_whole(block, weights, given, found, misfits):
    """Takes no weight of a block that does not fit in all of them."""
    start = f"{block}."
    mine, theirs, fitting = (
        {name for name in names if name.startswith(start)}
        for names in (weights, given, found)
    )
    if mine == theirs == fitting:
        return
    for name in fitting:
        del found[name]
    for name in mine & theirs:
        misfits.setdefault(
            name, (tuple(given[name].shape), tuple(weights[name].shape))
        )


def _require_residual(source, weights, found, misfits, left_out):
    """Refuses a source whose residual network is another one."""
    missing = [n for n in weights if n not in found and RESIDUAL.fullmatch(n)]
    others = [n for n in left_out if RESIDUAL.fullmatch(n)]
    if not missing and not others:
        return
    problems = [
        f"{name} has shape {misfits[name][0]} there and {misfits[name][1]} here"
        if name in misfits
        else f"{name} is not there"
        for name in missing
    ]
    problems += [
        f"{name} has no place here" for name in others if name not in misfits
    ]
    raise ValueError(
        "`source` must have the stem and the residual blocks of the model, of "
        "the same depth and width. Choose another source, or the model that it "
        f"is of. Received: {source.origin}, of which {len(problems)} weights "
        f"do not fit: {'; '.join(problems[:3])}"
    )

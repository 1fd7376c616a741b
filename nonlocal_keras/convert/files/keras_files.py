"""Reads the 2D ResNets of `keras.applications`: models and `.h5` weights.

Their convolutions have biases. Each is followed by a batch normalization,
where a bias is the same as a mean that is smaller by it. What else they differ
in, `nonlocal_keras/convert/backbone_sources.py` tells.
"""

import hashlib
import os

import numpy as np

from nonlocal_keras.convert.files.read import Checkpoint
from nonlocal_keras.convert.files.read import CheckpointError

MAGIC = b"\x89HDF"
MAX_DATASETS = 100_000
MAX_BYTES = 4 << 30
DIFFERENCES = (
    "Weights of keras.applications were trained with the stride of a stage on "
    "its first 1x1 convolution; here it is on the 3x3. They are a start for "
    "training, not the same network."
)


def is_hdf5(path):
    """Returns whether this is a file in the HDF5 format."""
    try:
        with open(path, "rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_model(model):
    """Reads the weights of a model, in the layout of the other readers.

    Args:
        model: A `keras.Model`.

    Returns:
        A `Checkpoint` without biases of convolutions, and a dictionary of the
        name of each bias to its shape and the weight that it is part of.
    """
    # The readers of files do without Keras.
    from keras import ops

    tensors = {
        f"{layer.name}/{weight.name}": ops.convert_to_numpy(weight)
        for layer in model.layers
        for weight in layer.weights
    }
    return _checkpoint(tensors, "", "keras-model")


def read_file(path):
    """Reads an `.h5` file of weights; see `read_model`."""
    return _checkpoint(*_of_file(os.fspath(path)), "keras-hdf5")


def _checkpoint(tensors, digest, kind):
    absorbed = _absorb_biases(tensors)
    tensors = {
        name: np.transpose(array, _ORDER.get(array.ndim))
        for name, array in tensors.items()
    }
    return Checkpoint(tensors, {}, (), digest, kind), absorbed


# From sizes first to output channels first.
_ORDER = {4: (3, 2, 0, 1), 2: (1, 0)}


def _of_file(path):
    """Returns the arrays of a file by name, and its SHA-256."""
    import h5py

    if os.path.getsize(path) > MAX_BYTES:
        raise CheckpointError(
            f'"{path}": expected at most {MAX_BYTES} bytes, found more.'
        )
    tensors = {}
    try:
        with h5py.File(path, "r") as file:
            _collect(file, "", tensors, h5py)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(
            f'"{path}": expected a whole HDF5 file, found {error}. Download '
            "it again."
        ) from error
    with open(path, "rb") as file:
        return tensors, hashlib.file_digest(file, "sha256").hexdigest()


def _collect(group, prefix, tensors, h5py):
    """Enters the arrays under `layer/weight`, the end of their path."""
    for name in group:
        # A link to another file would read that file.
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise CheckpointError(
                f"expected arrays in the file itself, found a link at "
                f"{prefix}{name!r}."
            )
        item = group[name]
        if isinstance(item, h5py.Group):
            if prefix.count("/") < 4:
                _collect(item, f"{prefix}{name}/", tensors, h5py)
            continue
        size = int(np.prod(item.shape, dtype=np.int64)) * item.dtype.itemsize
        if item.dtype.kind != "f" or size > 2 * item.file.id.get_filesize():
            raise CheckpointError(
                f"expected arrays of floats that the file can hold, found "
                f"{item.dtype} of shape {item.shape} at {prefix}{name!r}."
            )
        layer = prefix.rstrip("/").split("/")[-1]
        if layer == "vars":
            layer, name = _name_of_number(group, name)
        tensors[f"{layer}/{name.split(':')[0]}"] = item[()]
        if len(tensors) > MAX_DATASETS:
            raise CheckpointError("expected fewer arrays in one file.")


# By the number of weights: a convolution or dense layer with a bias, a batch
# normalization.
_NUMBERED = {
    2: ("kernel", "bias"),
    4: ("gamma", "beta", "moving_mean", "moving_variance"),
}


def _name_of_number(group, number):
    """Returns layer and weight of a number in a `.weights.h5` of Keras 3."""
    layer = str(group.attrs.get("name", "vars"))
    names = _NUMBERED.get(len(group), ())
    known = number.isdigit() and int(number) < len(names)
    return layer, names[int(number)] if known else number


def _absorb_biases(tensors):
    """Moves biases into means, in place."""
    absorbed = {}
    for name in [n for n in tensors if n.endswith("_conv/bias")]:
        layer = name.removesuffix("_conv/bias")
        mean = f"{layer}_bn/moving_mean"
        if mean in tensors:
            bias = tensors.pop(name)
            tensors[mean] = tensors[mean] - bias
            absorbed[name] = (bias.shape, f"{mean}, subtracted")
    return absorbed

"""Random networks, and files of their weights as each project writes them.

Layouts and containers are made here by hand, independently of the readers;
names are those of `checkpoint_names.py`.
"""

import pickle

import keras
import numpy as np

from nonlocal_keras import layers
from nonlocal_keras import models
from tests.support import checkpoint_bytes

# Stems of the projects: strides, pool1, pool2.
POOL2 = ((2, 1, 1), (2, 1, 1), (0, 0, 0))
DENSE = {
    "stem_strides": (1, 2, 2),
    "pool1": ((1, 3, 3), (1, 2, 2), (0, 0, 0)),
    "pool2": POOL2,
}
STRIDED = {
    "stem_strides": (2, 2, 2),
    "pool1": ((2, 3, 3), (2, 2, 2), (0, 0, 0)),
    "pool2": POOL2,
}
PADDED = {**DENSE, "pool1": ((1, 3, 3), (1, 2, 2), (0, 1, 1))}
PADDED_STRIDED = {
    "stem_strides": (2, 2, 2),
    "pool1": ((1, 3, 3), (2, 2, 2), (0, 1, 1)),
    "pool2": POOL2,
}
NO_POOL2 = {**PADDED, "pool2": None}
# The stem must have a channel to shift.
SHIFTED = {**NO_POOL2, "shift_div": 8, "stem_width": 8}

BLOCKS = (1, 2, 1, 1)
PLACES = {"res3": (1,), "res4": (0,)}
KERNELS = {"res2": (3,), "res3": (3, 1), "res4": (3,), "res5": (3,)}
I3D = {"stem_kernel": (5, 7, 7), "temporal_kernels": KERNELS}
POOLED_FIRST = {"pool_size": (1, 2, 2), "pool_first": True}


def network(frames=8, classes=3, places=PLACES, options=None, **arguments):
    """A small classifier whose weights are all drawn at random."""
    arguments = {"stage_blocks": BLOCKS, "stem_width": 4, **arguments}
    backbone = models.VideoResNet(
        input_shape=(frames, 32, 32, 3),
        non_local=places,
        non_local_options=options,
        **arguments,
    )
    model = models.VideoClassifier(backbone, classes)
    draw = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(_random(draw, weight))
    return model


def _random(draw, weight):
    shape = tuple(weight.shape)
    if weight.name == "moving_variance":
        return draw.uniform(0.5, 2.0, shape)
    if weight.name in ("gamma", "scale"):
        return draw.uniform(0.5, 1.5, shape)
    if weight.name == "kernel":
        deviation = np.sqrt(2 / np.prod(shape[:-1]))
        return draw.normal(0, deviation, shape)
    return draw.normal(0, 0.2, shape)


def clip(model, seed=2):
    shape = tuple(model.input_shape[1:])
    draw = np.random.default_rng(seed)
    return draw.normal(size=(2, *shape)).astype("float32")


def logits(model, x):
    return np.asarray(model.logits(x, training=False))


# Tensors.


def tensors(model, names, flat=False):
    """Gives the weights of a model as tensors of a file, by name."""
    result = {}
    for layer in model.backbone.layers:
        if not layer.weights:
            continue
        if isinstance(layer, layers.NonLocal3D):
            result |= _non_local(layer, names)
            continue
        part = layer.name.removesuffix("_bn")
        if part == "conv1":
            convolution, norm = names.stem()
        else:
            stage, block, branch = part[3:].split("_")
            convolution, norm = names.convolution(
                int(stage), int(block), branch.removeprefix("branch")
            )
        if layer.name.endswith("_bn"):
            result |= _vectors(layer, norm, names)
        else:
            kernel = _array(layer.kernel).transpose(4, 3, 0, 1, 2)
            kernel = kernel[:, :, 0] if flat else kernel
            result[convolution + names.value["kernel"]] = kernel
    dense = model.get_layer("pred")
    result[names.classifier() + names.value["kernel"]] = _array(dense.kernel).T
    result[names.classifier() + names.value["bias"]] = _array(dense.bias)
    return {k: np.ascontiguousarray(v) for k, v in result.items()}


def _non_local(layer, names):
    _, stage, block = layer.name.split("_")
    stage = int(stage[3:])
    result = {}
    for name in ("theta", "phi", "g", "w_z"):
        dense = getattr(layer, name, None)
        if dense is None:
            continue
        prefix = names.non_local(stage, block, name)
        kernel = _array(dense.kernel).T[:, :, None, None, None]
        result[prefix + names.value["kernel"]] = kernel
        if dense.use_bias:
            result[prefix + names.value["bias"]] = _array(dense.bias)
    if hasattr(layer, "w_f"):
        prefix = names.non_local(stage, block, "w_f")
        w_f = _array(layer.w_f)[None, :, None, None]
        result[prefix + names.value["kernel"]] = w_f
    if layer.norm is not None:
        result |= _vectors(layer.norm, names.norm(stage, block), names)
    return result


def _vectors(layer, prefix, names):
    found = {"scale": "gamma", "offset": "beta"}
    return {
        prefix + names.vectors[found.get(w.name, w.name)]: _array(w)
        for w in layer.weights
    }


def _array(weight):
    return keras.ops.convert_to_numpy(weight).astype("<f4")


# Containers.


def caffe2_file(tensors, momenta=True, bare=False):
    blobs = dict(tensors)
    if momenta:
        blobs |= {f"{k}_momentum": v for k, v in tensors.items()}
        blobs |= {"lr": np.float32(0.1), "model_iter": 7}
    return pickle.dumps(blobs if bare else {"blobs": blobs}, 2)


def torch_file(tensors, wrapper=None, counters=True, **extra):
    """A zip as torch.save writes it, one storage per tensor."""
    entries, storages = {}, {}

    def add(name, array, kind):
        key = str(len(storages))
        strides = [s // array.itemsize for s in array.strides]
        storages[key] = array.tobytes()
        storage = checkpoint_bytes.storage(key, array.size, kind)
        entries[name] = checkpoint_bytes.torch_tensor(
            storage, 0, array.shape, strides
        )

    for name, array in tensors.items():
        add(name, array, "FloatStorage")
        if counters and name.endswith("running_var"):
            counter = name.replace("running_var", "num_batches_tracked")
            add(counter, np.array(9, "<i8"), "LongStorage")
    body = checkpoint_bytes.mapping(**entries)
    if wrapper:
        texts = {k: checkpoint_bytes.text(v) for k, v in extra.items()}
        body = checkpoint_bytes.mapping(**{wrapper: body}, **texts)
    return checkpoint_bytes.torch_zip(body, storages)


def mxnet_file(tensors):
    arrays = map(checkpoint_bytes.mxnet_array, tensors.values())
    return checkpoint_bytes.mxnet_list(list(tensors), *arrays)


def gluoncv_duplicates(tensors, mxnet):
    """Adds the names under which GluonCV saves the same tensors again."""
    result = dict(tensors)
    for name, array in tensors.items():
        head, _, value = name.rpartition(".")
        layer, _, part = head.rpartition(".")
        if part in ("W", "bn") and layer.endswith("nonlocal_block"):
            result[f"{layer}.W_bn.{int(part == 'bn')}.{value}"] = array
        if head == "fc":
            result[f"head.1.{value}"] = array
    if not mxnet:
        return result
    places = dict(zip("conv1 bn1 conv2 bn2 conv3 bn3".split(), "013467"))
    for name, array in list(result.items()):
        parts = name.split(".")
        if parts[0] == "res_layers" and parts[3] in places:
            parts[3] = f"bottleneck.{places[parts[3]]}"
        elif parts[0] == "res_layers" and parts[3] == "nonlocal_block":
            parts[3] = "bottleneck.8"
        else:
            continue
        result[".".join(parts)] = array
    return result

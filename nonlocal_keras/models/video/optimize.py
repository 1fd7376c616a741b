"""The same predictions in less time: normalizations become part of kernels."""

import keras
import numpy as np

from nonlocal_keras.layers import FrozenAffine
from nonlocal_keras.layers import NonLocal3D
from nonlocal_keras.layers import VideoConv3D
from nonlocal_keras.layers import initialization
from nonlocal_keras.models.backbones.video_resnet import VideoResNet
from nonlocal_keras.models.video.video_classifier import VideoClassifier

DTYPES = (None, "float32", "bfloat16")


def optimize_for_inference(model, dtype=None):
    """Makes a faster model that predicts the same and is not to be trained.

    Normalizations become part of the kernels and biases before them, which
    backends compute in one pass with the activation, and dropout is left out.
    The logits are those of the model up to rounding, 1e-4 of the largest at
    most; in `bfloat16` up to some percent.

    Example:

    >>> model = zoo.load("nl_c2d_tiny_longrange")
    >>> fast = nonlocal_keras.optimize_for_inference(model)
    >>> fast.save("fast.keras")

    Args:
        model: A `nonlocal_keras.models.VideoClassifier` on a `VideoResNet`, or
            a `VideoResNet`.
        dtype: String, `"bfloat16"` to keep and compute features in 16 bits,
            for processors that have instructions for it; `"float32"` for a
            model of mixed precision. Defaults to `None`, the dtype of the
            model.

    Returns:
        A model of the same kind with the same inputs and outputs.

    Raises:
        ValueError: If the model is of another kind, or `dtype` is unknown.
    """
    if dtype not in DTYPES:
        raise ValueError(
            f"`dtype` must be one of {DTYPES}. Received: dtype={dtype!r}"
        )
    if isinstance(model, VideoResNet):
        return _backbone(model, dtype)
    if not isinstance(getattr(model, "backbone", None), VideoResNet):
        raise ValueError(
            "`model` must be a VideoClassifier on a VideoResNet, or a "
            f"VideoResNet. Received: {type(model).__name__} "
            f"{getattr(model, 'name', model)!r}"
        )
    config = {**model.get_config(), "dropout": 0.0}
    del config["backbone"]
    fast = VideoClassifier(_backbone(model.backbone, dtype), **config)
    fast.get_layer("pred").set_weights(model.get_layer("pred").get_weights())
    return fast


def _backbone(model, dtype):
    config = model.get_config()
    plain = {"normalization": None, "output_bias": True}
    options = {
        name: {**value, **plain} if isinstance(value, dict) else value
        for name, value in (config["non_local_options"] or {}).items()
    }
    if config["non_local"]:
        config["non_local_options"] = {**options, **plain}
    config.update(
        normalization=None,
        synchronized=False,
        remat=False,
        dtype=dtype or config["dtype"],
    )
    with initialization.no_random_weights():
        fast = VideoResNet.from_config(config)
    for layer in fast.layers:
        source = model.get_layer(layer.name) if layer.weights else None
        if isinstance(layer, VideoConv3D):
            kernel, bias = _values(source.kernel), 0.0
            if source.use_bias:
                bias = _values(source.bias)
            else:
                norm = model.get_layer(f"{layer.name}_bn")
                kernel, bias = _absorb(kernel, bias, norm)
            layer.kernel.assign(kernel)
            layer.bias.assign(bias)
        elif isinstance(layer, NonLocal3D):
            _assign_block(layer, source)
    return fast


def _assign_block(layer, source):
    for name in ("theta", "phi", "g"):
        if hasattr(source, name):
            weights = getattr(source, name).get_weights()
            getattr(layer, name).set_weights(weights)
    if hasattr(source, "w_f"):
        layer.w_f.assign(_values(source.w_f))
    kernel, bias = _values(source.w_z.kernel), 0.0
    if source.w_z.use_bias:
        bias = _values(source.w_z.bias)
    if source.norm is not None:
        kernel, bias = _absorb(kernel, bias, source.norm)
    layer.w_z.kernel.assign(kernel)
    layer.w_z.bias.assign(np.broadcast_to(bias, layer.w_z.bias.shape))


def _absorb(kernel, bias, norm):
    """Returns the kernel and bias that do what `norm` does after the old."""
    if isinstance(norm, FrozenAffine):
        scale, offset = _values(norm.scale), _values(norm.offset)
    else:
        scale = _values(norm.gamma)
        scale = scale / np.sqrt(_values(norm.moving_variance) + norm.epsilon)
        offset = _values(norm.beta) - _values(norm.moving_mean) * scale
    return kernel * scale, bias * scale + offset


def _values(weight):
    # Double precision, so that the products are rounded once.
    return keras.ops.convert_to_numpy(weight).astype("float64")

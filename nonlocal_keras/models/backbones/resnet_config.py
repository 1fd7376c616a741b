"""The arguments of residual networks as plain values: checked, in one form."""

import keras

from nonlocal_keras.layers import arguments
from nonlocal_keras.models.backbones import placement
from nonlocal_keras.models.backbones.placement import STAGES


def standardize(config):
    """Checks the arguments of a `VideoResNet` and brings each into one form.

    Args:
        config: Dictionary of all arguments but `name` and `trainable`.

    Returns:
        Dictionary of the same keys.

    Raises:
        ValueError: If an argument is outside its rule or would change
            nothing.
    """
    arguments.check_choice("inflate", config["inflate"], ("3x1x1", "3x3x3"))
    arguments.check_choice(
        "normalization", config["normalization"], arguments.NORMALIZATIONS
    )
    arguments.check_positive_int("stem_width", config["stem_width"])
    _check_input_shape(config["input_shape"])
    shared = standardize_shared(config)
    _check_dilations(config["stage_dilations"], config["stage_strides"])
    kernels = _check_temporal_kernels(
        config["temporal_kernels"], shared["stage_blocks"]
    )
    if config["inflate"] == "3x3x3" and not kernels:
        raise ValueError(
            '`inflate="3x3x3"` without `temporal_kernels` would change '
            "nothing. Name the kernels, or leave it out. "
            f"Received: temporal_kernels={config['temporal_kernels']}"
        )
    tuples = {
        name: tuple(config[name])
        for name in (
            "input_shape",
            "stem_kernel",
            "stem_strides",
            "stage_strides",
            "stage_dilations",
        )
    }
    return {
        **config,
        **shared,
        **tuples,
        "pool1": _nested_tuple(config["pool1"]),
        "pool2": _nested_tuple(config["pool2"]),
        "temporal_kernels": kernels,
        "remat": bool(config["remat"]),
    }


def standardize_shared(config):
    """Does so for the arguments that all residual networks have.

    Args:
        config: Dictionary of all arguments but `name` and `trainable`.

    Returns:
        Dictionary of these arguments alone.

    Raises:
        ValueError: As `standardize`.
    """
    blocks = tuple(config["stage_blocks"])
    _check_stage_blocks(blocks)
    return {
        "stage_blocks": blocks,
        "non_local": placement.check_placement(config["non_local"], blocks),
        "non_local_options": dict(config["non_local_options"] or {}),
        "kernel_initializer": keras.initializers.get(
            config["kernel_initializer"]
        ),
        "kernel_regularizer": keras.regularizers.get(
            config["kernel_regularizer"]
        ),
        # By name: `Identity` cannot serialize a policy. Never None: a model
        # that is loaded elsewhere keeps the policy of today.
        "dtype": keras.dtype_policies.get(config["dtype"]).name,
    }


def of_blocks(config):
    """Returns the arguments that non-local blocks share with the network."""
    names = ("momentum", "epsilon", "synchronized", "kernel_regularizer")
    return {
        **{name: config[name] for name in names},
        "data_format": "channels_last",
        "dtype": config["dtype"],
    }


def serialize(config):
    """Turns a config of plain values into what a Keras file holds."""
    empty = (
        "non_local",
        "non_local_options",
        "temporal_kernels",
        "global_context",
        "global_context_options",
    )
    return {
        **config,
        **{name: config[name] or None for name in empty if name in config},
        "kernel_initializer": keras.initializers.serialize(
            config["kernel_initializer"]
        ),
        "kernel_regularizer": keras.regularizers.serialize(
            config["kernel_regularizer"]
        ),
    }


def describe(config):
    """Returns `"NL-C2D ResNet-50: 1 non-local block at res4[4]"`."""
    c2d = config["stem_kernel"][0] == 1 and not config["temporal_kernels"]
    name = "C2D" if c2d else "I3D"
    if config["inflate"] == "3x3x3":
        name += "-3x3x3"
    if config["non_local"]:
        name = "NL-" + name
    depth = 3 * sum(config["stage_blocks"]) + 2
    shift = "" if config["shift_div"] is None else " with temporal shift"
    places = placement.describe(config["non_local"])
    return f"{name} ResNet-{depth}{shift}: {places}"


def _check_input_shape(input_shape):
    if len(input_shape) != 4 or input_shape[-1] is None:
        raise ValueError(
            "`input_shape` must be (frames, height, width, channels), of "
            "which all but the channels may be None. "
            f"Received: input_shape={tuple(input_shape)}"
        )


def _check_stage_blocks(stage_blocks):
    if len(stage_blocks) != len(STAGES):
        raise ValueError(
            f"`stage_blocks` must hold one integer for each of {STAGES}. "
            f"Received: stage_blocks={tuple(stage_blocks)}"
        )
    for blocks in stage_blocks:
        arguments.check_positive_int("stage_blocks", blocks)


def _check_dilations(dilations, strides):
    for stage, dilation, stride in zip(STAGES, dilations, strides, strict=True):
        arguments.check_positive_int("stage_dilations", dilation)
        if dilation > 1 and stride > 1:
            raise ValueError(
                "`stage_dilations` must be 1 for a stage with a stride: a "
                "dilated stage keeps the size that a stride would halve. Set "
                f"the stride of {stage} to 1. Received: stage_dilations="
                f"{tuple(dilations)}, stage_strides={tuple(strides)}"
            )


def _nested_tuple(pool):
    return None if pool is None else tuple(map(tuple, pool))


def _check_temporal_kernels(kernels, stage_blocks):
    """Returns `{stage: kernel per block}`, empty for a C2D."""
    kernels = {s: tuple(k) for s, k in (kernels or {}).items()}
    for stage, sizes in kernels.items():
        if stage not in STAGES:
            raise ValueError(
                f"`temporal_kernels` must name stages out of {STAGES}. "
                f"Received: {stage!r}"
            )
        if len(sizes) != stage_blocks[STAGES.index(stage)]:
            raise ValueError(
                "`temporal_kernels` must hold one integer per block of "
                f"{stage}, {stage_blocks[STAGES.index(stage)]}. "
                f"Received: {sizes}"
            )
    return {s: k for s, k in kernels.items() if any(t != 1 for t in k)}

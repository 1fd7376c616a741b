"""Checks of the arguments of the non-local layers.

Every error names the argument, the rule, the value received and a way out.
"""

import keras

from nonlocal_keras.ops.pairwise import SOFTMAX_FORMS

IMPLEMENTATIONS = ("auto", "matrix", "streamed")
NORMALIZATIONS = ("batch", "affine", None)
AXES_OF_CLIPS = {"time": (0,), "space": (1, 2), "spacetime": (0, 1, 2)}


def check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {', '.join(map(repr, choices))}. "
            f"Received: {name}={value!r}"
        )
    return value


def check_positive_int(name, value):
    # `bool` is an int: NonLocal2D(True) is a mistake, not one channel.
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(
            f"`{name}` must be a positive integer. Received: {name}={value!r}"
        )
    return value


def check_floats(layer, inputs):
    """Raises unless a layer's input are floats, and tensors of Keras 3."""
    if type(inputs).__module__.startswith("tf_keras."):
        raise ValueError(
            f"`inputs` of {type(layer).__name__} must be tensors of Keras 3: "
            "a model of tf_keras, which is Keras 2, would not find the weights "
            "of this layer and never train them. Build the model by `keras`, "
            "or take nonlocal_keras.integrations.model_garden."
            f"TfKerasNonLocal2D. Received: {type(inputs)}"
        )
    dtype = keras.backend.standardize_dtype(inputs.dtype)
    if not keras.backend.is_float_dtype(dtype):
        raise ValueError(
            f"`inputs` of {type(layer).__name__} must be floats; convert them "
            "by keras.ops.cast(inputs, 'float32'), pixels by the preprocessing "
            f"of their model. Received: dtype={dtype}"
        )


def check_scale(scale, pairwise):
    if scale is None:
        return None
    try:
        scale = float(scale)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "`scale` must be a number, or None for intermediate_dim ** -0.5. "
            f"Received: scale={scale!r}"
        ) from error
    if pairwise not in SOFTMAX_FORMS and scale != 1.0:
        raise ValueError(
            "`scale` multiplies the logits of a softmax, and the pairwise form "
            f"{pairwise!r} has none. Leave scale=None, or choose one of "
            f"{SOFTMAX_FORMS}. Received: scale={scale}"
        )
    return scale


def check_pool_size(pool_size, rank, layer):
    if pool_size is None:
        return None
    example = (1, 2, 2)[-rank:]
    if isinstance(pool_size, int) and not isinstance(pool_size, bool):
        pool_size = (pool_size,) * rank
    try:
        pool_size = tuple(pool_size)
    except TypeError as error:
        raise ValueError(
            f"`pool_size` must be an integer or a tuple of {rank} integers, "
            f"e.g. {example}. Received: pool_size={pool_size!r}"
        ) from error
    if len(pool_size) != rank:
        raise ValueError(
            f"`pool_size` has {len(pool_size)} entries but {layer} needs "
            f"{rank}, e.g. pool_size={example}. "
            f"Received: pool_size={pool_size}"
        )
    for size in pool_size:
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(
                "`pool_size` must hold positive integers, e.g. "
                f"{example}. Received: pool_size={pool_size}"
            )
    return pool_size


def attended_axes(attend_axes, rank, layer):
    """Returns the indices of the spatial axes whose positions attend."""
    if attend_axes is None:
        return tuple(range(rank))
    if isinstance(attend_axes, str):
        if rank == 3 and attend_axes in AXES_OF_CLIPS:
            return AXES_OF_CLIPS[attend_axes]
    elif isinstance(attend_axes, (tuple, list)):
        axes = tuple(attend_axes)
        if axes and all(a in range(rank) for a in axes):
            if len(set(axes)) == len(axes):
                return tuple(sorted(axes))
    words = "'time', 'space', 'spacetime' or " if rank == 3 else ""
    raise ValueError(
        f"`attend_axes` of {layer} must be None (all positions), {words}a "
        f"tuple of different axes out of {tuple(range(rank))}. "
        f"Received: attend_axes={attend_axes!r}"
    )


def check_split(axes, pool_size, frame_groups):
    """Checks that grouping and pooling act on axes that attend."""
    if frame_groups > 1 and 0 not in axes:
        raise ValueError(
            "`frame_groups` splits the first axis, over which these "
            "`attend_axes` do not attend, so that it would change nothing. "
            f"Leave frame_groups=1. Received: frame_groups={frame_groups}"
        )
    for axis, size in enumerate(pool_size or ()):
        if size > 1 and axis not in axes:
            raise ValueError(
                "`pool_size` must be 1 along the axes over which "
                f"`attend_axes` does not attend, here axis {axis}. "
                f"Received: pool_size={pool_size}"
            )


def check_input_shape(shape, rank, layer, pool_size=None, frame_groups=1):
    """Checks a `channels_last` input shape, entries `None` where unknown."""
    example = "(batch, frames, height, width, channels)"
    example = {1: "(batch, steps, channels)", 3: example}.get(
        rank, "(batch, height, width, channels)"
    )
    if len(shape) != rank + 2:
        other = len(shape) - 2
        named = layer.startswith("NonLocal") and 1 <= other <= 3
        way_out = f"use NonLocal{other}D or reshape" if named else ""
        raise ValueError(
            f"`inputs` of {layer} must have {rank + 2} axes, {example}; for "
            f"{len(shape)} axes {way_out or 'reshape'}. "
            f"Received: inputs.shape={tuple(shape)}"
        )
    if shape[-1] is None:
        raise ValueError(
            f"The channels of `inputs` of {layer} must be known when the "
            "weights are made; batch and positions may be None. "
            f"Received: inputs.shape={tuple(shape)}"
        )
    sizes = shape[1:-1]
    if 0 in sizes or shape[-1] == 0:
        raise ValueError(
            f"`inputs` of {layer} has an empty axis, so there is no position "
            "to attend to; drop such samples before the layer. "
            f"Received: inputs.shape={tuple(shape)}"
        )
    if sizes[0] is not None and sizes[0] % frame_groups:
        raise ValueError(
            f"`frame_groups` must divide the {sizes[0]} entries of the first "
            "axis after the batch. Choose a divisor, or pad or cut the input. "
            f"Received: frame_groups={frame_groups}"
        )
    for axis, size in enumerate(pool_size or ()):
        known = sizes[axis]
        if known is not None and axis == 0:
            known //= frame_groups
        if known is not None and size > known:
            raise ValueError(
                f"`pool_size` must not exceed the map: along axis {axis} the "
                f"map has {known} positions. Choose a smaller pool, or None. "
                f"Received: pool_size={pool_size}"
            )

"""How networks want their pixels, and a stem that takes them otherwise.

A first convolution can do what the normalization of images does before it:
its kernel is scaled by channel, and what another mean adds to every pixel goes
into the statistics after it. Only the zeros around the image are of another
color then.
"""

import dataclasses

import numpy as np

from nonlocal_keras.convert import detector_layout as layout


@dataclasses.dataclass(frozen=True)
class Pixels:
    """What a network takes: `(rgb / 255 - mean) / std`.

    Attributes:
        mean: Tuple of 3 floats, in RGB.
        std: Tuple of 3 floats, in RGB.
        bgr: Boolean, whether the channels come as BGR. Defaults to `False`.
    """

    mean: tuple
    std: tuple
    bgr: bool = False

    @classmethod
    def of_bytes(cls, mean, std=(1.0, 1.0, 1.0), bgr=True):
        """Returns those of a network that takes `(rgb - mean) / std`."""
        mean, std = (tuple(x / 255 for x in values) for values in (mean, std))
        return cls(mean, std, bgr)


OF_KERAS = Pixels.of_bytes((123.68, 116.779, 103.939))
# Of the clips of the paper, its release and PySlowFast.
OF_CLIPS = Pixels((0.45, 0.45, 0.45), (0.225, 0.225, 0.225))


def change(tensors, of, to):
    """Lets the stem of a network take other pixels, in RGB.

    Args:
        tensors: `nonlocal_keras.convert.assign.Tensors`, which is changed.
        of: `Pixels` that the network was trained with.
        to: `Pixels` that it is to take.
    """
    if of.bgr:
        layout.take_rgb(tensors)
    same = np.allclose([of.mean, of.std], [to.mean, to.std], 0, 1e-9)
    if same or "conv1.kernel" not in tensors.used:
        return
    kernel = tensors.array_of("conv1.kernel")
    if kernel.ndim < 4 or kernel.shape[1] != 3:
        # Refused for its shape later.
        return
    mean, std, new_mean, new_std = (
        np.asarray(values, "float64")
        for values in (of.mean, of.std, to.mean, to.std)
    )
    by_channel = (3,) + (1,) * (kernel.ndim - 2)
    added = kernel * ((new_mean - mean) / std).reshape(by_channel)
    added = added.sum(axis=tuple(range(1, kernel.ndim)))
    changed = kernel * (new_std / std).reshape(by_channel)
    tensors.changed["conv1.kernel"] = changed.astype("float32")
    if "conv1_bn.moving_mean" in tensors.used:
        moved = tensors.array_of("conv1_bn.moving_mean") - added
        tensors.changed["conv1_bn.moving_mean"] = moved.astype("float32")
    elif "conv1_bn.beta" in tensors.used:
        gamma = tensors.array_of("conv1_bn.gamma")
        moved = tensors.array_of("conv1_bn.beta") + gamma * added
        tensors.changed["conv1_bn.beta"] = moved.astype("float32")

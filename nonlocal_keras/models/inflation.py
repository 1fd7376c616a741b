"""2D kernels in 3D networks: how a kernel of one frame fills a longer one."""

import numpy as np

INFLATIONS = ("repeat", "center")


def inflate(kernel, times, inflation):
    """Returns a kernel that extends in time.

    Args:
        kernel: Array `(1, height, width, inputs, outputs)`; one that extends
            in time already is returned as it is, if it is as long.
        times: Integer, frames of the kernel that is returned.
        inflation: String, `"repeat"` for the kernel at every time, divided by
            their number, so that a clip of equal frames gives what the image
            gave; `"center"` for the middle time alone, so that every frame
            does.

    Returns:
        Array `(times, height, width, inputs, outputs)`.
    """
    if kernel.shape[0] == times:
        return kernel
    if inflation == "repeat":
        return np.repeat(kernel / times, times, axis=0)
    inflated = np.zeros((times, *kernel.shape[1:]), kernel.dtype)
    inflated[times // 2] = kernel[0]
    return inflated

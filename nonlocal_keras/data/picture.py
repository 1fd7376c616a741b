"""From a decoded frame to RGB as it is shown."""

import numpy as np

from nonlocal_keras.data.scaling import scaled
from nonlocal_keras.data.video_file import VideoError

# Scaling makes no frame larger than this: 16 x 1920 at a shorter side of 256
# is half of it.
MAX_SCALED_PIXELS = 2**24


def shown_size(frame, orientation):
    """Returns the width and height of a frame as a player shows it.

    The display matrix counts, the aspect ratio of pixels does not: copies of
    Kinetics that were scaled to 340 x 256 say that their pixels are 64:51, and
    the published networks were trained, as OpenCV and decord read, on what is
    stored.

    Args:
        frame: An `av.VideoFrame`.
        orientation: Tuple, as `orientation` returns it.

    Returns:
        Tuple of 2 integers, in pixels.
    """
    size = frame.width, frame.height
    return size[::-1] if orientation[0] else size


def target_size(path, width, height, scaling):
    """Returns the width and height to which the frames of a video are scaled.

    Args:
        path: String or path of the file, for the error.
        width: Integer, width of the video as it is shown, in pixels.
        height: Integer, its height.
        scaling: Integer, the shorter side; or a function of width and height;
            or `None` for no scaling.

    Returns:
        Tuple of 2 integers, in pixels.

    Raises:
        VideoError: If the frames are so long and narrow that scaled ones
            would not fit into memory.
    """
    if callable(scaling):
        size = scaling(width, height)
    else:
        size = scaled(width, height, scaling) if scaling else (width, height)
    if size[0] * size[1] > max(MAX_SCALED_PIXELS, width * height):
        raise VideoError(
            f"{path}: frames of {width} x {height} pixels would be scaled to "
            f"{size[0]} x {size[1]}, more than {MAX_SCALED_PIXELS} pixels"
        )
    return size


def to_rgb(reformatter, frame, width, height, orientation):
    """Returns a frame as it is shown.

    Args:
        reformatter: An `av.video.reformatter.VideoReformatter`.
        frame: An `av.VideoFrame`.
        width: Integer, width after turning and scaling, in pixels.
        height: Integer, height after turning and scaling.
        orientation: Tuple, as `orientation` returns it.

    Returns:
        uint8 RGB array `(height, width, 3)`.
    """
    if orientation[0]:
        width, height = height, width
    frame = reformatter.reformat(
        frame, width, height, format="rgb24", interpolation="BILINEAR"
    )
    return turn(frame.to_ndarray(), orientation)


def turn(image, orientation):
    """Returns a stored picture as it is shown.

    Args:
        image: Array `(height, width, channels)`.
        orientation: Tuple, as `orientation` returns it.

    Returns:
        A view of the array.
    """
    turned, mirrored, upside_down = orientation
    if turned:
        image = image.swapaxes(0, 1)
    if mirrored:
        image = image[:, ::-1]
    return image[::-1] if upside_down else image


def orientation(frame):
    """Returns whether rows become columns, and what is mirrored then.

    Of other angles than quarter turns the nearest is taken. Asked of the first
    frame alone: PyAV keeps a frame whose side data were looked at, and its
    memory, until the next round of the garbage collector.

    Args:
        frame: An `av.VideoFrame`.

    Returns:
        Tuple of 3 booleans: whether rows become columns, whether left and right
        are exchanged then, and whether top and bottom are.
    """
    from av.sidedata.sidedata import Type

    data = frame.side_data.get(Type.DISPLAYMATRIX)
    if data is None:
        return False, False, False
    # x' = a x + c y, y' = b x + d y of the matrix (a, b, u; c, d, v; x, y, w).
    a, b, _, c, d, *_ = (int(v) for v in np.frombuffer(bytes(data), np.int32))
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, c < 0, b < 0
    return False, a < 0, d < 0

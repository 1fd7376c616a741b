"""Clips of files, as a model takes them, with their place in the file."""

import os

import keras
import numpy as np
from keras import ops

from nonlocal_keras.data import ClipSpec
from nonlocal_keras.data import clips
from nonlocal_keras.data import decode
from nonlocal_keras.data import sampling
from nonlocal_keras.data import views
from nonlocal_keras.data.image_file import read_image
from nonlocal_keras.data.scaling import Scaling
from nonlocal_keras.data.scaling import scaled
from nonlocal_keras.visualize import detector_clip
from nonlocal_keras.visualize.block_calls import check_model
from nonlocal_keras.visualize.block_calls import takes_channels_first
from nonlocal_keras.visualize.clip import Clip
from nonlocal_keras.visualize.clip import as_it_is

# How pixels of an image become inputs: the modes of `keras.applications`, and
# the two ways of models that rescale inside.
PIXELS = ("caffe", "tf", "torch", "0-1", "0-255")

# The shorter side of the pictures to draw on, at most, in pixels.
PICTURE_SIDE = 360


def read_clip(path, model, frame=None, pixels=None, size=None):
    """Reads a file as a model takes it.

    A model of clips takes a video, by its `preprocessing`: the clip in the
    middle, cropped in the centre, as `predict_video` does. A model of images
    takes an image, scaled and cropped in the centre. A model of sequences
    takes an array, as any model does: `array.npy`, of the shape of one input.

    Example:

    >>> model = zoo.load("nl_c2d_tiny_longrange")
    >>> clip = nonlocal_keras.visualize.read_clip("clip.mp4", model)
    >>> clip.inputs.shape, clip.frames
    ((1, 4, 32, 32, 3), array([24, 28, 32, 36]))

    Args:
        path: String or path of a video, an image or a `.npy` file.
        model: A `keras.Model` of one input, or a
            `nonlocal_keras.models.MaskRCNN`.
        frame: Integer, the number of a frame of the video that shall be in
            the clip. If the one in the middle does not reach it, the clip
            starts there, or as late as it can. Defaults to `None`.
        pixels: String, how the pixels of an image become inputs: `"caffe"`,
            `"tf"` or `"torch"`, modes of `keras.applications`, `"0-1"` or
            `"0-255"`. Defaults to `None`, by the `preprocessing` of the
            model.
        size: Integer, the shorter side of an image as the model takes it, for
            a model of any size. Defaults to `None`, that of the image.

    Returns:
        A `nonlocal_keras.visualize.Clip`.

    Raises:
        ValueError: If the file cannot be read or is of another kind than the
            model takes, or the model does not know its preprocessing.
    """
    if detector_clip.part_to_look_at(model) is not model:
        if pixels is not None or size is not None:
            raise ValueError(
                "`pixels` and `size` would change nothing for a detector, "
                f"which knows both. Received: pixels={pixels!r}, size={size}"
            )
        return detector_clip.clip_of(model, read_image(path), str(path))
    check_model(model)
    path, shape = os.fspath(path), _input_shape(model)
    first = takes_channels_first(model)
    preprocessing = getattr(model, "preprocessing", None)
    is_array = path.lower().endswith(".npy")
    asked = pixels is not None or size is not None
    if asked and (is_array or len(shape) != 4):
        raise ValueError(
            "`pixels` and `size` are for images; arrays are taken as they are, "
            "and a model of clips takes them from its preprocessing. "
            f"Received: pixels={pixels!r}, size={size}"
        )
    if is_array:
        return _read_array(path, shape, first)
    if len(shape) < 4:
        raise ValueError(
            "`path` must be a .npy file of one input for a model of sequences, "
            f"as numpy.save writes it. Received: path={path!r}"
        )
    if len(shape) == 4:
        return _read_image(path, shape, first, pixels, size)
    if preprocessing is None:
        raise ValueError(
            "`model` must know its preprocessing to take a video: set "
            "model.preprocessing as VideoClassifier documents it, or give the "
            f"clip as the model takes it in a .npy file. Received: {path}"
        )
    return _read_video(path, ClipSpec.from_config(preprocessing), frame)


def _input_shape(model):
    shape = tuple(model.inputs[0].shape)
    if not 2 <= len(shape) <= 5:
        raise ValueError(
            "`model` must take (batch, *positions, channels) with 1 to 3 axes "
            f"of positions. Received: input shape {shape}"
        )
    return shape


def _read_array(path, shape, first):
    try:
        # Not in memory yet: a header can promise any size.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        array = np.array(array)
    except (ValueError, EOFError, MemoryError) as error:
        raise ValueError(
            "`path` must be one array as numpy.save writes it, of numbers and "
            "no Python objects, that fits into memory. Received: "
            f"{path}, which is not"
        ) from error
    if getattr(array, "dtype", np.dtype("O")).kind not in "fiu":
        raise ValueError(
            "`path` must be an array of numbers. Received: "
            f"{path} of other things"
        )
    if array.ndim == len(shape) - 1:
        array = array[None]
    # PyTorch takes no other order of bytes.
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind == "f":
        array = array.astype("float32")
    if array.ndim != len(shape):
        raise ValueError(
            "`path` must hold one input of the model, of shape "
            f"{shape[1:]}. Received: {path} of shape {array.shape}"
        )
    return as_it_is(array, channels_first=first, name=path)


# === Videos ===


def _read_video(path, spec, frame):
    info = decode.video_info(path)
    rate = clips.frame_rate(path, spec)
    whole = isinstance(frame, int) and not isinstance(frame, bool)
    if frame is not None and not (whole and 0 <= frame < info.frames):
        raise ValueError(
            "The frame to look at must be an integer within "
            f"{path}, whose frames go from 0 to {info.frames - 1}. Received: "
            f"{frame}"
        )
    indices = _frames_of_clip(spec, info.frames, rate, frame)
    width, height = spec.scaling()(info.width, info.height)
    ((top, left),) = sampling.crop_offsets(1, height, width, spec.size)
    pixels = decode.read_frames(path, indices, spec.scaling())
    box = top, left, spec.size, spec.size
    inputs = spec.normalize(_cut(pixels, box, (height, width)))
    side = min(info.width, info.height, PICTURE_SIDE)
    pictures = decode.read_frames(path, indices, Scaling(side))
    return Clip(
        inputs=ops.convert_to_numpy(inputs)[None],
        pictures=_cut(pictures, box, (height, width)),
        scale=(info.height / height, info.width / width),
        offset=(top * info.height / height, left * info.width / width),
        source_size=(info.frames, info.height, info.width),
        frames=indices,
        name=path,
    )


def _frames_of_clip(spec, total, rate, frame):
    """Returns the numbers of the frames of a clip (frames,)."""
    (middle,) = views.view_indices(
        "vnl", 1, spec.frames, spec.stride, total, spec.fps, rate
    )
    spread = spec.stride is None  # Over the whole video.
    if frame is None or spread or middle.min() <= frame <= middle.max():
        return middle
    ratio = rate and rate / spec.fps
    length = sampling.span(spec.frames, spec.stride, ratio)
    start = int(min(frame, max(total - length, 0)))
    return sampling.clip_indices(start, spec.frames, spec.stride, total, ratio)


def _cut(frames, box, size):
    """Cuts out of frames the box that lies in frames of another size.

    Args:
        frames: Array (frames, height, width, 3).
        box: Tuple, top, left, height and width in pixels of `size`.
        size: Tuple, height and width.
    """
    top, left, height, width = box
    down, right = (n / m for n, m in zip(frames.shape[1:3], size))
    rows = slice(round(top * down), max(round((top + height) * down), 1))
    columns = slice(round(left * right), max(round((left + width) * right), 1))
    return frames[:, rows, columns]


# === Images ===


def _read_image(path, shape, first, pixels, size):
    if pixels not in PIXELS:
        raise ValueError(
            f"`pixels` must be one of {PIXELS}, which says how the pixels of "
            "an image become inputs: the mode in which the weights were "
            f"trained. Received: pixels={pixels!r}"
        )
    image = read_image(path)
    wanted = shape[2:] if first else shape[1:3]
    whole = _scaled_size(image.shape[:2], wanted, size)
    height, width = whole if None in wanted else wanted
    top, left = (whole[0] - height) // 2, (whole[1] - width) // 2
    resized = ops.image.resize(
        ops.cast(image, "float32"),
        whole,
        antialias=True,
        data_format="channels_last",
    )
    cropped = ops.convert_to_numpy(resized)
    cropped = cropped[top : top + height, left : left + width]
    inputs = _as_inputs(cropped, pixels)[None]
    down, right = (n / m for n, m in zip(image.shape, whole))
    return Clip(
        inputs=np.moveaxis(inputs, -1, 1) if first else inputs,
        channels_first=first,
        pictures=_cut(image[None], (top, left, height, width), whole)[0],
        scale=(down, right),
        offset=(top * down, left * right),
        source_size=image.shape[:2],
        name=path,
    )


def _scaled_size(size, wanted, short_side):
    """Returns the height and width that an image is scaled to.

    Args:
        size: Tuple, its height and width.
        wanted: Tuple, those that the model takes; `None` for any.
        short_side: Integer, the shorter side for a model of any size, or
            `None`.
    """
    if None not in wanted:
        if short_side not in (None, min(wanted)):
            raise ValueError(
                "`size` is for a model of images of any size; this one takes "
                f"{wanted[0]} x {wanted[1]}. Received: size={short_side}"
            )
        ratio = max(n / m for n, m in zip(wanted, size))
        return tuple(max(round(n * ratio), w) for n, w in zip(size, wanted))
    if short_side is None:
        return size
    width, height = scaled(size[1], size[0], short_side)
    return height, width


def _as_inputs(pixels, mode):
    """Returns what a model takes of float pixels (height, width, 3)."""
    if mode == "0-255":
        return pixels
    if mode == "0-1":
        return pixels / np.float32(255)
    preprocess = keras.applications.imagenet_utils.preprocess_input
    return preprocess(pixels, data_format="channels_last", mode=mode)

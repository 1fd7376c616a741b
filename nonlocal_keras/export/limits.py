"""What a request may be, checked inside the graph before anything is made.

The shape of a signature is told to clients, and no server holds them to it: a
convolution takes any size, and a clip of twice as many frames comes out as two
rows. So every signature looks at what came, and says its rule.
"""

from nonlocal_keras.analysis import macs
from nonlocal_keras.export.parity import sizes_of_clips

# A frame or a picture; one of 8K video has 33.2 million pixels.
FRAME_PIXELS = 2**25
# All pictures that a request makes the server decode: a black one of 8K is a
# file of 130 kB.
DECODED_PIXELS = 2**28
# Videos of one request, since those of one pixel become whole clips: at most
# so many, and less where their clips have more pixels, 400 MB of float32.
VIDEOS, CLIP_PIXELS = 64, 2**25
# With which a JPEG file begins.
JPEG = b"\xff\xd8\xff"


def check_clip(clip, model_shape, least):
    """Checks normalized clips.

    Args:
        clip: float32 tensor.
        model_shape: Tuple `(frames, height, width, channels)` of the model,
            `None` for what is free.
        least: Tuple of integers, the smallest `(frames, height, width)`.

    Returns:
        The same tensor, of the shape `(batch, *model_shape)`.
    """
    import tensorflow as tf

    axes = tuple(zip(("frames", "height", "width"), model_shape, least))
    channels = model_shape[3]
    shape = [name if fixed is None else str(fixed) for name, fixed, _ in axes]
    free = [f"{name} of at least {n}" for name, fixed, n in axes if not fixed]
    low = [fixed or n for _, fixed, n in axes]
    high = [fixed or ANY for _, fixed, _ in axes]
    clip = checked(
        clip,
        within(clip, (1, *low, channels), (ANY, *high, channels)),
        f"`clip` must be of the shape (batch, {', '.join(shape)}, {channels}), "
        f"with {', '.join(['at least one clip', *free])}",
        [shape_of(clip)],
    )
    clip = tf.ensure_shape(clip, (None, *model_shape))
    finite = tf.reduce_all(tf.math.is_finite(clip), axis=(1, 2, 3, 4))
    return checked(
        clip,
        tf.reduce_all(finite),
        "`clip` must hold finite numbers",
        ["NaN or infinity in clip", tf.where(~finite)[:1, 0]],
    )


def check_video(frames, spec):
    """Checks videos as they are given to a server.

    Args:
        frames: uint8 tensor.
        spec: A `nonlocal_keras.data.ClipSpec`.

    Returns:
        The same tensor.
    """
    most = most_videos(spec)
    _, _, height, width, _ = sizes(frames, 5)
    fits = within(frames, (1, 1, 1, 1, 3), (most, ANY, ANY, ANY, 3))
    fits &= height * width <= FRAME_PIXELS
    return checked(
        frames,
        fits,
        "`frames` must be of the shape (batch, frames, height, width, 3), with "
        f"1 to {most} videos of at least one frame, and frames of at most "
        f"{FRAME_PIXELS:,} pixels",
        [shape_of(frames)],
    )


def check_encoded(frames, spec):
    """Checks the number of encoded videos, and of their frames.

    Args:
        frames: string tensor.
        spec: A `nonlocal_keras.data.ClipSpec`.

    Returns:
        The same tensor.
    """
    most = most_videos(spec)
    return checked(
        frames,
        within(frames, (1, 1), (most, ANY)),
        f"`frames` must be of the shape (batch, frames), with 1 to {most} "
        "videos of at least one frame",
        [shape_of(frames)],
    )


def check_jpegs(images, numbers):
    """Checks what JPEG files say of themselves, before they are decoded.

    Args:
        images: string tensor `(batch, frames)`.
        numbers: int32 tensor, the number of each frame in its video.

    Returns:
        The same tensor.
    """
    import tensorflow as tf

    known = is_jpeg(images)
    # (0 or 1, 2): the first that is none.
    video, frame = tf.unstack(tf.where(~known)[:1], axis=1)
    images = checked(
        images,
        tf.reduce_all(known),
        "`frames` must be JPEG files, which begin with the bytes FF D8 FF. "
        "Send pictures of other kinds as JPEG, or their pixels to the "
        "signature `video`",
        ["video", video, "frame", tf.gather(numbers, frame)],
    )
    flat = tf.reshape(images, (-1,))
    shapes = tf.map_fn(
        tf.io.extract_jpeg_shape,
        flat,
        fn_output_signature=tf.TensorSpec((3,), "int32"),
    )
    pixels = tf.reduce_prod(tf.cast(shapes[:, :2], "int64"), axis=1)
    largest = shapes[tf.argmax(pixels)]
    images = checked(
        images,
        tf.reduce_all(pixels <= FRAME_PIXELS),
        f"`frames` must be pictures of at most {FRAME_PIXELS:,} pixels",
        ["one of [height, width, channels]", largest],
    )
    return checked(
        images,
        tf.reduce_sum(pixels) <= DECODED_PIXELS,
        f"`frames` must have at most {DECODED_PIXELS:,} pixels together, all "
        "frames that the clips of a request are made of",
        ["pixels", tf.reduce_sum(pixels)],
    )


def is_jpeg(image):
    """Tells JPEG files, strings, by how they begin."""
    import tensorflow as tf

    return tf.equal(tf.strings.substr(image, 0, len(JPEG)), JPEG)


def most_videos(spec):
    """Returns how many videos a request may hold, by what their clips take.

    Args:
        spec: A `nonlocal_keras.data.ClipSpec`.
    """
    return min(VIDEOS, max(1, CLIP_PIXELS // (spec.frames * spec.size**2)))


def least_sizes(model):
    """Returns the smallest clips that the layers of a model take.

    Args:
        model: A `nonlocal_keras.models.VideoClassifier`.

    Returns:
        Tuple of integers `(frames, height, width)`. A size that the model
        fixes is that one.
    """
    usual = sizes_of_clips(model)

    def takes(axis, size):
        sizes = [*usual, model.input_shape[4]]
        sizes[axis] = size
        try:
            macs.calls(model, sizes)
        except ValueError:
            return False
        return True

    least = list(usual)
    for axis, fixed in enumerate(model.input_shape[1:4]):
        # What the layers do not take at its usual size, they refuse.
        if fixed is None and takes(axis, usual[axis]):
            # By halving: whatever is larger is taken, too.
            low, least[axis] = 0, usual[axis]
            while least[axis] - low > 1:
                middle = (low + least[axis]) // 2
                if takes(axis, middle):
                    least[axis] = middle
                else:
                    low = middle
    return tuple(least)


def sizes(tensor, axes):
    """Returns the sizes of so many axes, and -1 for those that are not there.

    TensorFlow may compute sizes before a check of the same tensor, so that
    what is computed of sizes alone must not fail for a wrong rank.
    """
    import tensorflow as tf

    there = tf.pad(shape_of(tensor), [[0, axes]], constant_values=-1)
    return tf.unstack(there[:axes], axes)


ANY = 2**63 - 1


def shape_of(tensor):
    """Returns the sizes of all axes, an int64 tensor."""
    import tensorflow as tf

    return tf.shape(tensor, out_type=tf.int64)


def within(tensor, least, most):
    """Tells whether all sizes of a tensor lie between two tuples of them."""
    # The rank itself would be taken from the signature, not from what came:
    # there must be no axis after the last.
    *known, more = sizes(tensor, len(least) + 1)
    fits = more < 0
    for n, low, high in zip(known, least, most):
        fits &= (n >= low) & (n <= high)
    return fits


def checked(tensor, fits, rule, received):
    """Returns the tensor, which waits for the check.

    Args:
        tensor: The tensor.
        fits: Boolean tensor, whether the rule holds.
        rule: String, what is said if not.
        received: List of what is said to be received.
    """
    import tensorflow as tf

    check = tf.debugging.Assert(
        fits, [f"{rule}. Received:", *received], summarize=8
    )
    with tf.control_dependencies([check]):
        return tf.identity(tensor)

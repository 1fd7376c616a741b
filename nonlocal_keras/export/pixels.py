"""Frames as clients have them, turned into clips inside a graph.

These are the steps of `ClipSpec.preprocess`, with sizes that are known only
when the graph runs: choose frames, scale to the shorter side, crop in the
centre, normalize. `tests/export/test_pixels.py` compares both. No step makes
more than the request holds or its clips need. A graph does not know the frame
rate of its input: where `spec.fps` is given, whole videos come at that rate.
"""

import numpy as np

from nonlocal_keras.data import sampling
from nonlocal_keras.export import limits

# Pictures that are decoded at once take 100 MB each at most.
DECODED_AT_ONCE = 4


def clips(frames, spec):
    """Turns videos of any number and size of frames into clips.

    Args:
        frames: uint8 tensor `(batch, frames, height, width, 3)`, RGB.
        spec: A `nonlocal_keras.data.ClipSpec`.

    Returns:
        float32 tensor `(batch, spec.frames, spec.size, spec.size, 3)`.
    """
    import tensorflow as tf

    frames = limits.check_video(frames, spec)
    batch, total, height, width, _ = _sizes(frames, 5)
    needed, order = _needed(total, spec)
    chosen = tf.gather(frames, needed, axis=1)
    # (B*T, H, W, 3)
    images = tf.reshape(chosen, (-1, height, width, 3))
    return _clips(_crop(images, spec), batch, order, spec)


def clips_of_jpeg(encoded, spec):
    """Turns videos of encoded frames, which may differ in size, into clips.

    Only the frames that are chosen are decoded.

    Args:
        encoded: string tensor `(batch, frames)`.
        spec: A `nonlocal_keras.data.ClipSpec`.

    Returns:
        float32 tensor `(batch, spec.frames, spec.size, spec.size, 3)`.
    """
    import tensorflow as tf

    encoded = limits.check_encoded(encoded, spec)
    batch, total = _sizes(encoded, 2)
    needed, order = _needed(total, spec)
    chosen = limits.check_jpegs(tf.gather(encoded, needed, axis=1), needed)

    def decode(image):
        pixels = tf.io.decode_jpeg(
            image, channels=3, dct_method="INTEGER_ACCURATE"
        )
        return _crop(pixels[None], spec)[0]

    images = tf.map_fn(
        decode,
        tf.reshape(chosen, (-1,)),
        fn_output_signature=tf.TensorSpec((spec.size, spec.size, 3)),
        parallel_iterations=DECODED_AT_ONCE,
    )
    return _clips(images, batch, order, spec)


def _sizes(tensor, axes):
    import tensorflow as tf

    return [tf.cast(n, "int32") for n in limits.sizes(tensor, axes)]


def _needed(total, spec):
    """The frames of the clip in the middle, each once, and their order.

    A video that is too short gives the same frame several times. Such a
    frame is decoded and scaled once.
    """
    import tensorflow as tf

    return tf.unique(_indices(total, spec))


def _indices(total, spec):
    """The frames of the clip in the middle; all of them if they just fit."""
    import tensorflow as tf

    order = tf.range(spec.frames)
    if spec.stride is None:
        part = tf.cast(total, "float64") / spec.frames
        spread = 0.5 * part + tf.cast(order, "float64") * part
        return tf.cast(tf.floor(spread), "int32") % total
    start = tf.maximum(total - spec.frames * spec.stride, 0) // 2
    if spec.fps is None:
        # A video that is too short goes round.
        middle = (start + spec.stride * order) % total
    else:
        # One that counts time stays at its last frame.
        steps = sampling.clip_indices(
            0, spec.frames, spec.stride, spec.frames * spec.stride, ratio=1.0
        )
        middle = tf.minimum(start + tf.constant(steps, "int32"), total - 1)
    return tf.where(total == spec.frames, order, middle)


def _crop(images, spec):
    """uint8 `(images, height, width, 3)` to float32 `(images, size, size, 3)`.

    What `tf.image.resize` gives, cropped in the centre, to the bit. Only the
    pixels of the crop are computed: a frame of one row and many columns would
    be scaled to gigabytes.
    """
    import tensorflow as tf

    height, width = tf.unstack(tf.shape(images)[1:3])
    if spec.resize is not None:
        wide, high = spec.scaling()(*spec.resize)
    else:
        high, wide = _scaled((height, width), spec.short_side[0])
    top, bottom, down = _neighbors(height, high, spec.size)
    left, right, along = _neighbors(width, wide, spec.size)
    flat = tf.reshape(images, (-1, height * width, 3))

    def pixels(rows, columns):
        # (images, size, size, 3)
        places = rows[:, None] * width + columns
        return tf.cast(tf.gather(flat, places, axis=1), "float32")

    down, along = down[:, None, None], along[:, None]

    def row(rows):
        first = pixels(rows, left)
        return first + (pixels(rows, right) - first) * along

    upper = row(top)
    return upper + (row(bottom) - upper) * down


def _scaled(size, side):
    """As `data.scaling.scaled`, in double precision as well."""
    import tensorflow as tf

    size = tf.cast(size, "float64")
    ratio = tf.cast(side, "float64") / tf.reduce_min(size)
    # The longer side of a thin frame outgrows 32 bits.
    return tf.unstack(tf.maximum(tf.cast(size * ratio + 1e-6, "int64"), side))


def _neighbors(length, scaled, size):
    """The two pixels beside each pixel of the crop along one axis.

    Args:
        length, scaled: Integers, the axis before and after scaling.
        size: Integer, pixels of the crop, which lies in the middle.

    Returns:
        Two int32 tensors of `size` places, and float32 distances from the
        first of them.
    """
    import tensorflow as tf

    scaled = tf.cast(scaled, "int64")
    places = (scaled - size) // 2 + tf.range(size, dtype="int64")
    # Rounded once, as TensorFlow's kernel does; a graph would multiply by the
    # float32 reciprocal of a size that is known.
    step = tf.cast(length, "float64") / tf.cast(scaled, "float64")
    step = tf.cast(step, "float32")
    places = (tf.cast(places, "float32") + 0.5) * step - 0.5
    below = tf.floor(places)
    first, second = (
        tf.clip_by_value(tf.cast(x, "int32"), 0, length - 1)
        for x in (below, tf.math.ceil(places))
    )
    return first, second, places - below


def _clips(images, batch, order, spec):
    """`(batch * frames, size, size, 3)` to clips, normalized."""
    import tensorflow as tf

    shape = (batch, -1, spec.size, spec.size, 3)
    clips = tf.gather(tf.reshape(images, shape), order, axis=1)
    clips = tf.ensure_shape(clips, (None, spec.frames, *shape[2:]))
    return spec.normalize(clips)


def sizes_of_a_video(spec):
    """Returns a usual size of frames: 4:3, the shorter side as the model's.

    Args:
        spec: A `nonlocal_keras.data.ClipSpec`.

    Returns:
        Tuple `(height, width)` in pixels.
    """
    side = spec.short_side[0]
    return side, int(np.ceil(side * 4 / 3))

"""Frames as clients have them, turned into clips inside a graph.

These are the steps of `ClipSpec.preprocess`, with sizes that are known only
when the graph runs: choose frames, scale to the shorter side, crop in the
centre, normalize. `tests/test_export_pixels.py` compares both. A graph does
not know the frame rate of its input: where `spec.fps` is given, whole videos
come at that rate.
"""

import numpy as np

from nonlocal_keras.data import sampling


def clips(frames, spec):
    """Turns videos of any number and size of frames into clips.

    Args:
        frames: uint8 tensor `(batch, frames, height, width, 3)`, RGB.
        spec: A `nonlocal_keras.data.ClipSpec`.

    Returns:
        float32 tensor `(batch, spec.frames, spec.size, spec.size, 3)`.
    """
    import tensorflow as tf

    chosen = tf.gather(frames, _indices(tf.shape(frames)[1], spec), axis=1)
    _, _, height, width, channels = tf.unstack(tf.shape(chosen))
    # (B*T, H, W, 3)
    images = tf.reshape(chosen, (-1, height, width, channels))
    return _normalize(_crop(images, spec), spec)


def clips_of_jpeg(encoded, spec):
    """As `clips`, of encoded frames, which may differ in size.

    Only the frames that are chosen are decoded.

    Args:
        encoded: string tensor `(batch, frames)`.
        spec: A `nonlocal_keras.data.ClipSpec`.
    """
    import tensorflow as tf

    chosen = tf.gather(encoded, _indices(tf.shape(encoded)[1], spec), axis=1)

    def decode(image):
        pixels = tf.io.decode_jpeg(
            image, channels=3, dct_method="INTEGER_ACCURATE"
        )
        return _crop(pixels[None], spec)[0]

    images = tf.map_fn(
        decode,
        tf.reshape(chosen, (-1,)),
        fn_output_signature=tf.TensorSpec((spec.size, spec.size, 3)),
    )
    return _normalize(images, spec)


def _indices(total, spec):
    """The frames of the clip in the middle; all of them if they just fit."""
    import tensorflow as tf

    check = tf.debugging.assert_positive(
        total, "`frames` must hold at least one frame per video"
    )
    with tf.control_dependencies([check] if check is not None else []):
        total = tf.identity(total)
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
    """`(images, height, width, 3)` to float32 `(images, size, size, 3)`."""
    import tensorflow as tf

    if spec.resize is not None:
        width, height = spec.scaling()(*spec.resize)
    else:
        height, width = _scaled(tf.shape(images)[1:3], spec.short_side[0])
    images = tf.image.resize(images, (height, width), method="bilinear")
    return tf.image.crop_to_bounding_box(
        images,
        (height - spec.size) // 2,
        (width - spec.size) // 2,
        spec.size,
        spec.size,
    )


def _scaled(size, side):
    """As `data.scaling.scaled`, in double precision as well."""
    import tensorflow as tf

    size = tf.cast(size, "float64")
    ratio = tf.cast(side, "float64") / tf.reduce_min(size)
    return tf.unstack(tf.maximum(tf.cast(size * ratio + 1e-6, "int32"), side))


def _normalize(images, spec):
    import tensorflow as tf

    shape = (-1, spec.frames, spec.size, spec.size, 3)
    return spec.normalize(tf.reshape(images, shape))


def sizes_of_a_video(spec):
    """A usual size of frames: 4:3 with the shorter side of the model."""
    side = spec.short_side[0]
    return side, int(np.ceil(side * 4 / 3))

"""Images as clients have them, turned into what a detector takes, in a graph.

These are the steps of `MaskRCNN.preprocess`: normalize, resize, pad.
`tests/export/test_image_pixels.py` compares both. Where the size of the images
is known, all sizes of the graph are.
"""

import dataclasses

import numpy as np

from nonlocal_keras.export import image_limits
from nonlocal_keras.export import limits
from nonlocal_keras.images import batches

# Pictures that are decoded at once take 100 MB each at most.
DECODED_AT_ONCE = 4


@dataclasses.dataclass(frozen=True)
class ImageSpec:
    """How a detector takes images, see `nonlocal_keras.models.MaskRCNN`."""

    min_size: int
    max_size: int
    mean: tuple
    std: tuple

    @classmethod
    def of(cls, model):
        """Returns that of a `nonlocal_keras.models.MaskRCNN`."""
        config = model.get_config()
        return cls(*(config[field.name] for field in dataclasses.fields(cls)))

    @property
    def longest(self):
        """The longest side that a batch may have, in pixels."""
        return _padded(self.max_size)


def prepare(images, spec):
    """Turns images of one size into the inputs of the network.

    Args:
        images: uint8 tensor `(batch, height, width, 3)`, RGB.
        spec: An `ImageSpec`.

    Returns:
        float32 tensor `(batch, H, W, 3)`, and int32 tensors `(batch, 2)`,
        the heights and widths without padding and those of the images.
    """
    import tensorflow as tf

    known = images.shape[1:3]
    if known.is_fully_defined():
        original = tuple(known)
        size = batches.target_size(original, spec.min_size, spec.max_size)
    else:
        original = tf.unstack(tf.shape(images)[1:3])
        size = tf.unstack(_target_size(tf.stack(original), spec))
    resized = _resize(images, original, size, spec)
    resized = _pad(resized, [_padded(length) for length in size])
    each = (tf.shape(images)[0], 1)
    return resized, tf.tile([size], each), tf.tile([original], each)


def prepare_encoded(encoded, spec):
    """Turns encoded images, which may differ in size, into inputs.

    Args:
        encoded: string tensor `(batch,)`, JPEG or PNG files.
        spec: An `ImageSpec`.

    Returns:
        As `prepare`.
    """
    import tensorflow as tf

    encoded = image_limits.check_encoded_images(encoded, spec)
    original = image_limits.sizes_of_images(encoded)
    sizes = _target_size(original, spec)
    padded = tf.unstack(_padded(tf.reduce_max(sizes, axis=0)))

    def decode(tensors):
        image, (height, width) = tensors[0], tf.unstack(tensors[1])
        pixels = _decode(image)
        before = tf.unstack(tf.shape(pixels)[:2])
        resized = _resize(pixels[None], before, (height, width), spec)
        return _pad(resized, padded)[0]

    images = tf.map_fn(
        decode,
        (encoded, sizes),
        fn_output_signature=tf.TensorSpec((None, None, 3), "float32"),
        parallel_iterations=DECODED_AT_ONCE,
    )
    return images, sizes, original


def _decode(image):
    import tensorflow as tf

    pixels = tf.cond(
        limits.is_jpeg(image),
        lambda: tf.io.decode_jpeg(
            image, channels=3, dct_method="INTEGER_ACCURATE"
        ),
        lambda: tf.io.decode_png(image, channels=3),
    )
    return tf.ensure_shape(pixels, (None, None, 3))


def _target_size(sizes, spec):
    """As `batches.target_size`, of a tensor `(..., 2)`."""
    import tensorflow as tf

    sizes = tf.cast(sizes, "float64")
    scale = tf.minimum(
        spec.min_size / tf.reduce_min(sizes, axis=-1, keepdims=True),
        spec.max_size / tf.reduce_max(sizes, axis=-1, keepdims=True),
    )
    return tf.maximum(tf.cast(sizes * scale, "int32"), 1)


def _padded(length):
    # Of positive numbers alone: ONNX has no division that rounds down.
    divisor = batches.DIVISOR
    return (length + divisor - 1) // divisor * divisor


def _pad(images, size):
    import tensorflow as tf

    missing = [n - m for n, m in zip(size, _sizes(images))]
    return tf.pad(images, [[0, 0], *([0, n] for n in missing), [0, 0]])


def _sizes(images):
    import tensorflow as tf

    known = images.shape[1:3]
    if known.is_fully_defined():
        return tuple(known)
    return tf.unstack(tf.shape(images)[1:3])


def _resize(images, size, new_size, spec):
    """As `interpolation.resize_image`, of images that are not normalized."""
    import tensorflow as tf

    mean, std = (np.float32(x) for x in (spec.mean, spec.std))
    images = (tf.cast(images, "float32") / np.float32(255) - mean) / std
    for axis, length, new_length in zip((1, 2), size, new_size):
        low, high, above = _places(length, new_length)
        first = tf.gather(images, low, axis=axis)
        above = tf.reshape(above, (-1, 1) if axis == 2 else (-1, 1, 1))
        images = first + (tf.gather(images, high, axis=axis) - first) * above
    return images


def _places(length, new_length):
    """The two neighbors of each new position, and how far above the first."""
    import tensorflow as tf

    scale = tf.cast(length, "float32") / tf.cast(new_length, "float32")
    index = tf.cast(tf.range(new_length), "float64")
    x = tf.cast(tf.cast(scale, "float64") * (index + 0.5) - 0.5, "float32")
    x = tf.maximum(x, 0.0)
    low = tf.minimum(tf.cast(x, "int32"), length - 1)
    return low, tf.minimum(low + 1, length - 1), x - tf.cast(low, "float32")

"""What a request for a detector may be, checked inside the graph."""

from nonlocal_keras.export import limits

# With which a PNG file begins.
PNG = b"\x89PNG\r\n\x1a\n"

# Bytes of a PNG file up to the end of its size.
_HEADER = 24


def check_images(images, spec):
    """Checks images as they are given to a server.

    Args:
        images: uint8 tensor.
        spec: A `nonlocal_keras.export.image_pixels.ImageSpec`.

    Returns:
        The same tensor.
    """
    most, pixels = most_images(spec), limits.FRAME_PIXELS
    _, height, width, _ = limits.sizes(images, 4)
    fits = limits.within(
        images, (1, 1, 1, 3), (most, limits.ANY, limits.ANY, 3)
    )
    fits &= height * width <= pixels
    return limits.checked(
        images,
        fits,
        "`images` must be of the shape (batch, height, width, 3), with 1 to "
        f"{most} images of at least one pixel and at most {pixels:,}",
        [limits.shape_of(images)],
    )


def check_encoded_images(encoded, spec):
    """Checks the number of images, and what the files say of themselves.

    Args:
        encoded: string tensor.
        spec: A `nonlocal_keras.export.image_pixels.ImageSpec`.

    Returns:
        The same tensor.
    """
    import tensorflow as tf

    most = most_images(spec)
    encoded = limits.checked(
        encoded,
        limits.within(encoded, (1,), (most,)),
        f"`encoded` must be of the shape (batch,), with 1 to {most} images",
        [limits.shape_of(encoded)],
    )
    # A PNG file tells its size in its first bytes.
    whole = tf.strings.length(encoded) >= _HEADER
    known = limits.is_jpeg(encoded) | (is_png(encoded) & whole)
    encoded = limits.checked(
        encoded,
        tf.reduce_all(known),
        "`encoded` must be JPEG files, which begin with the bytes FF D8 FF, "
        "or PNG files. Send pictures of other kinds as one of these, or their "
        "pixels to the signature `serving_default`",
        ["image", tf.where(~known)[:1, 0]],
    )
    size = sizes_of_images(encoded)
    pixels = tf.reduce_prod(tf.cast(size, "int64"), axis=1)
    # A product of two numbers of 31 bits does not overflow.
    fits = (pixels <= limits.FRAME_PIXELS) & tf.reduce_all(size > 0, axis=1)
    return limits.checked(
        encoded,
        tf.reduce_all(fits),
        "`encoded` must be pictures of at least one pixel and at most "
        f"{limits.FRAME_PIXELS:,}",
        ["one of [height, width]", tf.gather(size, tf.argmax(pixels))],
    )


def sizes_of_images(encoded):
    """Reads the sizes of pictures off their headers.

    Args:
        encoded: string tensor `(batch,)`, JPEG or PNG files.

    Returns:
        int32 tensor `(batch, 2)` of heights and widths.
    """
    import tensorflow as tf

    def of_png(image):
        # Two numbers of four bytes, width first.
        header = tf.strings.substr(image, 16, 8)
        header = tf.io.decode_raw(header, "uint8", fixed_length=8)
        size = tf.reshape(tf.cast(header, "int32"), (2, 4))
        return tf.reduce_sum(size * [1 << 24, 1 << 16, 1 << 8, 1], 1)[::-1]

    return tf.map_fn(
        lambda image: tf.cond(
            limits.is_jpeg(image),
            lambda: tf.io.extract_jpeg_shape(image)[:2],
            lambda: of_png(image),
        ),
        encoded,
        fn_output_signature=tf.TensorSpec((2,), "int32"),
    )


def is_png(image):
    """Tells PNG files, strings, by how they begin."""
    import tensorflow as tf

    return tf.equal(tf.strings.substr(image, 0, len(PNG)), PNG)


def most_images(spec):
    """Returns how many images a request may hold, by what they are padded to.

    Args:
        spec: A `nonlocal_keras.export.image_pixels.ImageSpec`.
    """
    return min(limits.VIDEOS, max(1, limits.CLIP_PIXELS // spec.longest**2))

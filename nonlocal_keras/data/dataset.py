"""Batches of training clips as `tf.data`, from any step on."""

import numpy as np


def training_dataset(reader, batch_size, start_step=0, steps=None):
    """Gives batches of training clips from a given step on.

    Example:

    >>> reader = nonlocal_keras.data.ClipReader(videos, spec, seed=1)
    >>> dataset = nonlocal_keras.data.training_dataset(
    ...     reader, batch_size=8, start_step=120
    ... )

    Args:
        reader: A `ClipReader`.
        batch_size: Integer, clips per batch over all replicas.
        start_step: Integer, number of batches that are already done.
        steps: Integer, number of batches. `None` for no end.

    Returns:
        A `tf.data.Dataset` of normalized float32 clips `(batch, frames, size,
        size, 3)` and int32 labels `(batch,)`.
    """
    import tensorflow as tf

    spec = reader.spec
    shape = (spec.frames, spec.size, spec.size, 3)
    stop = np.iinfo(np.int64).max
    if steps is not None:
        stop = (start_step + steps) * batch_size

    def read(number):
        clip, label = tf.numpy_function(
            reader.training_clip, [number], [tf.uint8, tf.int32]
        )
        return tf.ensure_shape(clip, shape), tf.ensure_shape(label, ())

    dataset = tf.data.Dataset.range(start_step * batch_size, stop)
    dataset = dataset.map(read, num_parallel_calls=tf.data.AUTOTUNE)
    dataset = dataset.batch(batch_size, drop_remainder=True)
    dataset = dataset.map(lambda x, y: (spec.normalize(x), y))
    options = tf.data.Options()
    # The dataset has no files to shard by; batches are split over replicas.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    return dataset.with_options(options).prefetch(2)

"""Batches of training clips as `tf.data`, from any step on."""

from nonlocal_keras import optional
from nonlocal_keras.data import feed


def training_dataset(reader, batch_size, start_step=0, steps=None):
    """Returns batches of training clips from a given step on.

    The clips are read by threads of their own. An error or Ctrl-C inside
    `fit()` ends it at once, while they still decode.

    Example:

    >>> model = zoo.load("nl_c2d_tiny_longrange")
    >>> spec = nonlocal_keras.data.ClipSpec.from_config(model.preprocessing)
    >>> videos = nonlocal_keras.data.list_videos("videos/train")
    >>> reader = nonlocal_keras.data.ClipReader(videos, spec, seed=1)
    >>> dataset = nonlocal_keras.data.training_dataset(
    ...     reader, batch_size=2, start_step=120
    ... )
    >>> dataset.element_spec[0].shape
    TensorShape([2, 4, 32, 32, 3])

    Args:
        reader: A `ClipReader`.
        batch_size: Integer, clips per batch over all replicas.
        start_step: Integer, number of batches that are already done. Defaults
            to `0`.
        steps: Integer, number of batches. `None` for no end; `fit()` then
            needs `steps_per_epoch`. Defaults to `None`.

    Returns:
        A `tf.data.Dataset` of normalized float32 clips `(batch, frames, size,
        size, 3)` and int32 labels `(batch,)`. Keras takes it on every
        backend. Its attribute `errors` lists what the reader has raised, of
        which the error of the dataset is a quotation.

    Raises:
        ImportError: Without TensorFlow.
    """
    tf = optional.load("tensorflow", "`training_dataset`")
    spec = reader.spec
    source = feed.Feed(
        reader.training_clip,
        (
            tf.TensorSpec((spec.frames, spec.size, spec.size, 3), tf.uint8),
            tf.TensorSpec((), tf.int32),
        ),
        batch_size,
        start_step * batch_size,
        steps,
    )
    batches = source.dataset().map(
        lambda clips, labels: (
            spec.standardize(tf.cast(clips, tf.float32)),
            labels,
        )
    )
    options = tf.data.Options()
    # The dataset has no files to shard by; batches are split over replicas.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    batches = batches.with_options(options).prefetch(2)
    batches.errors = source.errors
    return batches

"""Batches for training as `tf.data`, from any step on."""

from nonlocal_keras import optional
from nonlocal_keras.data import feed
from nonlocal_keras.data.object_targets import MASK_SIZE


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
    return _finished(batches, source)


def detection_dataset(reader, batch_size, start_step=0, steps=None):
    """Returns batches of images with objects from a given step on.

    They are read by threads as those of `training_dataset`. Without
    TensorFlow, `reader.training_batch(step, batch_size)` gives the same
    arrays.

    Example:

    >>> coco = nonlocal_keras.data.read_coco("coco.json", "images")
    >>> reader = nonlocal_keras.data.DetectionReader(coco, seed=1)
    >>> dataset = nonlocal_keras.data.detection_dataset(
    ...     reader, batch_size=1, start_step=120
    ... )
    >>> inputs, targets = dataset.element_spec
    >>> inputs["images"].shape, targets["boxes"].shape
    (TensorShape([1, None, None, 3]), TensorShape([1, None, 4]))

    Args:
        reader: A `DetectionReader`.
        batch_size: Integer, images per batch over all replicas.
        start_step: Integer, number of batches that are already done. Defaults
            to `0`.
        steps: Integer, number of batches. `None` for no end; `fit()` then
            needs `steps_per_epoch`, such as `len(reader) // batch_size`.
            Defaults to `None`.

    Returns:
        A `tf.data.Dataset` of pairs of dictionaries, as of
        `DetectionReader.training_batch`. Keras takes it on every backend. Its
        attribute `errors` is as that of `training_dataset`.

    Raises:
        ValueError: If there are fewer images than `batch_size`.
        ImportError: Without TensorFlow.
    """
    optional.load("tensorflow", "`detection_dataset`")
    reader.require_batch_size(batch_size)
    inputs, targets = _detection_specs(reader, batch_size)
    source = feed.Feed(
        lambda step: [
            array
            for arrays in reader.training_batch(step, batch_size)
            for array in arrays.values()
        ],
        [*inputs.values(), *targets.values()],
        first=start_step,
        steps=steps,
    )
    number = len(inputs)
    batches = source.dataset().map(
        lambda *arrays: (
            dict(zip(inputs, arrays[:number])),
            dict(zip(targets, arrays[number:])),
        )
    )
    return _finished(batches, source)


def _detection_specs(reader, batch_size):
    """Returns the shapes and types of inputs and targets, in their order."""
    import tensorflow as tf

    spec = reader.spec
    rows = (batch_size, spec.max_objects)
    size = spec.size or (None, None)
    inputs = {
        "images": tf.TensorSpec((batch_size, *size, 3), tf.float32),
        "image_sizes": tf.TensorSpec((batch_size, 2), tf.int32),
    }
    targets = {
        "boxes": tf.TensorSpec((*rows, 4), tf.float32),
        "labels": tf.TensorSpec(rows, tf.int32),
    }
    if spec.masks:
        shape = (*rows, MASK_SIZE, MASK_SIZE)
        targets["masks"] = tf.TensorSpec(shape, tf.uint8)
    if spec.keypoints:
        shape = (*rows, len(reader.dataset.keypoint_names), 3)
        targets["keypoints"] = tf.TensorSpec(shape, tf.float32)
    return inputs, targets


def _finished(batches, source):
    """Returns a dataset of a feed as `fit()` takes it."""
    import tensorflow as tf

    options = tf.data.Options()
    # The dataset has no files to shard by; batches are split over replicas.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.OFF
    )
    batches = batches.with_options(options).prefetch(2)
    batches.errors = source.errors
    return batches

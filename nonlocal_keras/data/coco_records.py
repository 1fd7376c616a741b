"""TFRecords of images and their objects, as Model Garden reads and writes."""

import itertools
import os
import pathlib

from nonlocal_keras import optional
from nonlocal_keras import partial
from nonlocal_keras.data import coco_features
from nonlocal_keras.data import foreign_file
from nonlocal_keras.data import image_file

# Of a feature: its field, by the type of its values.
_FIELDS = {bytes: "bytes_list", float: "float_list", int: "int64_list"}


def write_records(dataset, path):
    """Writes the images of a data set, with their objects, into a TFRecord.

    Example:

    >>> dataset = nonlocal_keras.data.read_coco("coco.json", "images")
    >>> nonlocal_keras.data.write_records(dataset, "train.tfrecord")
    1

    Args:
        dataset: A `nonlocal_keras.data.coco.CocoDataset`, whose category ids
            are integers. Its images that cannot be read are left out and
            counted.
        path: String or path of the file, which is replaced as a whole.

    Returns:
        Integer, number of images written.

    Raises:
        OSError: If it cannot be written.
        ImportError: If TensorFlow, Pillow or faster-coco-eval is missing.
    """
    tf = optional.load("tensorflow", "`write_records`")
    path = pathlib.Path(path)
    number = 0
    with partial.folder(path.parent) as folder:
        new = folder / path.name
        with tf.io.TFRecordWriter(str(new)) as writer:
            for image, pixels in dataset.readable():
                example = tf.train.Example()
                features = coco_features.to_features(image, pixels, dataset)
                for name, values in features.items():
                    if values:
                        field = _FIELDS[type(values[0])]
                        feature = example.features.feature[name]
                        getattr(feature, field).value.extend(values)
                writer.write(example.SerializeToString())
                number += 1
        os.replace(new, path)
    return number


def read_records(path, category_ids, faults, joints=0):
    """Yields the images of a TFRecord, with their objects.

    Example:

    >>> from nonlocal_keras.data.faults import Faults
    >>> dataset = nonlocal_keras.data.read_coco("coco.json", "images")
    >>> number = nonlocal_keras.data.write_records(dataset, "val.tfrecord")
    >>> records = nonlocal_keras.data.read_records(
    ...     "val.tfrecord", dataset.category_ids, Faults()
    ... )
    >>> for image, pixels in records:
    ...     print(image.id, image.boxes.tolist(), pixels.shape)
    1 [[8.0, 4.0, 24.0, 36.0]] (40, 60, 3)

    Args:
        path: String or path of the file.
        category_ids: Sequence of integers, the ids of the classes by label,
            as of a `nonlocal_keras.data.coco.CocoDataset`.
        faults: A `nonlocal_keras.data.faults.Faults` that counts what is left
            out.
        joints: Integer, number of joints of an object. Defaults to `0`.

    Yields:
        Tuples of a `nonlocal_keras.data.coco.CocoImage` without a path, and
        its pixels, a uint8 array `(height, width, 3)`.

    Raises:
        ValueError: If the file is missing, or damaged from some record on.
        ImportError: If TensorFlow, Pillow or faster-coco-eval is missing.
    """
    labels = {key: label for label, key in enumerate(category_ids)}
    for position, features in enumerate(_records(path)):
        place = f"record {position} of {path}"

        def note(what, done, place=place):
            faults.add(what, done, place)

        if features is None:
            note("record is no example", "image skipped")
            continue
        try:
            found = coco_features.from_features(features, labels, joints, note)
        except image_file.ImageError:
            note("image cannot be used", "image skipped")
        except ValueError as error:
            note(f"record cannot be used: {error}", "image skipped")
        else:
            yield found


def _records(path):
    """Yields the features of each record; `None` for one that is no example.

    Features are lists by name.
    """
    tf = optional.load("tensorflow", "`read_records`")
    foreign_file.require(path, "TFRecord", ValueError)
    records = iter(tf.data.TFRecordDataset([str(path)]))
    for position in itertools.count():
        try:
            record = next(records, None)
        except tf.errors.OpError as error:
            raise ValueError(
                f"{path}: a TFRecord must be whole. Received: an error after "
                f"{position} records: {error.message}"
            ) from error
        if record is None:
            return
        try:
            example = tf.train.Example.FromString(record.numpy())
        # Protobuf has errors of its own, and raises others as well.
        except Exception:
            yield None
        else:
            yield {
                name: list(getattr(feature, feature.WhichOneof("kind")).value)
                for name, feature in example.features.feature.items()
                if feature.WhichOneof("kind")
            }

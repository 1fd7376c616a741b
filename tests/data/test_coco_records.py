"""TFRecords in the names of Model Garden: written, read, and refused."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from nonlocal_keras import data
from nonlocal_keras.data.faults import Faults
from tests.support import coco_files
from tests.support.coco_files import image
from tests.support.coco_files import thing

PERSON = {"id": 1, "name": "person", "keypoints": ["head", "foot"]}
CATEGORIES = (PERSON, {"id": 38, "name": "kite"})


@pytest.fixture
def dataset(tmp_path):
    things = [
        thing(1, bbox=(8.5, 4.25, 16, 32), iscrowd=1),
        thing(2, category_id=1, keypoints=[3, 4, 2, 30, 20, 1], area=7.5),
        thing(3, image_id=2, bbox=(0, 0, 9, 9), segmentation=[]),
    ]
    images = [image(1), image(2, 30, 20), image(3)]
    return data.read_coco(
        *coco_files.write(tmp_path, images, things, CATEGORIES)
    )


def write(dataset, folder):
    path = folder / "a.tfrecord"
    assert data.write_records(dataset, path) == 3
    return path


def read(path, faults, joints=2):
    return list(data.read_records(path, (1, 38), faults, joints))


def test_what_was_written_is_read(dataset, tmp_path):
    faults = Faults()
    found = read(write(dataset, tmp_path), faults)
    assert not faults
    for (one, pixels), expected in zip(found, dataset.images, strict=True):
        assert one.id == expected.id
        np.testing.assert_allclose(one.xywh, expected.xywh, atol=1e-4)
        np.testing.assert_array_equal(one.labels, expected.labels)
        np.testing.assert_array_equal(one.crowd, expected.crowd)
        np.testing.assert_array_equal(one.areas, expected.areas)
        np.testing.assert_allclose(one.keypoints, expected.keypoints, atol=1e-4)
        np.testing.assert_array_equal(pixels, data.read_image(expected.path))
        for row in range(len(expected.labels)):
            mask = expected.mask(row)
            if mask is None:
                assert one.mask(row) is None
            else:
                np.testing.assert_array_equal(one.mask(row), mask)


def test_the_names_are_those_of_model_garden(dataset, tmp_path):
    (first, _, last) = tf.data.TFRecordDataset(str(write(dataset, tmp_path)))
    kinds = {
        "image/encoded": tf.string,
        "image/format": tf.string,
        "image/filename": tf.string,
        "image/source_id": tf.string,
        "image/height": tf.int64,
        "image/width": tf.int64,
        "image/object/bbox/xmin": tf.float32,
        "image/object/bbox/xmax": tf.float32,
        "image/object/bbox/ymin": tf.float32,
        "image/object/bbox/ymax": tf.float32,
        "image/object/class/label": tf.int64,
        "image/object/class/text": tf.string,
        "image/object/is_crowd": tf.int64,
        "image/object/area": tf.float32,
        "image/object/mask": tf.string,
    }
    names = {name: tf.io.VarLenFeature(kind) for name, kind in kinds.items()}
    parsed = {
        name: value.values.numpy().tolist()
        for name, value in tf.io.parse_single_example(first, names).items()
    }
    assert parsed["image/source_id"] == [b"1"]
    assert parsed["image/format"] == [b"png"]
    assert parsed["image/object/class/label"] == [38, 1]
    assert parsed["image/object/class/text"] == [b"kite", b"person"]
    # Shares of the width.
    assert parsed["image/object/bbox/xmax"] == pytest.approx([24.5 / 60, 0.4])
    mask = tf.io.decode_png(parsed["image/object/mask"][1]).numpy()
    assert mask.shape == (40, 60, 1) and mask.max() == 1 and mask.sum() == 512
    empty = tf.io.parse_single_example(last, names)
    assert not empty["image/object/bbox/xmin"].values.numpy().tolist()


def test_a_jpeg_is_kept_byte_by_byte_and_a_turned_one_is_turned(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    entries = [
        image(1, file_name="a.jpg"),
        image(2, 60, 40, file_name="turned.jpg"),
    ]
    path, folder = coco_files.write(tmp_path, entries, [], drawn=())
    Image.fromarray(pixels).save(folder / "a.jpg")
    Image.fromarray(pixels).save(folder / "turned.jpg", exif=exif)
    records = tmp_path / "a.tfrecord"
    data.write_records(data.read_coco(path, folder), records)
    upright, turned = (
        tf.train.Example.FromString(r.numpy())
        .features.feature["image/encoded"]
        .bytes_list.value[0]
        for r in tf.data.TFRecordDataset(str(records))
    )
    assert upright == (folder / "a.jpg").read_bytes()
    np.testing.assert_array_equal(
        tf.io.decode_image(turned), data.read_image(folder / "turned.jpg")
    )


def test_images_that_cannot_be_read_are_not_written(dataset, tmp_path):
    dataset.images[1].path.write_bytes(b"no image")
    assert data.write_records(dataset, tmp_path / "a.tfrecord") == 2
    (fault,) = dataset.faults
    assert (fault.what, fault.count) == ("image cannot be used", 1)


def png(height=40, width=60):
    return tf.io.encode_png(np.ones((height, width, 1), np.uint8)).numpy()


def example(**changes):
    """A record of one object with what Model Garden asks for and no more."""
    values = {
        "encoded": [png()],
        "source_id": [b"7"],
        "object/bbox/xmin": [0.25],
        "object/bbox/xmax": [0.5],
        "object/bbox/ymin": [0.0],
        "object/bbox/ymax": [0.5],
        "object/class/label": [38],
    }
    values.update({k.replace("__", "/"): v for k, v in changes.items()})
    fields = {bytes: "bytes_list", float: "float_list", int: "int64_list"}
    result = tf.train.Example()
    for name, listed in values.items():
        feature = result.features.feature[f"image/{name}"]
        for value in listed:
            getattr(feature, fields[type(value)]).value.append(value)
    return result.SerializeToString()


def write_raw(folder, *records):
    path = folder / "raw.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in records:
            writer.write(record)
    return path


def test_a_record_of_model_garden_without_masks_and_areas_is_read(tmp_path):
    faults = Faults()
    ((found, pixels),) = read(write_raw(tmp_path, example()), faults)
    assert found.id == 7 and pixels.shape == (40, 60, 3)
    assert found.boxes.tolist() == [[15, 0, 30, 20]]
    assert found.labels.tolist() == [1] and not found.crowd.any()
    assert found.mask(0) is None and not faults


@pytest.mark.parametrize(
    "changes, what",
    [
        ({"encoded": [b"no image"]}, "image cannot be used"),
        ({"encoded": []}, "image/encoded has values of a wrong number"),
        ({"height": [41]}, "image/height is not that of the image"),
        ({"source_id": []}, "image/source_id has values of a wrong number"),
        ({"object__bbox__xmin": []}, "xmin has values of a wrong number"),
        ({"object__bbox__xmin": [5]}, "xmin has values of a wrong number"),
        ({"object__area": [1.0, 2.0]}, "area has values of a wrong number"),
        ({"object__mask": [b"no image"]}, "image cannot be used"),
        ({"object__keypoint__visibility": [2]}, "keypoint/x has values of"),
    ],
)
def test_a_record_that_cannot_be_used_is_counted(changes, what, tmp_path):
    faults = Faults()
    path = write_raw(tmp_path, example(**changes), example())
    assert len(read(path, faults)) == 1
    (fault,) = faults
    assert what in fault.what and fault.done == "image skipped"
    assert fault.example.startswith("record 0 of ")


@pytest.mark.parametrize(
    "changes, what",
    [
        ({"object__class__label": [2]}, "category id is not listed"),
        ({"object__bbox__xmax": [0.25]}, "box is empty or inverted"),
        ({"object__bbox__ymin": [float("nan")]}, "not four finite numbers"),
    ],
)
def test_an_object_that_cannot_be_used_is_counted(changes, what, tmp_path):
    faults = Faults()
    ((found, _),) = read(write_raw(tmp_path, example(**changes)), faults)
    (fault,) = faults
    assert what in fault.what and len(found.labels) == 0


def test_a_mask_of_another_size_is_counted(tmp_path):
    faults = Faults()
    path = write_raw(tmp_path, example(object__mask=[png(4, 5)]))
    ((found, _),) = read(path, faults)
    (fault,) = faults
    assert fault.what == "mask is of another size than the image"
    assert found.mask(0) is None and len(found.labels) == 1


def test_a_record_that_is_no_example_is_counted(tmp_path):
    faults = Faults()
    path = write_raw(tmp_path, b"not an example", example())
    assert len(read(path, faults)) == 1
    (fault,) = faults
    assert fault.what == "record is no example"


@pytest.mark.parametrize("damage", ["cut", "text"])
def test_what_is_no_record_file_is_an_error_that_names_it(damage, tmp_path):
    path = write_raw(tmp_path, example(), example())
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-5])
    else:
        path.write_text("not a record\n" * 100)
    with pytest.raises(ValueError, match="raw.tfrecord: a TFRecord must be wh"):
        read(path, Faults())


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ValueError, match="gone.tfrecord.*No such file"):
        read(tmp_path / "gone.tfrecord", Faults())

"""What a file of annotations in COCO's format says, as arrays."""

import json

import numpy as np
import pytest

from nonlocal_keras import data
from nonlocal_keras.data import coco
from tests.support import coco_files
from tests.support.coco_files import image
from tests.support.coco_files import thing

JOINTS = [f"joint {i}" for i in range(17)]
PEOPLE = (
    {"id": 1, "name": "person", "keypoints": JOINTS},
    *coco_files.CATEGORIES[1:],
)


def read(folder, images, things, **options):
    return data.read_coco(*coco_files.write(folder, images, things, **options))


def only_image(folder, *things, **options):
    dataset = read(folder, [image(1)], things, **options)
    assert not dataset.faults
    return dataset.images[0]


def test_objects_stand_with_their_images(tmp_path):
    things = [
        thing(5, image_id=2, bbox=(1, 2, 3, 4), category_id=1),
        thing(6, image_id=1, bbox=(0, 0, 60, 40)),
        thing(7, image_id=2, bbox=(10.5, 20.25, 1, 1), area=0.5),
    ]
    dataset = read(tmp_path, [image(2), image(1), image(3)], things)
    assert [i.id for i in dataset.images] == [1, 2, 3]
    first, second, third = dataset.images
    assert first.boxes.tolist() == [[0, 0, 60, 40]]
    assert second.boxes.tolist() == [[1, 2, 4, 6], [10.5, 20.25, 11.5, 21.25]]
    assert second.labels.tolist() == [0, 1]
    assert second.areas.tolist() == [12, 0.5]
    # An image without objects is one.
    assert third.boxes.shape == (0, 4) and third.keypoints.shape == (0, 0, 3)


def test_labels_have_no_gaps_and_lead_back_to_the_ids(tmp_path):
    ids = [90, 1, 13, 11]
    categories = [{"id": i, "name": f"no. {i}"} for i in ids]
    things = [thing(n, category_id=i) for n, i in enumerate(ids)]
    dataset = read(tmp_path, [image(1)], things, categories=categories)
    assert dataset.category_ids == (1, 11, 13, 90)
    names = ("no. 1", "no. 11", "no. 13", "no. 90")
    assert dataset.class_names == names
    labels = dataset.images[0].labels
    assert labels.tolist() == [3, 0, 2, 1]
    assert [dataset.category_ids[label] for label in labels] == ids


def test_a_polygon_covers_the_pixels_within(tmp_path):
    found = only_image(tmp_path, thing(1, bbox=(10, 5, 20, 30)))
    expected = np.zeros((40, 60), bool)
    expected[5:35, 10:30] = True
    np.testing.assert_array_equal(found.mask(0), expected)


def test_polygons_of_one_object_are_one_mask(tmp_path):
    parts = [[0, 0, 4, 0, 4, 4, 0, 4], [2, 0, 8, 0, 8, 4, 2, 4]]
    found = only_image(tmp_path, thing(1, segmentation=parts))
    expected = np.zeros((40, 60), bool)
    expected[:4, :8] = True
    np.testing.assert_array_equal(found.mask(0), expected)


def rle(mask):
    """The uncompressed run-length code, by its definition."""
    flat = mask.ravel(order="F").astype(int)
    ends = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *ends, flat.size]).tolist()
    return {"size": list(mask.shape), "counts": [0] * int(flat[0]) + runs}


@pytest.mark.parametrize("compressed", [False, True])
def test_run_length_codes_are_the_masks_that_were_coded(compressed, tmp_path):
    mask = np.random.default_rng(0).random((40, 60)) > 0.7
    code = rle(mask)
    if compressed:
        from pycocotools import mask as second_opinion

        code = second_opinion.frPyObjects(code, 40, 60)
        code = {**code, "counts": code["counts"].decode()}
    found = only_image(tmp_path, thing(1, segmentation=code, iscrowd=1))
    np.testing.assert_array_equal(found.mask(0), mask)
    assert found.crowd.tolist() == [True]


@pytest.mark.parametrize("other", [{"segmentation": []}, {}])
def test_an_object_without_a_mask_has_none(other, tmp_path):
    entry = {**thing(1), "segmentation": None, **other}
    assert only_image(tmp_path, entry).mask(0) is None


def test_keypoints_have_rows_for_all_objects(tmp_path):
    joints = np.arange(51).reshape(17, 3) % [60, 40, 3]
    people = [
        thing(1),
        thing(2, category_id=1, keypoints=joints.ravel().tolist()),
        thing(3, category_id=1, keypoints=[]),
    ]
    dataset = read(tmp_path, [image(1)], people, categories=PEOPLE)
    assert dataset.keypoint_names == tuple(JOINTS)
    assert dataset.keypoint_labels == (0,)
    keypoints = dataset.images[0].keypoints
    assert keypoints.shape == (3, 17, 3)
    np.testing.assert_array_equal(keypoints[1], joints)
    assert not keypoints[[0, 2]].any()


def test_an_area_that_is_not_told_is_that_of_a_usual_mask(tmp_path):
    entry = thing(1, bbox=(0, 0, 10, 20))
    del entry["area"]
    assert only_image(tmp_path, entry).areas == pytest.approx([0.53 * 200])


def test_images_are_read_as_they_are_listed(tmp_path):
    dataset = read(tmp_path, [image(1), image(2, 30, 20)], [])
    found = list(dataset.readable())
    assert [i.id for i, _ in found] == [1, 2]
    assert [p.shape for _, p in found] == [(40, 60, 3), (30, 20, 3)]
    assert [p.max() for _, p in found] == [1, 2]


def test_images_in_folders_are_found(tmp_path):
    entry = image(1, file_name="a/b.png")
    (tmp_path / "images" / "a").mkdir(parents=True)
    dataset = read(tmp_path, [entry], [])
    assert dataset.images[0].path == tmp_path / "images" / "a" / "b.png"
    assert coco.read_pixels(dataset.images[0]).shape == (40, 60, 3)


def test_annotations_are_read_without_images(tmp_path):
    path, _ = coco_files.write(tmp_path, [image(1)], [thing(1)], drawn=())
    (found,) = data.read_coco(path).images
    assert found.path is None and found.mask(0).sum() == 512


def test_thousands_of_objects_in_an_image_are_read(tmp_path):
    corners = np.random.default_rng(0).integers(0, 30, (5000, 2)).tolist()
    things = [thing(n, bbox=(*c, 2, 3)) for n, c in enumerate(corners)]
    found = only_image(tmp_path, *things)
    np.testing.assert_array_equal(found.boxes[:, :2], corners)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_files_of_other_encodings_are_read(encoding, tmp_path):
    path, folder = coco_files.write(tmp_path, [image(1)], [thing(1)])
    path.write_text(json.dumps(json.loads(path.read_text())), encoding)
    assert len(data.read_coco(path, folder).images) == 1

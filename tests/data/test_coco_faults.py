"""Files of annotations with faults: left out and counted, never a trace."""

import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from nonlocal_keras import data
from nonlocal_keras.data import coco
from tests.support import coco_files
from tests.support.coco_files import image
from tests.support.coco_files import thing


def read(folder, images, things, **options):
    return data.read_coco(*coco_files.write(folder, images, things, **options))


def only_fault(dataset, what, done, count=1):
    (fault,) = dataset.faults
    assert (fault.what, fault.done, fault.count) == (what, done, count)
    assert len(dataset.faults) == count
    return fault


BOXES = {
    "box is empty or inverted": [
        *((5, 5, 0, 5), (5, 5, 5, 0), (5, 5, -3, 5), (0, 0, 0, 0)),
    ],
    "box lies outside of the image": [
        *((60, 0, 5, 5), (0, 40, 5, 5), (-5, 0, 5, 5), (0, -9, 5, 5)),
    ],
    "box is not four finite numbers": [
        *((math.nan, 0, 5, 5), (0, 0, math.inf, 5), (0, 0, 5), "box", None),
        *(10**400, [[0, 0, 5, 5]], {"x": 0}, [None] * 4),
    ],
}


@pytest.mark.parametrize(
    "what, box", [(what, box) for what, found in BOXES.items() for box in found]
)
def test_an_object_with_an_unusable_box_is_left_out(what, box, tmp_path):
    things = [thing(1), {**thing(2), "bbox": box}, thing(3)]
    dataset = read(tmp_path, [image(1)], things)
    fault = only_fault(dataset, what, "object skipped")
    assert fault.example == "annotation 2"
    assert len(dataset.images[0].labels) == 2


def test_a_box_of_one_pixel_is_one(tmp_path):
    dataset = read(tmp_path, [image(1)], [thing(1, bbox=(59, 39, 1, 1))])
    assert dataset.images[0].boxes.tolist() == [[59, 39, 60, 40]]
    assert not dataset.faults


def test_a_box_is_clipped_to_the_image(tmp_path):
    dataset = read(tmp_path, [image(1)], [thing(1, bbox=(-5, 10, 100, 20))])
    only_fault(dataset, "box reaches beyond the image", "clipped")
    assert dataset.images[0].boxes.tolist() == [[0, 10, 60, 30]]
    # AP is taken by what the file says.
    assert dataset.images[0].xywh.tolist() == [[-5, 10, 100, 20]]


def test_rounding_is_no_fault(tmp_path):
    dataset = read(tmp_path, [image(1)], [thing(1, bbox=(0, 0, 60.4, 40.3))])
    assert dataset.images[0].boxes.tolist() == [[0, 0, 60, 40]]
    assert not dataset.faults


SQUARE = [0, 0, 5, 0, 5, 5, 0, 5]
MASKS = {
    "polygon has fewer than 3 points": [[[1, 1, 5, 5]], [[]]],
    "polygon is not pairs of finite numbers": [
        *([[1, 1, 5, 1, 5]], [[math.nan] * 6], ["text"], [[[1, 1], [5, 1]]]),
    ],
    "polygon reaches further out than the image is large": [
        [[0, 0, 1e9, 0, 1e9, 1e9]],
        [[0, 0, -61, 0, 5, 5]],
    ],
    "mask is of another size than the image": [
        {"size": [60, 40], "counts": [2400]},
        {"size": "large", "counts": [2400]},
        {"counts": [2400]},
    ],
    "run-length code cannot be decoded": [
        {"size": [40, 60], "counts": [5, 10**9]},
        {"size": [40, 60], "counts": [5, -5, 2400]},
        {"size": [40, 60], "counts": [5]},
        {"size": [40, 60], "counts": "zzzz"},
        {"size": [40, 60], "counts": "\u00e9"},
        {"size": [40, 60]},
    ],
    "mask is neither polygons nor a run-length code": ["text", 5],
}


@pytest.mark.parametrize(
    "what, mask",
    [(what, mask) for what, found in MASKS.items() for mask in found],
)
def test_an_object_with_an_unusable_mask_keeps_its_box(what, mask, tmp_path):
    dataset = read(tmp_path, [image(1)], [thing(1, segmentation=mask)])
    only_fault(dataset, what, "object kept without mask")
    assert dataset.images[0].mask(0) is None
    assert len(dataset.images[0].boxes) == 1


def test_the_good_polygons_of_a_mask_are_kept(tmp_path):
    parts = [[1, 1, 2, 2], SQUARE]
    dataset = read(tmp_path, [image(1)], [thing(1, segmentation=parts)])
    only_fault(dataset, "polygon has fewer than 3 points", "left out")
    assert dataset.images[0].mask(0).sum() == 25


@pytest.mark.parametrize("area", [-1, math.nan, "large", [5]])
def test_an_unusable_area_is_estimated(area, tmp_path):
    things = [thing(1, bbox=(0, 0, 10, 10), area=area)]
    dataset = read(tmp_path, [image(1)], things)
    only_fault(dataset, "area is no positive number", "estimated by the box")
    assert dataset.images[0].areas == pytest.approx([53])


@pytest.mark.parametrize(
    "value, crowd", [("0", False), ("1", True), (None, False), (True, True)]
)
def test_whether_it_is_a_crowd_may_be_text(value, crowd, tmp_path):
    dataset = read(tmp_path, [image(1)], [thing(1, iscrowd=value)])
    assert dataset.images[0].crowd.tolist() == [crowd]
    assert not dataset.faults


@pytest.mark.parametrize("value", ["no", math.nan, [0]])
def test_what_does_not_say_whether_it_is_a_crowd_is_counted(value, tmp_path):
    dataset = read(tmp_path, [image(1)], [thing(1, iscrowd=value)])
    only_fault(dataset, "iscrowd is no number", "taken for one object")
    assert dataset.images[0].crowd.tolist() == [False]


@pytest.mark.parametrize("keypoints", [[1, 2, 2], [math.nan] * 6, "text"])
def test_unusable_keypoints_are_left_out(keypoints, tmp_path):
    person = {"id": 1, "name": "person", "keypoints": ["head", "foot"]}
    entry = thing(1, category_id=1, keypoints=keypoints)
    dataset = read(tmp_path, [image(1)], [entry], categories=[person])
    only_fault(
        dataset,
        "keypoints are not x, y and visibility of 2 joints",
        "object kept without keypoints",
    )
    assert not dataset.images[0].keypoints.any()


def test_keypoints_of_a_class_without_joints_are_left_out(tmp_path):
    dataset = read(tmp_path, [image(1)], [thing(1, keypoints=[1, 1, 2])])
    only_fault(
        dataset,
        "keypoints of a class without joints",
        "keypoints left out",
    )


@pytest.mark.parametrize("key", [7, "1", None, [1], {}, math.nan])
def test_an_object_of_no_listed_image_is_left_out(key, tmp_path):
    dataset = read(tmp_path, [image(1)], [thing(1), thing(2, image_id=key)])
    what = "annotation of an image that is not listed"
    only_fault(dataset, what, "object skipped")


@pytest.mark.parametrize("key", [2, "38", None, [1]])
def test_an_object_of_no_listed_category_is_left_out(key, tmp_path):
    things = [thing(1), thing(2, category_id=key)]
    dataset = read(tmp_path, [image(1)], things)
    only_fault(dataset, "category id is not listed", "object skipped")


@pytest.mark.parametrize("entry", [None, "text", 5, []])
def test_an_entry_that_is_no_object_of_json_is_left_out(entry, tmp_path):
    dataset = read(tmp_path, [image(1)], [entry, thing(1)])
    assert len(dataset.faults) == 1
    assert len(dataset.images[0].labels) == 1


def test_an_object_that_is_listed_twice_counts_once(tmp_path):
    dataset = read(tmp_path, [image(1)], [thing(1), thing(1)])
    only_fault(dataset, "annotation is listed twice", "first one taken")
    assert len(dataset.images[0].labels) == 1


def test_two_objects_of_one_id_are_two(tmp_path):
    things = [thing(1), thing(1, bbox=(0, 0, 5, 5))]
    dataset = read(tmp_path, [image(1)], things)
    only_fault(dataset, "annotation id is used twice", "both objects kept")
    assert len(dataset.images[0].labels) == 2


def test_of_two_images_of_one_id_the_first_is_taken(tmp_path):
    entries = [image(1), image(1, file_name="other.png")]
    dataset = read(tmp_path, entries, [thing(1)])
    only_fault(dataset, "image id is listed twice", "first one taken")
    assert dataset.images[0].path.name == "001.png"


def test_of_two_categories_of_one_id_the_first_is_taken(tmp_path):
    twice = [*coco_files.CATEGORIES, {"id": 38, "name": "bird"}]
    dataset = read(tmp_path, [image(1)], [thing(1)], categories=twice)
    only_fault(dataset, "category id is listed twice", "first one taken")
    assert dataset.class_names == ("person", "kite")


def test_two_categories_of_one_name_are_told_apart(tmp_path):
    twice = [*coco_files.CATEGORIES, {"id": 40, "name": "person"}]
    things = [thing(1), thing(2, category_id=40)]
    dataset = read(tmp_path, [image(1)], things, categories=twice)
    only_fault(dataset, "category name is used twice", "its id added")
    assert dataset.class_names == ("person", "kite", "person 40")
    assert dataset.images[0].labels.tolist() == [1, 2]


def test_a_missing_image_is_left_out_with_its_objects(tmp_path):
    things = [thing(1), thing(2, image_id=2)]
    dataset = read(tmp_path, [image(1), image(2)], things, drawn=[1])
    only_fault(dataset, "image file is missing", "image skipped")
    assert [i.id for i in dataset.images] == [1]


@pytest.mark.parametrize(
    "name",
    [
        *("../secret.png", "a/../../secret.png", "..\\secret.png"),
        *("/etc/passwd", "C:\\secret.png", "\\\\host\\secret.png"),
    ],
)
def test_a_name_that_leaves_the_folder_is_refused(name, tmp_path):
    (tmp_path / "secret.png").touch()
    entries = [image(1), image(2, file_name=name)]
    dataset = read(tmp_path, entries, [], drawn=[1])
    what = "file name leaves the folder of the images"
    only_fault(dataset, what, "image skipped")


@pytest.mark.parametrize("height", [0, -5, 1.5, "40", None, math.nan, 10**9])
def test_an_image_without_a_size_is_left_out(height, tmp_path):
    entries = [image(1), image(2, height=height)]
    dataset = read(tmp_path, entries, [], drawn=[1])
    what = "image has no usable height and width"
    only_fault(dataset, what, "image skipped")


def test_images_that_cannot_be_read_are_counted(tmp_path):
    entries = [image(1), image(2), image(3)]
    path, folder = coco_files.write(tmp_path, entries, [])
    (folder / "002.png").write_bytes(b"no image")
    (folder / "003.png").write_bytes((folder / "001.png").read_bytes()[:50])
    dataset = data.read_coco(path, folder)
    assert [i.id for i, _ in dataset.readable()] == [1]
    only_fault(dataset, "image cannot be used", "image skipped", count=2)


def test_an_image_of_another_size_than_annotated_is_refused(tmp_path):
    path, folder = coco_files.write(tmp_path, [image(1)], [thing(1)])
    text = path.read_text().replace('"height": 40', '"height": 41')
    path.write_text(text)
    (found,) = data.read_coco(path, folder).images
    with pytest.raises(data.ImageError, match="60 x 41 .*Received: 60 x 40"):
        coco.read_pixels(found)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "must be a file of JSON"),
        ("{", "must be a file of JSON"),
        ("[" * 100_000, "must be a file of JSON"),
        ("\xff", "must be a file of JSON"),
        ("[]", "without images, annotations, categories"),
        ('{"images": [], "annotations": 5}', "annotations, categories"),
        (
            '{"images": [], "annotations": [], "categories": []}',
            "no image can be used: it lists none",
        ),
        (
            '{"images": [{"id": 1}], "annotations": [], "categories": []}',
            "no image can be used: image has no usable height and width",
        ),
    ],
)
def test_what_is_no_file_of_annotations_is_an_error(text, message, tmp_path):
    (tmp_path / "coco.json").write_text(text, "latin-1")
    with pytest.raises(ValueError, match=message) as caught:
        data.read_coco(tmp_path / "coco.json")
    assert "coco.json" in str(caught.value)


def test_annotations_of_any_depth_are_read_or_refused(tmp_path):
    path, _ = coco_files.write(tmp_path, [image(1)], ["x", "x", "y"])
    text, outcomes = path.read_text(), set()
    for depth in (*range(100, 1000, 50), 100_000):
        deep = "[" * depth + "]" * depth
        same = '{"id": 1, "image_id": 1, "category_id": 1, "bbox": %s}' % deep
        path.write_text(text.replace('"x"', same).replace('"y"', deep))
        try:
            outcomes.add(len(data.read_coco(path).faults))
        except ValueError as error:
            outcomes.add("file of JSON" in str(error))
    # The faults of three entries; or Python finds it too deep to be parsed.
    assert outcomes == {3, True}


def test_a_missing_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ValueError, match="gone.json.*No such file"):
        data.read_coco(tmp_path / "gone.json")


def test_faults_are_a_table_with_the_most_frequent_first(tmp_path):
    things = [thing(1, area=-1), *(thing(n, image_id=9) for n in (2, 3))]
    dataset = read(tmp_path, [image(1)], things)
    head, first, second = str(dataset.faults).splitlines()
    assert head.split() == ["count", "done", "what", "first"]
    assert first.split()[:3] == ["2", "object", "skipped"]
    assert first.endswith("annotation 2")
    assert second.split()[0] == "1"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=8)
        | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=8,
)
FIELDS = [("images", key) for key in ("id", "file_name", "height", "width")]
FIELDS += [("categories", key) for key in ("id", "name", "keypoints")]
FIELDS += [("annotations", key) for key in (*thing(1), "keypoints")]


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.tuples(st.sampled_from(FIELDS), JSON), max_size=3))
def test_any_value_of_any_field_is_read_or_refused(tmp_path, changes):
    path, folder = coco_files.write(tmp_path, [image(1)], [thing(1)])
    content = json.loads(path.read_text())
    for (part, key), value in changes:
        content[part][0][key] = value
    path.write_text(json.dumps(content))
    try:
        dataset = data.read_coco(path, folder)
    except ValueError as error:
        assert "coco.json" in str(error)
        return
    for found, pixels in dataset.readable():
        assert np.isfinite(found.boxes).all()
        for row in range(len(found.labels)):
            mask = found.mask(row)
            assert mask is None or mask.shape == pixels.shape[:2]

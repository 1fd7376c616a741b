"""Pictures of detections: what is drawn, where, and what is refused."""

import numpy as np
import pytest

from nonlocal_keras import data
from nonlocal_keras import visualize
from nonlocal_keras.visualize import object_marks
from nonlocal_keras.visualize import skeletons
from nonlocal_keras.visualize.label_places import LabelPlaces
from tests.support import coco_files

GREY = np.full((400, 600, 3), 128, "uint8")
FIRST = object_marks.color_of(0)


def found(boxes, **others):
    boxes = np.array(boxes, "float32")
    return {"boxes": boxes, "labels": np.ones(len(boxes), int), **others}


def drawn(*arguments, **options):
    return np.asarray(visualize.draw_detections(*arguments, **options))


def is_color(picture, color):
    return (picture == np.array(color)).all(axis=-1)


def test_the_sides_of_a_box_have_the_color_of_its_object():
    picture = drawn(GREY, found([[100, 200, 300, 350]]))
    colored = is_color(picture, FIRST)
    # One row or column beside the others of its line.
    assert colored[349, 102:298].all() and colored[203:347, 100].all()
    assert colored[203:347, 299].all()
    assert not colored[210:340, 110:290].any()


def test_the_picture_is_changed_nowhere_but_at_objects():
    picture = drawn(GREY, found([[100, 200, 300, 350]]))
    changed = (picture != GREY).any(axis=-1)
    rows, columns = np.nonzero(changed)
    # A label lies above the box.
    assert rows.min() > 170 and rows.max() < 355
    assert columns.min() > 90 and columns.max() < 305
    assert (GREY == 128).all()


def test_a_mask_is_tinted_within_and_outlined():
    mask = np.zeros((1, 400, 600))
    mask[0, 230:320, 150:250] = 0.7
    mask[0, 100:120, 100:120] = 0.3
    picture = drawn(GREY, found([[100, 200, 300, 350]], masks=mask))
    tint = 0.6 * 128 + 0.4 * np.array(FIRST)
    np.testing.assert_allclose(picture[275, 200], tint, atol=1)
    assert is_color(picture, FIRST)[230, 150:250].all()
    assert (picture[100:120, 100:120] == 128).all()


def test_less_certain_objects_are_left_out():
    boxes = [[10, 100, 60, 150], [300, 100, 350, 150], [400, 300, 500, 380]]
    scores = np.array([0.3, 0.9, 0.6])
    picture = drawn(GREY, found(boxes, confidence=scores), threshold=0.5)
    changed = (picture != 128).any(axis=-1)
    assert not changed[:, :200].any()
    # Colors go by certainty.
    assert is_color(picture, FIRST)[125, 300]
    assert is_color(picture, object_marks.color_of(1))[350, 400]


def test_padding_of_a_batch_is_not_drawn():
    boxes = np.full((2, 3, 4), -1.0)
    boxes[0, 0], boxes[1, 0] = (10, 10, 60, 60), (300, 300, 400, 380)
    batch = {
        "boxes": boxes,
        "labels": np.where(boxes[..., 0] < 0, -1, 1),
        "confidence": np.where(boxes[..., 0] < 0, -1.0, 0.9),
        "num_detections": np.array([1, 1]),
        "masks": [np.zeros((1, 400, 600)), np.zeros((1, 400, 600))],
    }
    first, second = (drawn(GREY, batch, index=i) for i in (0, 1))
    assert (first[200:] == 128).all() and (second[:200] == 128).all()
    with pytest.raises(ValueError, match="`index` must say which of the 2"):
        visualize.draw_detections(GREY, batch)
    one = {name: values[:1] for name, values in batch.items()}
    np.testing.assert_array_equal(drawn(GREY, one), first)


def test_joints_of_coco_are_connected_and_others_are_points():
    x = np.linspace(50, 550, 17)
    y = np.where(np.arange(17) % 2, 120, 320)
    for joints, connected in ((17, True), (14, False)):
        points = np.stack([x, y, np.full(17, 2)], axis=-1)[None, :joints]
        picture = drawn(GREY, found([[40, 100, 560, 340]], keypoints=points))
        at = points[0, :, :2].round().astype(int)
        white = is_color(picture, (255, 255, 255))
        assert all(white[row, column] for column, row in at)
        middle = (at[5] + at[6]) // 2
        colored = is_color(picture, FIRST)[middle[1], middle[0]]
        assert colored == connected


def test_joints_that_are_not_labeled_are_not_drawn():
    points = np.zeros((1, 17, 3))
    points[0, 3] = 300, 200, 1
    picture = drawn(GREY, found([[40, 100, 560, 340]], keypoints=points))
    white = np.argwhere(is_color(picture, (255, 255, 255)))
    assert len(white) and np.abs(white - [200, 300]).max() < 8


def test_a_skeleton_of_ones_own_connects_any_joints():
    points = np.array([[[100, 150, 1], [400, 150, 1], [400, 300, 1]]])
    objects = found([[40, 100, 560, 340]], keypoints=points)
    picture = drawn(GREY, objects, skeleton=[(0, 1)])
    colored = is_color(picture, FIRST)
    assert colored[150, 250] and not colored[225, 400]
    with pytest.raises(ValueError, match=r"from 0 to 2\. Received: \(0, 3\)"):
        visualize.draw_detections(GREY, objects, skeleton=[(0, 3)])


def test_the_lines_of_coco_are_those_of_its_files():
    # As `skeleton` in its files, which counts from 1.
    told = "16-14 14-12 17-15 15-13 12-13 6-12 7-13 6-7 6-8 7-9 8-10 9-11 "
    told += "2-3 1-2 1-3 2-4 3-5 4-6 5-7"
    expected = {
        tuple(sorted(int(n) - 1 for n in pair.split("-")))
        for pair in told.split()
    }
    assert {tuple(sorted(line)) for line in skeletons.COCO} == expected


@pytest.mark.parametrize("size", [(1, 1), (90, 120), (319, 500), (320, 400)])
def test_a_small_image_is_enlarged_by_a_whole_factor(size):
    image = np.zeros((*size, 3))
    height, width = size
    masks = np.ones((1, *size), bool)
    objects = found([[0, 0, width, height]], masks=masks)
    shape = drawn(image, objects).shape
    factor = shape[0] // height
    assert shape == (height * factor, width * factor, 3)
    assert min(shape[:2]) >= 320 and min(shape[:2]) - min(size) < 320


def test_labels_of_a_crowd_leave_the_picture_visible():
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 350, (100, 2))
    boxes = np.concatenate([corner, corner + 12], axis=1)
    picture = drawn(GREY, found(boxes), ["background", "person"])
    assert (picture == 128).all(axis=-1).mean() > 0.6


def test_labels_do_not_hide_each_other():
    places, given = LabelPlaces(600, 400), []
    rng = np.random.default_rng(1)
    for x, y in rng.uniform(0, 300, (200, 2)):
        place = places.find((x, y, x + 80, y + 60), (60, 15))
        if place is not None:
            left, top, right, bottom = place
            assert 0 <= left < right <= 600 and 0 <= top < bottom <= 400
            given.append(place)
    assert 10 < len(given) < 200
    cover = np.zeros((400, 600), int)
    for left, top, right, bottom in given:
        cover[top:bottom, left:right] += 1
    assert (cover > 1).sum() <= 0.25 * (cover > 0).sum()


def test_names_are_foreign_text():
    labels = ("background", "a\n\x1b[31m" + "b" * 90)
    picture = drawn(GREY, found([[100, 200, 300, 350]]), labels)
    assert (picture != 128).any()


@pytest.mark.parametrize(
    "objects, options, message",
    [
        ({"boxes": [[1, 2, 3, 4]]}, {}, "found without .'labels'."),
        (found([[1, 2, 700, 300]]), {}, "`found` must be of this image"),
        (
            found([[1, 2, 3, 4]], masks=np.zeros((1, 8, 8))),
            {},
            "must be of the size of the image, 400 x 600",
        ),
        (
            found([[1, 2, 3, 4]], keypoints=np.zeros((2, 17, 3))),
            {},
            "must hold as many keypoints as boxes",
        ),
        (found([[1, 2, 3, 4]]), {"labels": ["background"]}, "of class 1"),
        (found([[1, 2, 3, 4]]), {"threshold": 2}, "`threshold` must be a"),
        (found([[1, 2, 3, 4]]), {"index": 0}, "`index` is for detections of"),
    ],
)
def test_what_cannot_be_drawn_is_refused(objects, options, message):
    with pytest.raises(ValueError, match=message):
        visualize.draw_detections(GREY, objects, **options)


def test_no_object_is_a_picture_as_it_was():
    objects = found(np.zeros((0, 4)), keypoints=np.zeros((0, 17, 3)))
    np.testing.assert_array_equal(drawn(GREY, objects), GREY)


def test_ground_truth_is_what_the_file_says(tmp_path):
    joints = [20, 10, 2] + [0, 0, 0]
    person = {"id": 1, "name": "person", "keypoints": ["nose", "neck"]}
    things = [
        coco_files.thing(1),
        coco_files.thing(
            2, bbox=(0, 0, 30, 20), category_id=1, segmentation=None
        )
        | {"keypoints": joints, "num_keypoints": 1},
    ]
    categories = [person, {"id": 38, "name": "kite"}]
    paths = coco_files.write(
        tmp_path, [coco_files.image(1)], things, categories
    )
    dataset = data.read_coco(*paths)
    truth = visualize.ground_truth(dataset.images[0])
    np.testing.assert_array_equal(
        truth["boxes"], [[8, 4, 24, 36], [0, 0, 30, 20]]
    )
    names = ("background", *dataset.class_names)
    assert [names[label] for label in truth["labels"]] == ["kite", "person"]
    assert truth["masks"][0].sum() == 16 * 32 and not truth["masks"][1].any()
    np.testing.assert_array_equal(truth["keypoints"][1, 0], [20, 10, 2])
    picture = visualize.draw_detections(
        data.read_image(dataset.images[0].path), truth, names
    )
    assert picture.size == (480, 320)

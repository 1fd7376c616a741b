"""Batches to train a detector, against files that are mirrored by hand."""

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as second_opinion

from nonlocal_keras import data
from nonlocal_keras.models import ImageResNet
from nonlocal_keras.models import MaskRCNN
from tests.support import coco_files
from tests.support.coco_files import image
from tests.support.coco_files import thing

JOINTS = ["nose", "left_eye", "right_eye"]
PEOPLE = [
    {"id": 1, "name": "person", "keypoints": JOINTS},
    {"id": 38, "name": "kite"},
]
SMALL = {"short_sides": (32, 48), "max_size": 96}


def read(folder, images, things, **options):
    return data.read_coco(*coco_files.write(folder, images, things, **options))


def reader(dataset, seed=0, labels="class", keep_empty=False, **fields):
    spec = data.DetectionSpec(**{**SMALL, **fields})
    return data.DetectionReader(dataset, spec, seed, labels, keep_empty)


def several(folder, wide=7, tall=6):
    """Images whose gray value is their number, a kite in each."""
    sizes = wide * [(20, 30)] + tall * [(30, 20)]
    images = [image(n, *size) for n, size in enumerate(sizes, 1)]
    things = [thing(n, n, (2, 3, n, 9)) for n in range(1, len(sizes) + 1)]
    return read(folder, images, things)


def numbers(opened, inputs):
    """The numbers of images that are of one gray value."""
    gray = inputs["images"][:, 0, 0] * opened.spec.std + opened.spec.mean
    return np.round(gray[:, 0] * 255).astype(int).tolist()


def assert_equal(found, expected, **tolerance):
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for key in one:
            assert one[key].dtype == other[key].dtype
            np.testing.assert_allclose(one[key], other[key], **tolerance)


def test_a_batch_is_decided_by_seed_and_step_alone(tmp_path):
    dataset = several(tmp_path)
    one, other = (reader(dataset, seed=3) for _ in range(2))
    forth = [one.training_batch(step, 2) for step in range(14)]
    back = [other.training_batch(step, 2) for step in reversed(range(14))]
    for pair in zip(forth, reversed(back)):
        assert_equal(*pair)


def test_another_seed_gives_other_batches(tmp_path):
    dataset = several(tmp_path)
    first, second = (
        [numbers(opened, opened.training_batch(k, 2)[0]) for k in range(6)]
        for opened in (reader(dataset, seed=seed) for seed in (1, 2))
    )
    assert first != second


def test_an_epoch_visits_every_image_once_but_for_the_leftover(tmp_path):
    opened = reader(several(tmp_path))
    assert len(opened) == 13
    orders = []
    for epoch in range(3):
        steps = range(3 * epoch, 3 * epoch + 3)
        seen = [opened.training_batch(step, 4)[0] for step in steps]
        orders.append([n for inputs in seen for n in numbers(opened, inputs)])
        assert len(set(orders[-1])) == 12
    assert orders[0] != orders[1] != orders[2]


def test_sizes_and_flips_are_drawn_evenly(tmp_path):
    opened = reader(several(tmp_path, wide=1, tall=0), short_sides=range(8, 12))
    sides, places = [], []
    for step in range(300):
        inputs, targets = opened.training_batch(step, 1)
        sides.append(int(inputs["image_sizes"][0, 0]))
        width = inputs["image_sizes"][0, 1]
        places.append(bool(targets["boxes"][0, 0, 0] > width / 2))
    counts = np.unique(sides, return_counts=True)
    assert counts[0].tolist() == [8, 9, 10, 11]
    # Five standard deviations of a count.
    assert abs(counts[1] - 75).max() < 5 * (300 * 3 / 16) ** 0.5
    assert abs(sum(places) - 150) < 5 * 75**0.5


def drawn(folder, mirrored):
    """A photo with two people whose masks are run-length codes.

    Drawn as it is, or mirrored by hand.
    """
    folder.mkdir()
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (40, 60, 3), "uint8")
    entries = []
    for number, (x, y, w, h) in enumerate([(3, 5, 20, 30), (31, 2, 17, 9)]):
        mask = np.zeros((40, 60), bool)
        mask[y : y + h, x : x + w] = rng.random((h, w)) > 0.4
        joints = rng.integers(0, [w, h, 3], (3, 3)) + [x, y, 0]
        # One joint that is not labeled is in the file as zeros.
        joints[rng.integers(3)] = 0
        if mirrored:
            mask, x = mask[:, ::-1], 60 - x - w
            joints[:, 0] = np.where(joints[:, 2] > 0, 59 - joints[:, 0], 0)
            joints = joints[[0, 2, 1]]
        code = second_opinion.encode(np.asfortranarray(mask, np.uint8))
        entries.append(
            thing(
                number + 1,
                bbox=(x, y, w, h),
                category_id=1,
                segmentation={**code, "counts": code["counts"].decode()},
                keypoints=joints.ravel().tolist(),
            )
        )
    dataset = read(folder, [image(1)], entries, categories=PEOPLE)
    photo = pixels[:, ::-1] if mirrored else pixels
    Image.fromarray(photo).save(dataset.images[0].path)
    return dataset


def test_a_mirrored_example_is_that_of_a_mirrored_file(tmp_path):
    plain = drawn(tmp_path / "plain", mirrored=False)
    mirrored = drawn(tmp_path / "mirrored", mirrored=True)
    options = {"keypoints": True, "short_sides": (37,)}
    kept, turned = (
        reader(dataset, flip=False, **options).training_batch(0, 1)
        for dataset in (plain, mirrored)
    )
    assert not np.array_equal(kept[0]["images"], turned[0]["images"])
    opened = reader(plain, **options)
    met = set()
    for step in range(8):
        found = opened.training_batch(step, 1)
        as_kept = np.array_equal(found[0]["images"], kept[0]["images"])
        met.add(as_kept)
        assert_equal(found, kept if as_kept else turned, rtol=1e-5, atol=1e-4)
    assert met == {True, False}


def test_targets_are_in_pixels_of_the_resized_image(tmp_path):
    joints = [9, 5, 2, 20, 4, 1, 0, 0, 0]
    entries = [
        thing(1, bbox=(6, 4, 30, 20), category_id=1, keypoints=joints),
        thing(2, bbox=(50, 30, 20, 20)),
    ]
    dataset = read(tmp_path, [image(1)], entries, categories=PEOPLE)
    opened = reader(
        dataset, flip=False, short_sides=(80,), max_size=120, keypoints=True
    )
    inputs, targets = opened.training_batch(0, 1)
    assert inputs["images"].shape == (1, 96, 128, 3)
    assert inputs["image_sizes"].tolist() == [[80, 120]]
    assert targets["labels"].tolist() == [[1, 2, 0, 0, 0, 0, 0, 0]]
    boxes = [[12, 8, 72, 48], [100, 60, 120, 80]]
    np.testing.assert_allclose(targets["boxes"][0, :2], boxes)
    expected = [[18, 10, 2], [40, 8, 1], [0, 0, 0]]
    np.testing.assert_allclose(targets["keypoints"][0, 0], expected)
    # A kite has no joints, and padding has nothing.
    assert not targets["keypoints"][0, 1:].any()
    assert not targets["boxes"][0, 2:].any()


def test_masks_are_those_of_pycocotools_within_their_boxes(tmp_path):
    rng = np.random.default_rng(0)
    entries = []
    for number in range(1, 9):
        x, y, w, h = (rng.random(4) * [30, 20, 28, 18]).tolist()
        outline = rng.random((7, 2)) * [w, h] + [x, y]
        shape = [outline.ravel().tolist()]
        entries.append(thing(number, bbox=(x, y, w, h), segmentation=shape))
    dataset = read(tmp_path, [image(1)], entries)
    _, targets = reader(dataset, flip=False).training_batch(0, 1)
    for entry, found in zip(entries, targets["masks"][0], strict=True):
        codes = second_opinion.frPyObjects(entry["segmentation"], 40, 60)
        mask = second_opinion.decode(second_opinion.merge(codes))
        x, y, w, h = entry["bbox"]
        expected = [
            [
                mask[int(y + (i + 0.5) * h / 112), int(x + (j + 0.5) * w / 112)]
                for j in range(112)
            ]
            for i in range(112)
        ]
        # Boxes are in float32, and a center may lie on the edge of a pixel.
        assert (found != expected).mean() < 0.02


def test_inputs_are_those_of_predictions(tmp_path):
    rng = np.random.default_rng(0)
    dataset = several(tmp_path, wide=2, tall=0)
    for found in dataset.images:
        pixels = rng.integers(0, 256, (20, 30, 3), "uint8")
        Image.fromarray(pixels).save(found.path)
    backbone = ImageResNet(stage_blocks=(1, 1, 1, 1), width_per_group=2)
    model = MaskRCNN(backbone, 3, fpn_filters=4, min_size=37, max_size=64)
    spec = data.DetectionSpec.for_model(model, flip=False)
    assert spec.masks and not spec.keypoints
    opened = data.DetectionReader(dataset, spec)
    inputs, targets = opened.training_batch(0, 2)
    pixels = dict(
        (int(found.boxes[0, 2]), pixels) for found, pixels in dataset.readable()
    )
    ends = np.round(targets["boxes"][:, 0, 2] / 37 * 20).astype(int)
    expected = model.preprocess([pixels[end] for end in ends])
    assert_equal([inputs], [expected])


def test_what_cannot_be_learned_is_left_out_and_counted(tmp_path):
    entries = [
        thing(1, 1),
        thing(2, 1, iscrowd=1),
        thing(3, 1, (5, 5, 1e-9, 3)),
        thing(4, 2, iscrowd=1),
    ]
    images = [image(1), image(2), image(3)]
    opened = reader(read(tmp_path, images, entries))
    assert len(opened) == 1
    assert {f.what: (f.count, f.example) for f in opened.left_out} == {
        "object is a crowd": (2, "image 1"),
        "box has no area": (1, "image 1"),
        "image has no object": (2, "image 2"),
    }
    _, targets = opened.training_batch(0, 1)
    assert (targets["labels"] > 0).sum() == 1


def test_images_without_objects_are_kept_on_request(tmp_path):
    dataset = read(tmp_path, [image(1), image(2)], [thing(1, 1)])
    opened = reader(dataset, keep_empty=True)
    assert len(opened) == 2 and not opened.left_out
    _, targets = opened.training_batch(0, 2)
    assert sorted((targets["labels"] > 0).sum(axis=1)) == [0, 1]


def test_an_object_without_a_mask_has_an_empty_one(tmp_path):
    entries = [thing(1), thing(2, segmentation=[])]
    _, targets = reader(read(tmp_path, [image(1)], entries)).training_batch(
        0, 1
    )
    assert targets["masks"][0].any(axis=(1, 2)).tolist()[:2] == [True, False]
    assert targets["labels"][0, :2].all()


def test_broken_images_are_named_and_replaced_by_others(tmp_path):
    dataset = several(tmp_path)
    clean = reader(dataset)
    broken = dataset.images[2]
    broken.path.write_bytes(b"no image")
    opened = reader(dataset)
    for step in range(24):
        (found, _), (expected, _) = (
            r.training_batch(step, 2) for r in (opened, clean)
        )
        pairs = zip(numbers(opened, found), numbers(clean, expected))
        for number, wanted in pairs:
            assert number != 3 and (number == wanted or wanted == 3)
            # Replaced by one of its kind.
            assert number <= 7 or wanted > 7
    ((path, reason),) = opened.skipped.items()
    assert path == broken.path and "not a readable image" in reason


def test_an_image_that_is_not_as_large_as_it_says_is_skipped(tmp_path):
    dataset = several(tmp_path, wide=2, tall=0)
    Image.new("RGB", (9, 9)).save(dataset.images[0].path)
    opened = reader(dataset)
    inputs, _ = opened.training_batch(0, 2)
    assert numbers(opened, inputs) == [2, 2]
    assert "must be of 30 x 20 pixels" in next(iter(opened.skipped.values()))


def test_labels_are_category_ids_on_request(tmp_path):
    entries = [thing(1, category_id=1), thing(2, category_id=38)]
    dataset = read(tmp_path, [image(1)], entries)
    opened = reader(dataset, labels="category_id")
    _, targets = opened.training_batch(0, 1)
    assert targets["labels"][0, :2].tolist() == [1, 38]
    assert len(opened.class_names) == 39
    named = {
        n: name
        for n, name in enumerate(opened.class_names)
        if n in (0, 1, 2, 38)
    }
    assert named == {0: "background", 1: "person", 2: "N/A", 38: "kite"}


def test_batches_have_one_shape_on_request(tmp_path):
    dataset = several(tmp_path)
    opened = reader(dataset, size=(96, 96), max_objects=3)
    for step in range(4):
        inputs, targets = opened.training_batch(step, 3)
        assert inputs["images"].shape == (3, 96, 96, 3)
        assert targets["masks"].shape == (3, 3, 112, 112)


def test_objects_beyond_the_most_are_left_out_and_counted(tmp_path):
    entries = [thing(n, bbox=(n, 0, 5, 5)) for n in range(1, 6)]
    opened = reader(read(tmp_path, [image(1)], entries), max_objects=3)
    _, targets = opened.training_batch(0, 1)
    assert targets["labels"].all()
    (fault,) = opened.left_out
    assert (fault.what, fault.count) == ("object beyond `max_objects`", 2)


@pytest.mark.parametrize("number, rows", [(1, 4), (4, 4), (5, 8)])
def test_rows_are_a_multiple(number, rows, tmp_path):
    entries = [thing(n, bbox=(n, 0, 5, 5)) for n in range(1, number + 1)]
    opened = reader(read(tmp_path, [image(1)], entries), object_multiple=4)
    _, targets = opened.training_batch(0, 1)
    assert targets["labels"].shape == (1, rows)


@pytest.mark.parametrize(
    "fields, words",
    [
        ({"short_sides": ()}, "`short_sides` must be lengths"),
        ({"short_sides": (0, 8)}, "`short_sides` must be lengths"),
        ({"max_size": 40}, "`short_sides` must be.*max_size=40"),
        ({"size": (96, 100)}, "`size` must be.*multiples of 32.*100"),
        ({"size": (64, 64)}, "`size` must hold every image.*48 x 72"),
        ({"max_objects": 0}, "`max_objects` and `object_multiple` must"),
        ({"keypoints": True}, "`dataset` must have keypoints"),
    ],
)
def test_fields_that_make_no_batch_are_refused(fields, words, tmp_path):
    dataset = several(tmp_path, wide=1, tall=0)
    with pytest.raises(ValueError, match=words):
        reader(dataset, **fields)


def test_data_sets_without_what_is_asked_for_are_refused(tmp_path):
    path, folder = coco_files.write(
        tmp_path, [image(1)], [thing(1, segmentation=[])]
    )
    with pytest.raises(ValueError, match="give their folder to read_coco"):
        reader(data.read_coco(path))
    with pytest.raises(ValueError, match="must have masks.*masks=False"):
        reader(data.read_coco(path, folder))
    opened = reader(data.read_coco(path, folder), masks=False)
    assert set(opened.training_batch(0, 1)[1]) == {"boxes", "labels"}


def test_why_masks_cannot_be_used_is_said(tmp_path):
    wrong = {"size": [60, 40], "counts": [0, 2400]}
    dataset = read(tmp_path, [image(1)], [thing(1, segmentation=wrong)])
    with pytest.raises(ValueError, match="mask is of another size"):
        reader(dataset)


def test_other_labels_are_refused(tmp_path):
    categories = [{"id": "kite", "name": "kite"}]
    entries = [thing(1, category_id="kite")]
    dataset = read(tmp_path, [image(1)], entries, categories=categories)
    with pytest.raises(ValueError, match="with the id 'kite'"):
        reader(dataset, labels="category_id")
    with pytest.raises(ValueError, match="'class' or 'category_id'. Rec.*'x'"):
        reader(dataset, labels="x")


def test_no_image_at_all_is_an_error_with_the_first_reason(tmp_path):
    dataset = several(tmp_path, wide=2, tall=0)
    for found in dataset.images:
        found.path.write_bytes(b"")
    with pytest.raises(ValueError, match="No image.*001.png: not a readable"):
        reader(dataset)
    (tmp_path / "empty").mkdir()
    dataset = read(tmp_path / "empty", [image(1)], [thing(1, iscrowd=1)])
    with pytest.raises(ValueError, match="can be used: object is a crowd"):
        reader(dataset)


@pytest.mark.parametrize("batch_size", [0, 3])
def test_batches_of_more_images_than_there_are_are_refused(
    batch_size, tmp_path
):
    opened = reader(several(tmp_path, wide=2, tall=0))
    for use in (
        lambda: opened.training_batch(0, batch_size),
        lambda: data.detection_dataset(opened, batch_size),
    ):
        with pytest.raises(ValueError, match="must be from 1 to 2"):
            use()


def test_the_dataset_gives_the_batches_from_a_step_on(tmp_path):
    dataset = drawn(tmp_path / "photos", mirrored=False)
    opened = reader(dataset, keypoints=True)
    batches = data.detection_dataset(opened, 1, start_step=5, steps=4)
    inputs, targets = batches.element_spec
    assert inputs["images"].shape.as_list() == [1, None, None, 3]
    assert targets["keypoints"].shape.as_list() == [1, None, 3, 3]
    assert batches.cardinality() == 4
    for step, found in enumerate(batches.as_numpy_iterator(), 5):
        assert_equal(found, opened.training_batch(step, 1))


def test_the_dataset_knows_shapes_that_are_fixed(tmp_path):
    opened = reader(several(tmp_path), size=(96, 128), max_objects=5)
    inputs, targets = data.detection_dataset(opened, 2).element_spec
    assert inputs["images"].shape == (2, 96, 128, 3)
    assert targets["masks"].shape == (2, 5, 112, 112)

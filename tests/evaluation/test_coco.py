"""AP by the rules of COCO, against pycocotools and against its definition."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools import coco as second_coco
from pycocotools import cocoeval as second_eval
from pycocotools import mask as second_mask

from nonlocal_keras import data
from nonlocal_keras.evaluation import CocoEvaluator
from tests.support import coco_files
from tests.support.coco_files import image
from tests.support.coco_files import thing

WORDS = {"boxes": "bbox", "masks": "segm", "keypoints": "keypoints"}


def read(folder, things, images=None, **options):
    images = images or [image(1)]
    return data.read_coco(*coco_files.write(folder, images, things, **options))


def crowded(folder, joints=17, seed=0):
    """Writes a data set of all sizes, with crowds and hidden joints."""
    random = np.random.default_rng(seed)
    categories = [
        {"id": i, "name": str(i), "keypoints": [str(j) for j in range(joints)]}
        for i in (3, 5, 90)
    ]
    images = [image(n, 240, 320) for n in range(1, 9)]
    things = []
    for number in range(1, 80):
        sides = random.integers(8, 150, 2)
        corner = random.integers(0, [320, 240] - sides)
        points = random.random((joints, 3)) * [*sides, 3] + [*corner, 0]
        points[:, 2] = np.floor(points[:, 2]) * (number % 7 > 0)
        shape = [[0.5, 0], [1, 0.4], [0.8, 1], [0, 0.6]] * sides + corner
        entry = thing(
            number,
            image_id=int(random.integers(1, 9)),
            bbox=(*corner.tolist(), *sides.tolist()),
            category_id=int(random.choice([3, 5, 90])),
            area=float(0.6 * sides.prod()),
            segmentation=[shape.ravel().tolist()],
            keypoints=points.ravel().tolist(),
            num_keypoints=int((points[:, 2] > 0).sum()),
            iscrowd=int(number % 10 == 0),
        )
        things.append(entry)
    coco_files.write(folder, images, things, categories, drawn=())
    dataset = data.read_coco(folder / "coco.json")
    assert not dataset.faults
    return dataset


def perfect(found, keep=slice(None)):
    """Returns the objects of an image as its detections, a batch of one."""
    masks = [found.mask(row) for row in range(len(found.labels))]
    shape = (-1, found.height, found.width)
    rows = {
        "boxes": found.boxes,
        "labels": found.labels,
        "confidence": np.ones(len(found.labels)),
        "masks": np.array(masks, bool).reshape(shape),
        "keypoints": found.keypoints,
    }
    return {key: value[keep][None] for key, value in rows.items()}


def shaken(found, random):
    """Returns detections of all degrees of truth, among them ties."""
    result = perfect(found)
    boxes = result["boxes"].astype(np.float64)
    sides = np.tile(boxes[..., 2:] - boxes[..., :2], 2)
    shift = random.normal(0, 0.1, boxes.shape) * sides
    turns = random.integers(-9, 9, (len(found.labels), 2))
    masks = [np.roll(m, t, (0, 1)) for m, t in zip(result["masks"][0], turns)]
    wrong = random.random(shift.shape[:2]) > 0.8
    noise = random.normal(0, 6, result["keypoints"].shape)
    return {
        "boxes": boxes + shift,
        "labels": (result["labels"] + wrong) % 3,
        "confidence": random.integers(1, 9, shift.shape[:2]) / 8,
        "masks": np.array(masks).reshape(result["masks"].shape),
        "keypoints": result["keypoints"] + noise,
    }


def by_pycocotools(path, dataset, detections, kind, sigmas=None):
    """Returns the evaluation of pycocotools of the same file and detections."""
    entries = []
    for found, batch in detections:
        for row in range(batch["labels"].shape[1]):
            item = {key: value[0, row] for key, value in batch.items()}
            x1, y1, x2, y2 = item["boxes"].tolist()
            mask = np.asfortranarray(item["masks"], np.uint8)
            entry = {
                "boxes": {"bbox": [x1, y1, x2 - x1, y2 - y1]},
                "masks": {"segmentation": second_mask.encode(mask)},
                "keypoints": {"keypoints": item["keypoints"].ravel().tolist()},
            }[kind]
            entry["image_id"] = found.id
            entry["category_id"] = dataset.category_ids[item["labels"]]
            entry["score"] = float(item["confidence"])
            entries.append(entry)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = second_coco.COCO(str(path))
        results = truth.loadRes(entries)
        evaluation = second_eval.COCOeval(truth, results, WORDS[kind])
        if sigmas:
            evaluation.params.kpt_oks_sigmas = np.array(sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


@pytest.mark.parametrize("kind", WORDS)
def test_the_numbers_are_those_of_pycocotools(kind, tmp_path):
    dataset = crowded(tmp_path)
    random = np.random.default_rng(1)
    detections = [(found, shaken(found, random)) for found in dataset.images]
    evaluator = CocoEvaluator(dataset, [kind])
    for found, batch in detections:
        evaluator.update([found], batch)
    numbers = list(evaluator.result().numbers[kind].values())
    path = tmp_path / "coco.json"
    second = by_pycocotools(path, dataset, detections, kind)
    # Means of the same numbers, summed in another order.
    np.testing.assert_allclose(numbers, second.stats, rtol=0, atol=1e-15)
    assert 0.05 < numbers[0] < 0.95
    by_class = evaluator.result().by_class[kind]
    for label, name in enumerate(dataset.class_names):
        # Of one class, all sizes, and the most detections.
        precision = second.eval["precision"][:, :, label, 0, -1]
        expected = {
            "AP": precision.mean(),
            "AP50": precision[0].mean(),
            "AP75": precision[5].mean(),
        }
        assert by_class[name] == pytest.approx(expected, abs=1e-15)
        assert 0.01 < by_class[name]["AP"] < 0.99


def test_other_joints_are_measured_by_their_sigmas(tmp_path):
    dataset = crowded(tmp_path, joints=5)
    with pytest.raises(ValueError, match="`sigmas` must be given.* 5 joints"):
        CocoEvaluator(dataset, ["keypoints"])
    sigmas = [0.02, 0.05, 0.1, 0.1, 0.1]
    random = np.random.default_rng(1)
    detections = [(found, shaken(found, random)) for found in dataset.images]
    evaluator = CocoEvaluator(dataset, ["keypoints"], sigmas=sigmas)
    for found, batch in detections:
        evaluator.update([found], batch)
    numbers = list(evaluator.result().numbers["keypoints"].values())
    path, kind = tmp_path / "coco.json", "keypoints"
    second = by_pycocotools(path, dataset, detections, kind, sigmas)
    np.testing.assert_allclose(numbers, second.stats, rtol=0, atol=1e-15)


def test_objects_as_their_own_detections_are_perfect(tmp_path):
    dataset = crowded(tmp_path)
    evaluator = CocoEvaluator(dataset, WORDS)
    for found in dataset.images:
        # Nobody is asked for a crowd, or for joints that are not labeled.
        labeled = (found.keypoints[..., 2] > 0).any(axis=1)
        evaluator.update([found], perfect(found, ~found.crowd & labeled))
    numbers = evaluator.result().numbers
    assert numbers["keypoints"]["AP"] == numbers["keypoints"]["AR"] == 1
    # Objects without joints were not found as boxes either.
    assert 0.8 < numbers["boxes"]["AR100"] == numbers["masks"]["AR100"] < 1


def test_boxes_and_masks_as_their_own_detections_are_perfect(tmp_path):
    dataset = crowded(tmp_path)
    evaluator = CocoEvaluator(dataset, ("boxes", "masks"))
    for found in dataset.images:
        evaluator.update([found], perfect(found, ~found.crowd))
    for numbers in evaluator.result().numbers.values():
        sizes = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")
        assert [numbers[name] for name in sizes] == [1] * 6
        assert numbers["AR1"] < numbers["AR10"] == numbers["AR100"] == 1


def test_results_may_be_asked_for_again(tmp_path):
    dataset = crowded(tmp_path)
    evaluator = CocoEvaluator(dataset, WORDS)
    random = np.random.default_rng(1)
    first, *others = dataset.images
    evaluator.update([first], shaken(first, random))
    before = evaluator.result()
    assert evaluator.result() == before
    for found in others:
        evaluator.update([found], shaken(found, random))
    assert evaluator.result().images == len(dataset.images)


def test_half_of_the_objects_found_is_half_of_the_recall(tmp_path):
    things = [thing(n, bbox=(10 * n, 0, 9, 9)) for n in range(4)]
    dataset = read(tmp_path, things)
    evaluator = CocoEvaluator(dataset)
    evaluator.update(dataset.images, perfect(dataset.images[0], slice(2)))
    numbers = evaluator.result().numbers["boxes"]
    assert numbers["AR100"] == 0.5
    # Precision is 1 at recalls of 0, 0.01, ... 0.5, and 0 above.
    assert numbers["AP"] == pytest.approx(51 / 101)


def test_what_there_is_none_of_has_no_number(tmp_path):
    dataset = read(tmp_path, [thing(1, bbox=(0, 0, 9, 9))])
    evaluator = CocoEvaluator(dataset)
    evaluator.update(dataset.images, perfect(dataset.images[0]))
    result = evaluator.result()
    assert result.numbers["boxes"]["AP_small"] == 1
    assert result.numbers["boxes"]["AP_large"] is None
    rows = {
        line.split()[0]: line.split()[-1] for line in str(result).split("\n")
    }
    assert rows["AP_small"] == "1.000" and rows["AP_large"] == "-"


def test_a_class_without_an_object_has_no_number(tmp_path):
    dataset = read(tmp_path, [thing(1)])
    evaluator = CocoEvaluator(dataset)
    evaluator.update(dataset.images, perfect(dataset.images[0]))
    result = evaluator.result()
    assert result.by_class["boxes"] == {
        "person": dict.fromkeys(("AP", "AP50", "AP75")),
        "kite": {"AP": 1, "AP50": 1, "AP75": 1},
    }
    rows = [line.split() for line in result.table_by_class().split("\n")]
    assert rows[1:] == [["person", *"---"], ["kite", *["1.000"] * 3]]


def test_nothing_found_is_zero_and_not_nothing(tmp_path):
    dataset = read(tmp_path, [thing(1)])
    evaluator = CocoEvaluator(dataset, ("boxes", "masks"))
    evaluator.update(dataset.images, perfect(dataset.images[0], slice(0)))
    numbers = evaluator.result().numbers
    assert numbers["boxes"]["AP"] == numbers["masks"]["AP"] == 0


def test_images_that_were_not_given_do_not_count(tmp_path):
    things = [thing(1), thing(2, image_id=2)]
    dataset = read(tmp_path, things, [image(1), image(2)])
    evaluator = CocoEvaluator(dataset)
    evaluator.update(dataset.images[1:], perfect(dataset.images[1]))
    result = evaluator.result()
    assert result.images == 1 and result.numbers["boxes"]["AP"] == 1


def test_a_padded_batch_counts_as_far_as_it_is_filled(tmp_path):
    things = [thing(1), thing(2, image_id=2), thing(3, 2, (0, 0, 5, 5))]
    dataset = read(tmp_path, things, [image(1), image(2)])
    boxes, labels = np.zeros((2, 3, 4)), np.full((2, 3), -1)
    for position, found in enumerate(dataset.images):
        boxes[position, : len(found.boxes)] = found.boxes
        labels[position, : len(found.boxes)] = found.labels
    batch = {"boxes": boxes, "labels": labels, "confidence": np.ones((2, 3))}
    with pytest.raises(ValueError, match="-1 to 1.*give `num_detections`"):
        CocoEvaluator(dataset).update(dataset.images, batch)
    evaluator = CocoEvaluator(dataset)
    batch["num_detections"] = np.array([1, 2])
    evaluator.update(dataset.images, batch)
    assert evaluator.result().numbers["boxes"]["AP"] == 1


def test_masks_may_be_probabilities(tmp_path):
    dataset = read(tmp_path, [thing(1)])
    batch = perfect(dataset.images[0])
    batch["masks"] = 0.3 + 0.4 * batch["masks"]
    evaluator = CocoEvaluator(dataset, ["masks"])
    evaluator.update(dataset.images, batch)
    assert evaluator.result().numbers["masks"]["AP"] == 1


def test_an_object_without_a_mask_is_neither_found_nor_missed(tmp_path):
    things = [thing(1, bbox=(0, 0, 9, 9)), thing(2, segmentation=[])]
    dataset = read(tmp_path, things)
    (found,) = dataset.images
    inner = np.zeros((2, 40, 60), bool)
    inner[0, :9, :9], inner[1, 10:30, 10:20] = True, True
    for rows in (1, 2):
        evaluator = CocoEvaluator(dataset, ["masks"])
        batch = {
            "masks": inner[None, :rows],
            "labels": found.labels[None, :rows],
            "confidence": np.array([[0.5, 0.9]])[:, :rows],
        }
        evaluator.update([found], batch)
        assert evaluator.result().numbers["masks"]["AP"] == 1


def test_classes_are_matched_by_their_names(tmp_path):
    dataset = read(tmp_path, [thing(1), thing(2, bbox=(0, 0, 9, 9))])
    (found,) = dataset.images
    names = ["background", "kite", "sheep"]
    evaluator = CocoEvaluator(dataset, class_names=names)
    batch = {
        "boxes": np.concatenate([found.boxes, found.boxes])[None],
        "labels": np.array([[1, 1, 2, 2]]),
        "confidence": np.array([[0.5, 0.5, 0.9, 0.9]]),
    }
    evaluator.update([found], batch)
    assert evaluator.result().numbers["boxes"]["AP"] == 1
    with pytest.raises(ValueError, match="must share names.*'person', 'kite'"):
        CocoEvaluator(dataset, class_names=["cat", "dog"])


def test_an_image_is_given_once(tmp_path):
    dataset = read(tmp_path, [thing(1)])
    evaluator = CocoEvaluator(dataset)
    evaluator.update(dataset.images, perfect(dataset.images[0]))
    with pytest.raises(ValueError, match="each given once. Received: image 1"):
        evaluator.update(dataset.images, perfect(dataset.images[0]))


def test_without_an_image_there_is_no_result(tmp_path):
    with pytest.raises(ValueError, match="Not one image was given"):
        CocoEvaluator(read(tmp_path, [thing(1)])).result()


@pytest.mark.parametrize(
    "kinds, message",
    [
        (["boxes", "faces"], "must be a tuple of boxes, masks, keypoints"),
        ("boxes", "must be a tuple of boxes, masks, keypoints"),
        (["masks"], "not one has a mask"),
        (["keypoints"], "no class has keypoints"),
    ],
)
def test_what_the_data_do_not_have_is_not_measured(kinds, message, tmp_path):
    dataset = read(tmp_path, [thing(1, segmentation=[])])
    with pytest.raises(ValueError, match=message):
        CocoEvaluator(dataset, kinds)


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("boxes", np.zeros((1, 1, 5)), r"\['boxes'\].*\(1, 4\).*\(1, 5\)"),
        ("masks", np.zeros((1, 1, 60, 40)), r"\(1, 40, 60\).*\(1, 60, 40\)"),
        ("confidence", np.ones((1, 2)), r"\['confidence'\].*\(1,\).*\(2,\)"),
        ("labels", np.array([[2]]), "must be from 0 to 1.*Received: 2 to 2"),
    ],
)
def test_arrays_of_wrong_form_are_refused(key, value, message, tmp_path):
    dataset = read(tmp_path, [thing(1)])
    batch = {**perfect(dataset.images[0]), key: value}
    with pytest.raises(ValueError, match=message):
        CocoEvaluator(dataset, ["boxes", "masks"]).update(dataset.images, batch)


def test_detections_that_are_no_numbers_are_an_error(tmp_path):
    dataset = read(tmp_path, [thing(1)])
    batch = perfect(dataset.images[0])
    batch["boxes"][0, 0, 0] = np.nan
    with pytest.raises(FloatingPointError, match="boxes.*must be finite"):
        CocoEvaluator(dataset).update(dataset.images, batch)


def test_an_array_that_is_missing_is_named(tmp_path):
    dataset = read(tmp_path, [thing(1)])
    batch = perfect(dataset.images[0])
    del batch["confidence"]
    with pytest.raises(ValueError, match="without confidence"):
        CocoEvaluator(dataset).update(dataset.images, batch)

"""`evaluate_detector`: what is measured of which model."""

import numpy as np
import pytest
from PIL import Image

from nonlocal_keras import data
from nonlocal_keras.evaluation import CocoEvaluator
from nonlocal_keras.evaluation import evaluate_detector
from nonlocal_keras.models import MaskRCNN
from tests.support import coco_files
from tests.support import detectors
from tests.support import small
from tests.support.coco_files import image
from tests.support.coco_files import thing

LABELS = ("background", "kite", "person")


@pytest.fixture(scope="module")
def model():
    return detectors.small(labels=LABELS)


@pytest.fixture(scope="module")
def perfect():
    return detectors.small(kind=Perfect)


@pytest.fixture
def dataset(tmp_path):
    """Photos of several sizes with objects of both classes."""
    images = [image(1), image(2, 50, 30), image(3, 30, 70)]
    entries = [
        thing(n, n % 3 + 1, (n, 2, 9 + n, 11), (1, 38)[n % 2])
        for n in range(1, 9)
    ]
    found = data.read_coco(*coco_files.write(tmp_path, images, entries))
    rng = np.random.default_rng(0)
    for photo in found.images:
        size = photo.height, photo.width, 3
        pixels = rng.integers(0, 256, size, "uint8")
        Image.fromarray(pixels).save(photo.path)
    return found


class Perfect(MaskRCNN):
    """Predicts the objects themselves, told by the first pixel."""

    def answer(self, dataset):
        self._answers = {
            tuple(pixels[0, 0]): found for found, pixels in dataset.readable()
        }
        self._names = dataset.class_names

    def predict(self, images, mask_threshold):
        photos = [self._answers[tuple(pixels[0, 0])] for pixels in images]
        names = self.labels or ("background", *self._names)
        most = max(len(photo.labels) for photo in photos)
        found = {
            "boxes": np.full((len(photos), most, 4), -1, "float32"),
            "labels": np.full((len(photos), most), -1, "int32"),
            "confidence": np.full((len(photos), most), -1, "float32"),
            "masks": [],
            "num_detections": [len(photo.labels) for photo in photos],
        }
        for row, photo in enumerate(photos):
            number = len(photo.labels)
            found["boxes"][row, :number] = photo.boxes
            found["confidence"][row, :number] = 1
            found["labels"][row, :number] = [
                names.index(self._names[label]) for label in photo.labels
            ]
            masks = np.array([photo.mask(n) for n in range(number)])
            found["masks"].append(masks > mask_threshold)
        return found


@pytest.mark.parametrize("labels", [LABELS, None])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_model_that_is_right_is_perfect(labels, batch_size, perfect, dataset):
    """The order of its classes is its own, if it names them."""
    perfect.labels = labels
    perfect.answer(dataset)
    result = evaluate_detector(
        perfect, dataset, ("boxes", "masks"), batch_size, progress=False
    )
    assert result.images == 3
    for kind in ("boxes", "masks"):
        assert result.numbers[kind]["AP"] == 1
        assert set(result.by_class[kind]) == {"person", "kite"}


def test_the_numbers_are_those_of_the_predictions(model, dataset):
    kinds = ("boxes", "masks")
    evaluator = CocoEvaluator(dataset, kinds, LABELS)
    for photo, pixels in dataset.readable():
        evaluator.update([photo], model.predict([pixels]))
    result = evaluate_detector(model, dataset, progress=False)
    assert result == evaluator.result()


def test_images_that_cannot_be_read_are_left_out_and_counted(perfect, dataset):
    dataset.images[1].path.write_bytes(b"")
    perfect.answer(dataset)
    result = evaluate_detector(perfect, dataset, ("boxes",), progress=False)
    assert result.images == 2
    (fault,) = dataset.faults
    # Though the test itself has read it, too.
    assert fault.done == "image skipped" and fault.count == 1
    assert list(dataset.skipped) == [dataset.images[1].id]


def test_what_is_measured_is_what_model_and_data_have(model, tmp_path):
    joints = [{"id": 1, "name": "person", "keypoints": ["left", "right"]}]
    files = coco_files.write(
        tmp_path,
        [image(1)],
        [thing(1, category_id=1, segmentation=[], keypoints=[9, 9, 2] * 2)],
        categories=joints,
    )
    found = data.read_coco(*files)
    result = evaluate_detector(model, found, sigmas=(0.1, 0.1), progress=False)
    assert list(result.numbers) == ["boxes", "keypoints"]
    with pytest.raises(ValueError, match="`sigmas` must be given"):
        evaluate_detector(model, found, progress=False)
    with pytest.raises(ValueError, match="not one has a mask"):
        evaluate_detector(model, found, ("masks",), progress=False)


def test_what_the_model_does_not_predict_is_refused(dataset):
    model = detectors.small(labels=LABELS, masks=False)
    with pytest.raises(ValueError, match="predicts, which is boxes, keypoints"):
        evaluate_detector(model, dataset, ("boxes", "masks"), progress=False)


def test_classes_of_another_number_need_names(perfect, tmp_path):
    categories = coco_files.CATEGORIES[1:]
    files = coco_files.write(
        tmp_path, [image(1)], [thing(1)], categories=categories
    )
    perfect.labels = None
    with pytest.raises(ValueError, match="set model.labels.*2 classes.*1 of"):
        evaluate_detector(perfect, data.read_coco(*files), progress=False)


def test_weights_that_are_no_numbers_are_an_error(dataset):
    model = detectors.small(labels=LABELS)
    weight = model.get_layer("mask_head").weights[0]
    weight.assign(weight * np.inf)
    with pytest.raises(FloatingPointError, match="diverged") as caught:
        evaluate_detector(model, dataset, progress=False)
    assert f"Received: {weight.path} with others" in str(caught.value)


def test_a_classifier_is_refused(dataset):
    with pytest.raises(ValueError, match="must be a .*MaskRCNN"):
        evaluate_detector(small.classifier(), dataset, progress=False)

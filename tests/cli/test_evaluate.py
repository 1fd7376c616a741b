"""`nonlocal-keras evaluate`: numbers, faults, and what it refuses."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from nonlocal_keras import evaluation
from nonlocal_keras.cli.main import main
from tests.support import coco_files
from tests.support import detectors
from tests.support import small
from tests.support.coco_files import image
from tests.support.coco_files import thing

CLASSIFIER = "nl_c2d_tiny_longrange"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model, and photos of which one is missing."""
    folder = tmp_path_factory.mktemp("evaluate")
    images = [image(1), image(2), image(3)]
    entries = [thing(1, 1), thing(2, 2, category_id=1), thing(3, 3)]
    coco_files.write(folder, images, entries, drawn=(1, 2))
    for number in (1, 2):
        rng = np.random.default_rng(number)
        pixels = rng.integers(0, 256, (40, 60, 3), "uint8")
        Image.fromarray(pixels).save(folder / "images" / f"00{number}.png")
    labels = ("background", "person", "kite")
    detectors.small(labels=labels).save(folder / "model.keras")
    return folder


@pytest.fixture(autouse=True)
def eagerly():
    """Without traces, which take longer than a few images."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def run(capsys, folder, *argv, model="model.keras"):
    model = str(folder / model) if model.endswith(".keras") else model
    status = main(
        [
            "evaluate",
            *("--model", model),
            *("--annotations", str(folder / "coco.json")),
            *("--images", str(folder / "images")),
            *argv,
        ]
    )
    out, err = capsys.readouterr()
    return status, out, err


def test_prints_the_numbers_and_the_faults(capsys, folder, monkeypatch):
    results = []

    def measured(*args, **options):
        results.append(evaluate_detector(*args, **options))
        return results[0]

    evaluate_detector = evaluation.evaluate_detector
    monkeypatch.setattr(evaluation, "evaluate_detector", measured)
    status, out, _ = run(capsys, folder, "--by-class")
    assert status == 0
    numbers, classes, faults = out.split("\n\n")
    assert numbers == str(results[0])
    assert numbers.splitlines()[0].split() == ["2", "images", "boxes", "masks"]
    assert classes == results[0].table_by_class()
    assert "coco.json and its images:" in faults
    assert "1  image skipped  image file is missing  image 3" in faults


def test_measures_what_is_asked_for(capsys, folder, monkeypatch):
    given = []

    def measured(model, dataset, *args, **options):
        given.extend(args)
        return evaluation.coco_result.CocoResult({"masks": {}}, 2, {})

    monkeypatch.setattr(evaluation, "evaluate_detector", measured)
    flags = ("--kinds", "masks", "--batch-size", "2", "--sigmas", "0.1", "1")
    status, out, _ = run(capsys, folder, *flags)
    assert status == 0 and given == [["masks"], 2, [0.1, 1.0]]
    assert out.splitlines()[0].split() == ["2", "images", "masks"]


@pytest.mark.parametrize(
    "argv, words",
    [
        (["--kinds", "keypoints"], "no class has keypoints"),
        (["--annotations", "gone.json"], "not a readable file of annotations"),
        (["--images", "gone"], "no image can be used: image file is missing"),
        (["--sha256", "0"], "`--sha256` is for a name of the zoo"),
        (["--model", CLASSIFIER], "is measured by train.py"),
    ],
)
def test_what_cannot_be_measured_is_one_line(capsys, folder, argv, words):
    status, out, err = run(capsys, folder, *argv)
    assert status == 1 and not out
    assert words in err and len(err.splitlines()) == 1


def test_a_classifier_of_videos_is_sent_to_its_own_test(capsys, folder):
    small.classifier().save(folder / "classifier.keras")
    status, _, err = run(capsys, folder, model="classifier.keras")
    assert status == 1
    assert "must be a detector" in err and "train.py" in err


def test_weights_that_are_no_numbers_are_one_line(capsys, folder):
    model = detectors.small(labels=("background", "person", "kite"))
    weight = model.get_layer("rpn").weights[0]
    weight.assign(weight * np.nan)
    model.save(folder / "diverged.keras")
    status, _, err = run(capsys, folder, model="diverged.keras")
    assert status == 1 and len(err.splitlines()) == 1
    assert "diverged.keras is damaged: the weights of a model must be" in err


@pytest.mark.parametrize("kinds", [[], ["boxes", "colors"]])
def test_other_kinds_are_usage_errors(capsys, folder, kinds):
    assert run(capsys, folder, "--kinds", *kinds)[0] == 2

"""Where the images of a run are found, and what is refused."""

import dataclasses

import pytest

from nonlocal_keras import data
from nonlocal_keras.training import experiments
from nonlocal_keras.training.detection import inputs
from nonlocal_keras.training.detection.contents import describe
from tests.support import coco_files

RECIPE = experiments.get_experiment("longrange_shapes").override(
    {"render_sizes": ()}
)


def write(root, split, form, kind="instances", **options):
    """Writes a photo of one object where one of the forms has it."""
    folder = root / split
    folder.mkdir(parents=True)
    images, things = [coco_files.image(1)], [coco_files.thing(1)]
    file, photos = coco_files.write(folder, images, things, **options)
    if form == "coco":
        (root / "annotations").mkdir(exist_ok=True)
        file.rename(root / "annotations" / f"{kind}_{split}.json")
        for photo in photos.iterdir():
            photo.rename(folder / photo.name)
    else:
        file.rename(folder / "annotations.json")


@pytest.mark.parametrize(
    "form, names",
    [("coco", ("train2017", "val2017")), ("folders", ("train", "val"))],
)
def test_both_forms_of_folders_are_found(tmp_path, form, names):
    for name in names:
        write(tmp_path, name, form)
    lines = []
    train, val, test = inputs.open_data(RECIPE, tmp_path, lines.append)
    assert train.class_names == ("background", "person", "kite")
    for split, name in ((train, names[0]), (val, names[1])):
        assert split.dataset.images[0].path.is_file()
        assert name in str(split.dataset.images[0].path)
    assert test is val
    assert "| train | 1 | 1 | 0 | 0 |" in lines[0]


def test_joints_come_from_the_file_of_persons(tmp_path):
    for kind in ("instances", "person_keypoints"):
        for split in ("train", "val"):
            write(tmp_path / kind, split, "coco", kind)
            path = f"annotations/{kind}_{split}.json"
            target = tmp_path / "both" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / kind / path).rename(target)
            (tmp_path / "both" / split).mkdir(exist_ok=True)
    for keypoints, name in ((True, "person_keypoints"), (False, "instances")):
        found = inputs.find_splits(tmp_path / "both", keypoints)
        assert found["train"][0].name == f"{name}_train.json"


def test_a_folder_without_validation_is_refused_with_the_form(tmp_path):
    write(tmp_path, "train", "folders")
    with pytest.raises(ValueError, match="`data` must hold.*without val$"):
        inputs.open_data(RECIPE, tmp_path)


def test_no_folder_is_refused():
    with pytest.raises(ValueError, match="`data` must name.*--data=FOLDER"):
        inputs.open_data(RECIPE)


def test_other_classes_in_the_validation_are_refused(tmp_path):
    write(tmp_path, "train", "folders")
    others = [{"id": 38, "name": "kite"}, {"id": 40, "name": "bat"}]
    write(tmp_path, "val", "folders", categories=others)
    words = "same classes.*of one alone are .'bat', 'person'"
    with pytest.raises(ValueError, match=words):
        inputs.open_data(RECIPE, tmp_path)


def test_the_numbers_of_categories_may_be_the_labels(tmp_path):
    for split in ("train", "val"):
        write(tmp_path, split, "folders")
    recipe = dataclasses.replace(RECIPE, labels="category_id")
    train, _, _ = inputs.open_data(recipe, tmp_path)
    assert len(train.class_names) == 39
    assert train.class_names[1] == "person" and train.class_names[38] == "kite"


def test_moved_files_are_the_same_and_a_moved_box_is_not(tmp_path):
    def described(name, **changes):
        folder = tmp_path / name
        folder.mkdir()
        thing = coco_files.thing(1, **changes)
        paths = coco_files.write(folder, [coco_files.image(1)], [thing])
        return describe(data.read_coco(*paths))

    first = described("a")
    assert first == described("b") and first["kite"][0] == 1
    assert first != described("c", bbox=(8, 4, 16, 31))

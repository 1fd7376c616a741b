"""Which videos of a folder train, validate and test."""

import pytest

from nonlocal_keras.data import groups
from nonlocal_keras.data import splits
from nonlocal_keras.data.labels import Row
from tests.support import videos


def opened(root, seed=1):
    return splits.open_splits(root, seed)[0]


def names(split):
    return [path.split("/")[-1] for path in split.videos.paths]


def two_classes(*folders):
    return [f"{f}/{c}/{f}_{c}.mp4" for f in folders for c in ("run", "walk")]


def test_folders_of_class_folders_are_the_splits(tmp_path):
    videos.touch(tmp_path, *two_classes("train", "val", "test"))
    found = opened(tmp_path)
    assert names(found["train"]) == ["train_run.mp4", "train_walk.mp4"]
    assert names(found["test"]) == ["test_run.mp4", "test_walk.mp4"]
    assert found["val"].source == str(tmp_path / "val")


def test_other_names_of_the_splits_are_known(tmp_path):
    videos.touch(tmp_path, *two_classes("Training", "validation"))
    assert names(opened(tmp_path)["val"])[0] == "validation_run.mp4"


def test_without_test_the_validation_videos_are_the_test(tmp_path):
    videos.touch(tmp_path, *two_classes("train", "val"))
    found = opened(tmp_path)
    assert found["test"] is found["val"]


def test_without_val_the_test_videos_validate(tmp_path):
    videos.touch(tmp_path, *two_classes("train", "test"))
    found = opened(tmp_path)
    assert found["val"] is found["test"]


@pytest.mark.parametrize("folders", [("train",), ("val",), ("test", "val")])
def test_splits_without_train_or_without_another_are_refused(folders, tmp_path):
    videos.touch(tmp_path, *two_classes(*folders))
    with pytest.raises(ValueError, match="must hold train and val"):
        opened(tmp_path)


def test_two_folders_of_one_split_are_refused(tmp_path):
    videos.touch(tmp_path, *two_classes("train", "val", "validation"))
    with pytest.raises(ValueError, match="one of val and validation"):
        opened(tmp_path)


def test_a_list_counts_before_the_folder_that_holds_its_files(tmp_path):
    videos.touch(tmp_path, *two_classes("train", "val"))
    text = "train/run/train_run.mp4,a\ntrain/walk/train_walk.mp4,b\n"
    (tmp_path / "train.txt").write_text(text)
    (tmp_path / "val.csv").write_text("val/run/val_run.mp4,b\n")
    found = opened(tmp_path)
    assert found["train"].videos.classes == ("a", "b")
    assert found["val"].videos.labels == (1,)


def test_numbers_do_not_index_the_names_of_another_split(tmp_path):
    videos.touch(tmp_path, *two_classes("train"), "a.mp4")
    (tmp_path / "val.csv").write_text("a.mp4,1\n")
    with pytest.raises(ValueError, match="without '1', line 1"):
        opened(tmp_path)


def test_one_list_with_a_column_split_is_enough(tmp_path):
    videos.touch(tmp_path, "run/a.avi", "run/b.avi", "walk/c.avi")
    text = "path,label,set,split\nrun/a.avi,run,1,train\n"
    text += "run/b.avi,run,1,test\nwalk/c.avi,walk,2,train\n"
    (tmp_path / "splits.csv").write_text(text)
    for source in (tmp_path, tmp_path / "splits.csv"):
        found = opened(source)
        assert names(found["train"]) == ["a.avi", "c.avi"]
        assert names(found["val"]) == ["b.avi"]


def test_a_list_without_the_column_split_is_refused(tmp_path):
    videos.touch(tmp_path, "a.avi")
    (tmp_path / "splits.csv").write_text("path,label\na.avi,run\n")
    with pytest.raises(ValueError, match="column split"):
        opened(tmp_path / "splits.csv")


def test_lines_of_another_split_in_a_list_are_refused(tmp_path):
    videos.touch(tmp_path, "a.avi", "b.avi", *two_classes("val"))
    text = "path,label,split\na.avi,run,train\nb.avi,walk,test\n"
    (tmp_path / "train.csv").write_text(text)
    with pytest.raises(ValueError, match="must say 'train'.*line 3, 'test'"):
        opened(tmp_path)


def test_a_single_class_is_refused(tmp_path):
    videos.touch(tmp_path, "train/all/run/a.mp4", "val/all/walk/b.mp4")
    with pytest.raises(ValueError, match="two classes.*'all' alone"):
        opened(tmp_path)


def test_the_same_list_as_train_and_val_is_refused(tmp_path):
    videos.touch(tmp_path, "a.mp4", "b.mp4")
    for name in ("train.csv", "val.csv"):
        (tmp_path / name).write_text("a.mp4,run\nb.mp4,walk\n")
    words = "in train and in val. Received: 2 of 2.*a.mp4, .*b.mp4"
    with pytest.raises(ValueError, match=words):
        opened(tmp_path)


def test_a_link_from_test_into_train_is_refused(tmp_path):
    videos.touch(tmp_path, *two_classes("train", "val", "test"))
    link = tmp_path / "test" / "run" / "other.mp4"
    link.symlink_to(tmp_path / "train" / "run" / "train_run.mp4")
    words = "in train and in test. Received: 1 of 3.*other.mp4"
    with pytest.raises(ValueError, match=words):
        opened(tmp_path)


def test_a_folder_of_other_lists_says_which_names_are_wanted(tmp_path):
    (tmp_path / "kinetics_val.csv").write_text("a.mp4,run\n")
    words = "lists train.csv and val.csv.*which holds kinetics_val.csv"
    with pytest.raises(ValueError, match=words):
        opened(tmp_path)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`data`.*does not exist"):
        opened(tmp_path / "gone")


# === Class folders without splits ===


def sequences(root, classes=("hug", "kick"), number=8):
    videos.touch(
        root,
        *(
            f"{c}/set1_seq{s:02d}_{3 * s + i:03d}_{c}.avi"
            for i, c in enumerate(classes)
            for s in range(number)
        ),
    )


def sequence(path):
    return path.split("/")[-1][:10]


def test_of_class_folders_whole_sources_are_held_out(tmp_path):
    sequences(tmp_path)
    found, note = splits.open_splits(tmp_path, 1)
    train = {sequence(p) for p in found["train"].videos.paths}
    val = {sequence(p) for p in found["val"].videos.paths}
    assert len(train) == 6 and len(val) == 2 and not train & val
    assert "2 of 8 sources are held out" in note and "'set1_seq0" in note
    assert "splits.csv" in note and "seed 1" in note


def test_names_that_are_no_text_are_divided(tmp_path):
    sequences(tmp_path)
    file = tmp_path / "hug" / "set1_seq00_000_hug.avi"
    file.rename(file.with_name("set1_seq00_\udce9_0.avi"))
    assert len(opened(tmp_path)["val"].videos) >= 4


def test_the_place_does_not_decide_which(tmp_path):
    held = []
    for root in (tmp_path / "here", tmp_path / "there"):
        sequences(root)
        held.append(names(opened(root)["val"]))
    assert held[0] == held[1]


def test_another_seed_holds_others_out(tmp_path):
    sequences(tmp_path)
    held = {tuple(names(opened(tmp_path, s)["val"])) for s in range(4)}
    assert len(held) > 1


def test_files_whose_names_tell_no_source_go_one_by_one(tmp_path):
    videos.touch(tmp_path, *(f"{c}/{i}.mp4" for c in "ab" for i in range(8)))
    found, note = splits.open_splits(tmp_path, 1)
    labels = found["val"].videos.labels
    assert sorted(labels) == [0, 0, 1, 1]
    assert "names tell no sources" in note


def test_a_class_of_one_source_gives_none_away(tmp_path):
    sequences(tmp_path)
    videos.touch(tmp_path, "jump/x_1.avi", "jump/x_2.avi")
    found = opened(tmp_path)
    assert found["train"].videos.labels.count(1) == 2


def test_classes_of_one_video_cannot_be_divided(tmp_path):
    videos.touch(tmp_path, "a/1.mp4", "b/1.mp4")
    with pytest.raises(ValueError, match="no video can be held out"):
        opened(tmp_path)


@pytest.mark.parametrize(
    "path, label, source",
    [
        ("hug/set1_seq07_035_hug.avi", "hug", "set1_seq07_"),
        ("Hug/v_Hug_g08_c01.avi", "Hug", "v__g08_c"),
        ("walk/daria_walk.avi", "walk", "daria_"),
        ("walk/lena_walk2.avi", "walk", "lena_"),
        ("run/person01_running_d1.avi", "run", "person01_running_d"),
        ("run/f7Z6BmBkcq4_000006_000016.mp4", "run", "f7Z6BmBkcq4"),
        ("run/anna/cam1/3.mp4", "run", "anna/cam1/"),
        ("a/a_cat.mp4", "a", "_cat"),
    ],
)
def test_the_source_of_a_video_is_in_its_name(path, label, source):
    assert groups.source_of(Row(path, label)) == source


def test_what_validates_is_no_test_where_it_decides(tmp_path):
    sequences(tmp_path, number=12)
    found, note = splits.open_splits(tmp_path, seed=1, separate=True)
    sides = {
        name: {path.split("_")[1] for path in names(found[name])}
        for name in found
    }
    # Videos of one sequence are on one side, in all three.
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        assert not sides[one] & sides[other]
    assert len(set().union(*sides.values())) == 12
    both, _ = splits.open_splits(tmp_path, seed=1)
    assert names(both["test"]) == names(found["test"])
    assert "For validation, which decides when the training ends" in note


def test_given_validation_and_test_stay_as_they_are(tmp_path):
    videos.touch(tmp_path, *two_classes("train", "val", "test"))
    ours, _ = splits.open_splits(tmp_path, seed=1, separate=True)
    theirs, _ = splits.open_splits(tmp_path, seed=1)
    for name in theirs:
        assert names(ours[name]) == names(theirs[name])


def test_a_validation_that_nothing_is_left_for_is_refused(tmp_path):
    videos.touch(tmp_path, *two_classes("train", "val"))
    with pytest.raises(ValueError, match="to validate with besides the test"):
        splits.open_splits(tmp_path, seed=1, separate=True)

import pytest

from nonlocal_keras import data


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_class_folders_become_labels_in_sorted_order(tmp_path):
    touch(tmp_path, "walk/2.mp4", "run/1.webm", "walk/1.MP4", "walk/notes.txt")
    listed = data.list_videos(tmp_path)
    assert listed.classes == ("run", "walk")
    assert listed.labels == (0, 1, 1)
    assert [p.split("/")[-1] for p in listed.paths] == [
        "1.webm",
        "1.MP4",
        "2.mp4",
    ]


def test_classes_of_the_training_split_fix_the_labels(tmp_path):
    touch(tmp_path, "walk/1.mp4")
    listed = data.list_videos(tmp_path, classes=("jump", "run", "walk"))
    assert listed.labels == (2,)


def test_an_unknown_class_is_refused(tmp_path):
    touch(tmp_path, "swim/1.mp4")
    with pytest.raises(ValueError, match="`classes`.*without.*swim"):
        data.list_videos(tmp_path, classes=("run", "walk"))


def test_a_csv_of_names_starts_at_its_own_folder(tmp_path):
    file = tmp_path / "train.csv"
    file.write_text("path,label\nvideos/b.mp4,walk\nvideos/a b.mp4,run\n")
    listed = data.list_videos(file)
    assert listed.paths == (
        str(tmp_path / "videos/a b.mp4"),
        str(tmp_path / "videos/b.mp4"),
    )
    assert [listed.classes[i] for i in listed.labels] == ["run", "walk"]


def test_a_csv_with_blanks_and_integers_keeps_the_integers(tmp_path):
    file = tmp_path / "val.csv"
    file.write_text("a.mp4 3\nb.mp4 0\n")
    listed = data.list_videos(file)
    assert listed.labels == (3, 0)
    assert listed.classes == ("0", "1", "2", "3")


def test_integer_labels_index_given_classes(tmp_path):
    file = tmp_path / "val.csv"
    file.write_text("a.mp4 1\n")
    assert data.list_videos(file, classes=("run", "walk")).labels == (1,)


def test_a_csv_line_without_a_label_is_named(tmp_path):
    file = tmp_path / "val.csv"
    file.write_text("a.mp4,run\nb.mp4\n")
    with pytest.raises(ValueError, match="path and a label.*line 2.*b.mp4"):
        data.list_videos(file)


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="must hold videos.*which has none"):
        data.list_videos(tmp_path)


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        data.list_videos(tmp_path / "gone")

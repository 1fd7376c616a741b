import pytest

from nonlocal_keras import data
from tests.support import videos


def write(root, text, name="train.csv", files=("a.mp4", "b.mp4", "c.mp4")):
    videos.touch(root, *files)
    (root / name).write_text(text, encoding="utf-8")
    return root / name


def listed(*args, **options):
    found = data.list_videos(write(*args), **options)
    names = [path.split("/")[-1] for path in found.paths]
    return found.classes, dict(zip(names, found.labels))


def test_paths_start_at_the_folder_of_the_list(tmp_path):
    file = write(tmp_path, "x/b.mp4,walk\na b.mp4,run\n", "l.csv", ("x/b.mp4",))
    videos.touch(tmp_path, "a b.mp4")
    found = data.list_videos(file)
    assert found.paths == (str(tmp_path / "a b.mp4"), str(tmp_path / "x/b.mp4"))
    assert [found.classes[i] for i in found.labels] == ["run", "walk"]


def test_paths_written_on_windows_are_found(tmp_path):
    file = write(tmp_path, "x\\b.mp4,walk\n", "l.csv", ("x/b.mp4",))
    assert data.list_videos(file).paths == (str(tmp_path / "x/b.mp4"),)


def test_integers_number_the_classes_whatever_the_file(tmp_path):
    text = "\ufeffpath,label\r\na.mp4,0\r\nb.mp4,10\r\nc.mp4,2\r\n"
    classes, labels = listed(tmp_path, text)
    assert classes == tuple(map(str, range(11)))
    assert labels == {"a.mp4": 0, "b.mp4": 10, "c.mp4": 2}


def test_leading_zeros_change_no_integer(tmp_path):
    classes, labels = listed(tmp_path, "a.mp4 007\nb.mp4 7\nc.mp4 00\n")
    assert len(classes) == 8
    assert labels == {"a.mp4": 7, "b.mp4": 7, "c.mp4": 0}


def test_classes_without_a_video_are_counted(tmp_path, caplog):
    listed(tmp_path, "a.mp4 3\nb.mp4 0\n")
    assert "2 of 4 classes have no video" in caplog.text


@pytest.mark.parametrize(
    "label, words",
    [
        ("20230101", "with few gaps.*line 3.*label 20230101"),
        ("-1", "integers from 0.*line 3.*label '-1'"),
        ("²", "integers from 0.*line 3.*label '²'"),
        ("٣", "integers from 0.*line 3.*label '٣'"),
        ("1.0", "integers from 0.*line 3.*label '1.0'"),
        ("1e3", "integers from 0.*line 3.*label '1e3'"),
        ("walk", "integers from 0.*line 3.*label 'walk'"),
    ],
)
def test_a_label_that_is_no_index_among_integers_is_named(
    label, words, tmp_path
):
    text = f"a.mp4,0\nb.mp4,1\nc.mp4,{label}\n"
    with pytest.raises(ValueError, match=words):
        listed(tmp_path, text)


def test_an_integer_among_names_is_named(tmp_path):
    with pytest.raises(ValueError, match="line 2.*'1'.*of which 1 are"):
        listed(tmp_path, "a.mp4,run\nb.mp4,1\nc.mp4,walk\n")


def test_names_with_digits_are_names(tmp_path):
    classes, _ = listed(tmp_path, "a.mp4,100 m\nb.mp4,3d\nc.mp4,v2.0\n")
    assert classes == ("100 m", "3d", "v2.0")


def test_given_classes_fix_the_labels(tmp_path):
    _, labels = listed(tmp_path, "a.mp4,walk\n", classes=("run", "walk"))
    assert labels == {"a.mp4": 1}


def test_integers_are_indices_into_given_classes(tmp_path):
    _, labels = listed(tmp_path, "a.mp4 1\n", classes=("run", "walk"))
    assert labels == {"a.mp4": 1}


def test_numbers_that_name_given_classes_are_names(tmp_path):
    _, labels = listed(tmp_path, "a.mp4 2\n", classes=("1", "2", "3"))
    assert labels == {"a.mp4": 1}


def test_an_unknown_class_is_refused_by_line_and_near_ones_suggested(tmp_path):
    words = "without 'runs', line 2. Did you mean .'run'"
    with pytest.raises(ValueError, match=words):
        listed(tmp_path, "a.mp4,run\nb.mp4,runs\n", classes=("run", "walk"))


def test_missing_files_are_counted_named_and_left_out(tmp_path, caplog):
    text = "a.mp4,run\ngone/1.mp4,run\ngone/2.mp4,walk\n"
    found = data.list_videos(write(tmp_path, text))
    assert len(found) == 1 and found.classes == ("run", "walk")
    assert [path.split("/")[-1] for path in found.missing] == ["1.mp4", "2.mp4"]
    assert "2 of 3 listed files are missing" in caplog.text
    assert "gone/1.mp4" in caplog.text


def test_a_list_without_one_file_that_exists_is_an_error(tmp_path):
    words = "starts at the folder.*whose 2 files not one exists.*x/1.mp4"
    with pytest.raises(ValueError, match=words):
        listed(tmp_path, "x/1.mp4,run\nx/2.mp4,walk\n")


def test_a_folder_where_a_file_should_be_is_said(tmp_path, caplog):
    (tmp_path / "b").mkdir()
    listed(tmp_path, "path,label\na.mp4,run\nb,run\n")
    assert "b', a folder and no video" in caplog.text


def test_a_video_under_two_labels_is_an_error(tmp_path):
    words = "one label.*'walk' .line 3.*'run' .line 1"
    with pytest.raises(ValueError, match=words):
        listed(tmp_path, "a.mp4,run\nb.mp4,run\n./a.mp4,walk\n")


def test_a_link_to_a_video_of_another_label_is_an_error(tmp_path):
    file = write(tmp_path, "a.mp4,run\nlink.mp4,walk\n")
    (tmp_path / "link.mp4").symlink_to("a.mp4")
    with pytest.raises(ValueError, match="must have one label"):
        data.list_videos(file)


def test_a_video_listed_twice_counts_twice_and_is_said(tmp_path, caplog):
    found = data.list_videos(write(tmp_path, "a.mp4,run\na.mp4,run\n"))
    assert len(found) == 2
    assert "1 videos are listed again and count again" in caplog.text


def test_lines_of_one_split_are_taken(tmp_path):
    text = "path,label,split\na.mp4,run,train\nb.mp4,walk,val\n"
    file = write(tmp_path, text)
    assert len(data.list_videos(file)) == 2
    assert data.list_videos(file, split="val").classes == ("walk",)
    with pytest.raises(ValueError, match="`split` must be a value.*'test'"):
        data.list_videos(file, split="test")


def test_a_list_without_a_line_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="must hold videos.*has none"):
        listed(tmp_path, "# nothing\n")

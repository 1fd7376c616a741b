import av
import pytest

from nonlocal_keras import data
from nonlocal_keras.data import folders
from tests.support import videos


def names(listed):
    return [path.split("/")[-1] for path in listed.paths]


def test_class_folders_become_labels_in_sorted_order(tmp_path):
    videos.touch(
        tmp_path, "walk/2.mp4", "run/1.webm", "walk/1.MP4", "walk/notes.txt"
    )
    listed = data.list_videos(tmp_path)
    assert listed.classes == ("run", "walk")
    assert listed.labels == (0, 1, 1)
    assert names(listed) == ["1.webm", "1.MP4", "2.mp4"]


@pytest.mark.parametrize(
    "suffix",
    "mpg wmv flv gif 3gp ts MTS m2ts ogv mpeg vob asf mxf divx".split(),
)
def test_videos_of_every_suffix_are_listed(suffix, tmp_path):
    videos.touch(tmp_path, f"run/a.{suffix}")
    assert len(data.list_videos(tmp_path)) == 1


def test_every_suffix_of_a_video_format_of_pyav_is_known():
    """Formats by name, since PyAV does not tell sound from pictures."""
    formats = (
        "avi matroska mov flv mpeg mpegts asf gif nut mxf dv h264 hevc vvc "
        "yuv4mpegpipe ivf m4v mjpeg ipu ivr kux"
    ).split()
    sound_and_pictures = set(
        "avif heic heif ism isma m4a m4b mka mks mpo dat cif".split()
    )
    missing = set()
    for name in formats:
        suffixes = av.ContainerFormat(name, "r").extensions
        missing |= {
            suffix
            for suffix in suffixes - sound_and_pictures
            if not folders.is_video_name(f"a.{suffix}")
        }
    assert not missing


def test_files_of_folders_below_a_class_are_of_that_class(tmp_path):
    videos.touch(tmp_path, "run/group 1/b.mp4", "run/a.mp4", "walk/x/y/c.avi")
    listed = data.list_videos(tmp_path)
    assert listed.classes == ("run", "walk")
    assert sorted(names(listed)) == ["a.mp4", "b.mp4", "c.avi"]


def test_hidden_folders_and_files_are_no_classes_and_no_videos(tmp_path):
    videos.touch(
        tmp_path,
        "run/a.mp4",
        "run/._a.mp4",
        "run/.cache/a.mp4",
        ".cache/b.mp4",
        ".ipynb_checkpoints/c.mp4",
        "__MACOSX/run/d.mp4",
    )
    listed = data.list_videos(tmp_path)
    assert listed.classes == ("run",) and names(listed) == ["a.mp4"]


def test_a_class_folder_without_a_video_is_an_error_that_names_it(tmp_path):
    videos.touch(tmp_path, "run/a.mp4", "notes/1.txt", "notes/2.txt", "notes/b")
    with pytest.raises(ValueError, match="notes' with 3 files.*2 .txt, 1 with"):
        data.list_videos(tmp_path)


def test_an_empty_class_folder_is_said(tmp_path, caplog):
    videos.touch(tmp_path, "run/a.mp4")
    (tmp_path / "jump").mkdir()
    assert data.list_videos(tmp_path).classes == ("run",)
    assert "1 class folders are empty and make no class: jump" in caplog.text


def test_files_left_out_are_counted_and_said_once(tmp_path, caplog):
    videos.touch(tmp_path, "run/a.mp4", "run/a.xml", "walk/b.mp4", "walk/b.xml")
    data.list_videos(tmp_path)
    (record,) = caplog.records
    assert "left out 2 files" in record.message and "2 .xml" in record.message


def test_a_class_of_few_videos_among_other_files_is_said(tmp_path, caplog):
    videos.touch(tmp_path, "run/a.mp4", "run/b.xyz", "run/c.xyz")
    data.list_videos(tmp_path)
    assert "run: only 1 of 3 files are videos" in caplog.text


def test_videos_beside_the_class_folders_are_said(tmp_path, caplog):
    videos.touch(tmp_path, "run/a.mp4", "b.mp4", "c.mp4")
    assert names(data.list_videos(tmp_path)) == ["a.mp4"]
    assert "2 videos that lie in no class folder, e.g. b.mp4" in caplog.text


def test_a_linked_class_folder_is_read_and_a_loop_ends(tmp_path):
    videos.touch(tmp_path, "else/run/a.mp4")
    root = tmp_path / "root"
    root.mkdir()
    (root / "run").symlink_to(tmp_path / "else" / "run")
    (root / "run" / "again").symlink_to(root / "run")
    assert names(data.list_videos(root)) == ["a.mp4"]


def test_folders_named_by_numbers_are_sorted_as_numbers(tmp_path):
    videos.touch(tmp_path, "10/a.mp4", "9/a.mp4", "100/a.mp4")
    assert data.list_videos(tmp_path).classes == ("9", "10", "100")


def test_a_file_linked_into_two_classes_is_an_error(tmp_path):
    videos.touch(tmp_path, "run/a.mp4", "walk/b.mp4")
    (tmp_path / "walk" / "c.mp4").symlink_to(tmp_path / "run" / "a.mp4")
    with pytest.raises(ValueError, match="one label.*c.mp4.*walk"):
        data.list_videos(tmp_path)


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="must hold videos.*which has none"):
        data.list_videos(tmp_path)


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        data.list_videos(tmp_path / "gone")

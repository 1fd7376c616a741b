"""Class names for an export, from files as people save them."""

import pytest

from nonlocal_keras import export
from nonlocal_keras.export import labels

NAMES = ("left", "rechts", "naïve 走る")
TEXT = "\n".join(NAMES)


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        (TEXT + "\n").encode(),
        (TEXT + "\n\n \n").encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("utf-16"),
        TEXT.replace("\n", "\r\n").encode("utf-16-be"),
        TEXT.replace("\n", "\r").encode(),
        (TEXT.replace("\n", " \r\n") + "\r\n").encode("utf-8-sig"),
    ],
    ids=lambda data: data[:8].hex(),
)
def test_a_file_as_any_editor_saves_it_gives_the_names(tmp_path, data):
    path = tmp_path / "labels.txt"
    path.write_bytes(data)
    assert labels.read(path) == NAMES


def test_an_empty_line_between_others_is_named(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("a\n\nb\n")
    with pytest.raises(export.ExportError, match=r"in every line.*line 2 is"):
        labels.read(path)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("missing.txt", "No such file"),
        ("folder", "Is a directory"),
        ("bytes", "it holds no text"),
        ("x" * 5000, "File name too long"),
    ],
)
def test_what_is_no_text_file_is_named(tmp_path, name, reason):
    (tmp_path / "folder").mkdir()
    (tmp_path / "bytes").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    with pytest.raises(
        export.ExportError, match=rf"`--labels` must be a text file.*{reason}"
    ):
        labels.read(tmp_path / name)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("abc", "`labels` must be a sequence of names, not one text.*'abc'"),
        (["a", "b"], "`labels` must hold 3 names, one per class.*: 2"),
        (["a", "b", "c\nd"], r"without line breaks.*'c\\nd' for class 2"),
        (["a", "\x1b[31m", "c"], r"printable text.*'\\x1b\[31m' for class 1"),
        (["a", "b", ""], "printable text.*'' for class 2"),
        (["a", None, "c"], "printable text.*None for class 1"),
        (["a", "b", "a"], "`labels` must differ.*'a' 2 times"),
    ],
)
def test_names_that_clients_could_not_read_are_refused(given, words):
    with pytest.raises(export.ExportError, match=words):
        labels.check(given, 3)

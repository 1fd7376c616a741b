"""The command `nonlocal-keras plot`."""

import resource

import pytest

from nonlocal_keras.cli.main import main
from tests.support import runs


@pytest.fixture
def run_dir(tmp_path):
    return runs.write_run(tmp_path / "run", models=("m",))


def run(capsys, *argv):
    status = main(["plot", *map(str, argv)])
    out, err = capsys.readouterr()
    return status, out, err


def test_the_picture_lies_in_the_folder_of_the_run(capsys, run_dir):
    before = set(run_dir.iterdir())
    status, out, err = run(capsys, run_dir)
    path = run_dir / "curves.png"
    assert (status, out, err) == (0, f"wrote {path}\n", "")
    assert set(run_dir.iterdir()) == before | {path}
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "start"), [("x.SVG", b"<?xml"), ("x.pdf", b"%PDF")]
)
def test_the_ending_says_the_kind(capsys, run_dir, tmp_path, name, start):
    path = tmp_path / name
    path.write_text("older")
    status, out, _ = run(capsys, run_dir, "-o", path)
    assert status == 0 and out == f"wrote {path}\n"
    assert path.read_bytes().startswith(start)


def test_what_is_left_out_is_said(capsys, run_dir):
    (run_dir / "report.json").unlink()
    status, out, err = run(capsys, run_dir)
    assert status == 0 and out.startswith("wrote ")
    assert err.startswith("nonlocal-keras: ") and "not been tested yet" in err


def test_letters_that_the_font_does_not_have_are_said(capsys, tmp_path):
    run_dir = runs.write_run(tmp_path / "run", models=("時",))
    status, _, err = run(capsys, run_dir)
    assert status == 0 and "Glyph 26178" in err and err.count("\n") == 1


@pytest.mark.parametrize("name", ["x.gif", "x", "model.keras", ".png"])
def test_another_ending_is_refused_and_the_file_kept(
    capsys, run_dir, tmp_path, name
):
    path = tmp_path / name
    path.write_text("mine")
    status, _, err = run(capsys, run_dir, "-o", path)
    assert status == 1 and "`--output` must end in .png, .svg, .pdf" in err
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("folder.png", "Is a directory"),
        ("none/x.png", "No such file"),
        ("file/x.png", "Not a directory"),
    ],
)
def test_a_place_that_cannot_be_written_is_told(
    capsys, run_dir, tmp_path, name, words
):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    status, _, err = run(capsys, run_dir, "-o", tmp_path / name)
    assert status == 1 and words in err and err.count("\n") == 1
    assert "`--output` cannot be written" in err
    assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk_leaves_the_older_picture(capsys, run_dir):
    path = run_dir / "curves.png"
    path.write_text("older")
    before = sorted(run_dir.iterdir())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The system refuses to write more, as it does on a full disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        status, _, err = run(capsys, run_dir)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert status == 1 and "File too large" in err
    assert path.read_text() == "older" and sorted(run_dir.iterdir()) == before

"""Folders for what is not whole yet, and what a kill leaves of them."""

import os
import signal
import subprocess
import sys

import pytest

from nonlocal_keras import partial

# Writes into a folder until it is killed. It loads the file alone, since the
# package takes seconds to import.
WRITER = """
import importlib.util, sys, time
spec = importlib.util.spec_from_file_location("partial", sys.argv[1])
partial = importlib.util.module_from_spec(spec)
spec.loader.exec_module(partial)
with partial.folder(sys.argv[2]) as folder:
    (folder / "half").write_text("x")
    print(folder.parent.name, flush=True)
    time.sleep(600)
"""


def names(folder):
    return sorted(os.listdir(folder))


def test_the_folder_is_hidden_and_gone_at_the_end(tmp_path):
    with partial.folder(tmp_path) as folder:
        assert folder.is_dir() and not names(folder)
        (name,) = names(tmp_path)
        # Serving looks for numbers alone.
        assert name.startswith(".") and not name.isdigit()
        (folder / "whole").write_text("x")
        os.replace(folder / "whole", tmp_path / "whole")
    assert names(tmp_path) == ["whole"]


def test_an_error_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        with partial.folder(tmp_path) as folder:
            (folder / "half").write_text("x")
            raise KeyboardInterrupt
    assert not names(tmp_path)


def test_two_at_once_leave_each_other_alone(tmp_path):
    with partial.folder(tmp_path) as first:
        with partial.folder(tmp_path) as second:
            assert first.is_dir() and second.is_dir()
        assert first.is_dir() and len(names(tmp_path)) == 1


def test_the_next_process_removes_what_a_kill_left_and_no_other(tmp_path):
    other = tmp_path / ".partial-of-another-program"
    other.mkdir()
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, partial.__file__, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        left = writer.stdout.readline().strip()
        with partial.folder(tmp_path):
            assert left in names(tmp_path)
        assert left in names(tmp_path)
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
    assert left in names(tmp_path)
    with partial.folder(tmp_path):
        assert left not in names(tmp_path)
    assert names(tmp_path) == [other.name]


def test_a_kill_before_the_lock_leaves_what_the_next_removes(tmp_path):
    (tmp_path / f"{partial.PREFIX}x").mkdir()
    with partial.folder(tmp_path):
        assert f"{partial.PREFIX}x" not in names(tmp_path)


def test_a_folder_that_is_taken_for_a_leftover_is_made_again(
    tmp_path, monkeypatch
):
    made = []

    def mkdtemp(**options):
        path = original(**options)
        made.append(path)
        if len(made) == 1:
            # Another process comes between the folder and its lock.
            partial._remove_leftovers(tmp_path)
        return path

    original = partial.tempfile.mkdtemp
    monkeypatch.setattr(partial.tempfile, "mkdtemp", mkdtemp)
    with partial.folder(tmp_path) as folder:
        assert folder.is_dir()
    assert not names(tmp_path)

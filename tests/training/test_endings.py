"""Whatever ends a run becomes one sentence and an exit status."""

import errno
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from nonlocal_keras.training import endings
from nonlocal_keras.training import experiments
from tests.support import paths

pytestmark = pytest.mark.usefixtures("interruptible")
EXPERIMENT = experiments.get_experiment("longrange")


@pytest.fixture
def progress(tmp_path):
    folder = tmp_path / "nl_c2d_tiny"
    folder.mkdir()
    (folder / "step-180.npz").touch()
    (folder / "step-360.npz").touch()
    return endings.Progress(tmp_path, EXPERIMENT)


def raising(error):
    def work():
        raise error

    return work


def end(work, progress, capsys):
    """Gives the exit status and the lines on the standard error."""
    status = endings.status_of(work, progress)
    return status, capsys.readouterr().err.splitlines()


def test_a_run_that_ends_well_says_nothing(progress, capsys):
    assert end(lambda: None, progress, capsys) == (0, [])


@pytest.mark.parametrize(
    "number, word, status",
    [(signal.SIGINT, "interrupted", 130), (signal.SIGTERM, "terminated", 143)],
)
def test_a_signal_says_what_is_saved_and_how_to_go_on(
    number, word, status, progress, capsys, tmp_path
):
    def work():
        signal.raise_signal(number)
        time.sleep(60)

    assert end(work, progress, capsys) == (
        status,
        [
            f"train.py: {word}. Saved in {tmp_path}: nl_c2d_tiny up to step "
            "360 of 1800. The same command goes on from there"
        ],
    )


def test_before_the_first_checkpoint_it_says_that_nothing_is_saved(
    tmp_path, capsys
):
    for progress in (
        endings.Progress(),
        endings.Progress(tmp_path, EXPERIMENT),
    ):
        _, lines = end(raising(KeyboardInterrupt()), progress, capsys)
        assert lines == [
            "train.py: interrupted. Nothing is saved yet: the same command "
            "starts again"
        ]


def test_a_run_that_started_over_is_to_go_on_without_noresume(progress, capsys):
    progress.resume = False
    _, (line,) = end(raising(KeyboardInterrupt()), progress, capsys)
    assert line.endswith(
        "The same command without --noresume goes on from there"
    )


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "run/step-540.npz"),
        RuntimeError("{{node Save}} log.tmp; No space left on device [Op:..]"),
    ],
)
def test_a_full_disk_is_one_sentence(error, progress, capsys):
    status, (line,) = end(raising(error), progress, capsys)
    assert status == 1
    assert "No space left on device. Check" in line
    assert "up to step 360 of 1800. The same command goes on" in line


def test_a_loss_that_is_no_number_is_answered_by_what_to_change(
    progress, capsys
):
    error = FloatingPointError("the loss of step 400 is not finite")
    status, (line,) = end(raising(error), progress, capsys)
    assert status == 1
    assert "the loss of step 400 is not finite. Saved in" in line
    assert "lower --learning_rate, which is 0.005, and start over" in line
    assert line.endswith("with --noresume")


def test_a_wrong_setting_is_said_as_it_is(progress, capsys):
    assert end(raising(ValueError("`steps` must be 1")), progress, capsys) == (
        1,
        ["train.py: `steps` must be 1"],
    )


def test_a_fault_of_the_program_shows_its_trace(progress, capsys):
    status, lines = end(raising(KeyError("mist")), progress, capsys)
    assert status == 70
    assert lines[0] == "Traceback (most recent call last):"
    assert "KeyError: 'mist'" in lines
    assert "unexpected KeyError, a fault of the program" in lines[-1]
    assert "The same command goes on from there" in lines[-1]


def test_handlers_of_signals_are_as_before_afterwards(progress):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    endings.status_of(lambda: None, progress)
    after = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    assert after == before


@pytest.mark.parametrize(
    "number, status", [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_library_that_swallows_the_signal_is_not_waited_for(
    number, status, tmp_path
):
    code = (
        "import time\n"
        "from nonlocal_keras.training import endings\n"
        "def work():\n"
        "    while True:\n"
        "        try:\n"
        "            print('works', flush=True)\n"
        "            time.sleep(600)\n"
        "        except BaseException:\n"
        "            pass\n"
        "endings.status_of(work, endings.Progress())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=paths.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "works\n"
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == status
    assert re.search(r"train.py: \w+\. Nothing is saved yet", error)

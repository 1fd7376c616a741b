"""What commands say: one printable line per error, and an exit status."""

import io
import logging as python_logging
import os

import keras
import numpy as np
import pytest
from absl import logging
from hypothesis import given
from hypothesis import strategies as st

from nonlocal_keras import terminal

PROGRAM = "program"


def status_of(capsys, error):
    def run():
        raise error

    status = terminal.status_of(run, PROGRAM)
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") <= 1
    return status, err


@given(st.text(st.characters(codec=None)))
def test_escaped_text_is_printable_and_writable(text):
    escaped = terminal.escaped(text)
    assert escaped.isprintable()
    escaped.encode("utf-8")


@given(st.text().filter(str.isprintable))
def test_printable_text_stays_as_it_is(text):
    assert terminal.escaped(text) == text


def test_control_characters_and_bytes_that_are_no_text_are_escaped():
    name = os.fsdecode(b"a\x1b[31m\n\xff.mp4")
    assert terminal.escaped(name) == r"a\x1b[31m\n\udcff.mp4"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("`a` must be 1. Received: 2\x1b"), r"Received: 2\x1b"),
        (OSError(28, "No space left on device"), "a file or the standard out"),
        (FileNotFoundError(2, "No such file", "x\ny"), r"x\ny cannot be read"),
        (FileNotFoundError(2, "No such file", b"x\xff"), r"x\udcff cannot be"),
        (MemoryError("12 GB"), "not enough memory. 12 GB"),
        (ImportError("needs PyAV"), "needs PyAV"),
    ],
)
def test_an_error_of_the_input_is_one_line(capsys, error, words):
    status, err = status_of(capsys, error)
    assert status == terminal.FAILED
    assert err.startswith("program: ") and words in err


def test_a_fault_of_the_program_is_told_from_wrong_input(capsys, monkeypatch):
    monkeypatch.delenv(terminal.DEBUG, raising=False)
    status, err = status_of(capsys, TypeError("of us"))
    assert status == terminal.BUG
    assert "unexpected TypeError: of us" in err and "please report" in err


def test_the_trace_is_shown_when_asked_for(capsys, monkeypatch):
    monkeypatch.setenv(terminal.DEBUG, "1")

    def run():
        raise ValueError("wrong")

    assert terminal.status_of(run, PROGRAM) == terminal.FAILED
    err = capsys.readouterr().err
    assert "Traceback" in err and err.endswith("program: wrong\n")


def test_an_interrupt_is_one_word_and_the_status_of_a_shell(capsys):
    assert status_of(capsys, KeyboardInterrupt()) == (
        130,
        "program: interrupted\n",
    )


def test_what_a_layer_says_is_said_without_the_words_around_it(capsys):
    class Strict(keras.layers.Layer):
        def call(self, x):
            raise ValueError("`x` must be small.\nReceived: 5")

    def run():
        Strict()(np.zeros(1))

    assert terminal.status_of(run, PROGRAM) == terminal.FAILED
    err = capsys.readouterr().err
    assert err == "program: `x` must be small.\\nReceived: 5\n"


def test_a_long_message_is_cut_in_its_middle(capsys):
    _, err = status_of(capsys, ValueError(f"start {'x' * 9999} end"))
    assert len(err) < 2100
    assert err.startswith("program: start") and err.endswith("end\n")


def test_what_is_logged_is_printable_while_a_command_runs(caplog):
    with caplog.at_level("WARNING"):
        run = lambda: logging.warning("%s: %d", "a\x1b\nb", 3)  # noqa: E731
        terminal.status_of(run, PROGRAM)
        logging.warning("a\tb")
    assert caplog.messages == [r"a\x1b\nb: 3", "a\tb"]
    assert not python_logging.getLogger("absl").filters


def test_a_closed_or_full_error_output_is_no_further_error(monkeypatch):
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    def run():
        raise ValueError("wrong")

    for stream in (Full(), None):
        monkeypatch.setattr("sys.stderr", stream)
        assert terminal.status_of(run, PROGRAM) == terminal.FAILED


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (12, "12"),
        (999, "999"),
        (1000, "1.00 k"),
        (4_047_104, "4.05 M"),
        (25_230_000_000, "25.23 G"),
    ],
)
def test_counts_have_the_unit_that_suits_them(number, text):
    assert terminal.with_unit(number) == text

"""The folder of a run is read as far as it goes, and the rest is said."""

import json
import math

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from nonlocal_keras.visualize import run_log
from tests.support import runs

TEST = {"model": "m", "top1": 0.75, "interval": [0.5, 0.875], "videos": 9}
DETECTOR = {"model": "m", "numbers": {"boxes": {"AP": 0.25}}, "images": 5000}


@pytest.fixture
def run(tmp_path):
    """A run of one model in four parts of ten steps."""
    return runs.write_run(tmp_path / "run", models=("m",))


def read(folder):
    said = []
    return *run_log.read(folder, said.append), "\n".join(said)


def append(run, text):
    with open(run / "m" / "log.csv", "a", newline="") as file:
        file.write(text)


def write_report(run, content):
    (run / "report.json").write_text(json.dumps(content))


def test_a_whole_run_is_read_and_nothing_is_said(run):
    (log,), (test,), said = read(run)
    assert log.name == "m" and log.parts == [1, 2, 3, 4] and log.ended
    assert (log.steps_per_part, log.steps, log.classes) == (10, 40, 2)
    assert log.columns["loss"] == [1, 1 / 2, 1 / 3, 1 / 4]
    assert test == run_log.Test(
        "m", "top-1 accuracy", 0.75, (0.5, 0.875), "1,200 videos"
    )
    assert said == ""


def test_models_come_in_the_order_of_the_training(tmp_path):
    run = runs.write_run(tmp_path / "run", models=("z", "a", "k"))
    logs, tests, _ = read(run)
    assert [log.name for log in logs] == ["z", "a", "k"]
    assert [test.name for test in tests] == ["z", "a", "k"]


def test_the_folder_of_one_model_is_a_run_without_a_test(run):
    (log,), tests, said = read(run / "m")
    assert log.name == "m" and not tests and "has not been tested" in said


def test_a_run_in_its_middle_says_what_is_not_there_yet(tmp_path):
    run = runs.write_run(tmp_path / "run", models=("m",), parts=2, ended=False)
    settings = {"models": ["m", "later"], "steps": 40, "epochs": 4}
    (run / "m" / "experiment.json").write_text(json.dumps(settings))
    (log,), tests, said = read(run)
    assert log.parts == [1, 2] and not log.ended and not tests
    assert "not begun: later" in said and "has not been tested yet" in said


def test_steps_per_part_are_those_of_the_loop(run):
    settings = {"models": ["m"], "steps": 10, "epochs": 4}
    (run / "m" / "experiment.json").write_text(json.dumps(settings))
    append(run, "4,0.1,0.9,0.9\r\n")
    (log,), _, _ = read(run)
    # As many parts of 2 steps as the steps need.
    assert log.steps_per_part == 2 and log.ended


@pytest.mark.parametrize("cut", ["4,0.1,0.9", "4,0.1,0.9,0.8", "4"])
def test_a_line_without_its_end_is_left_out_and_said(run, cut):
    append(run, cut)
    (log,), _, said = read(run)
    assert log.parts == [1, 2, 3, 4] and "the last line, which has no" in said


def test_rows_that_a_resumed_run_has_done_again_count_once(run):
    append(run, "epoch,loss,top1,val_top1\r\n2,7,0,0\r\n3,8,0,0\r\n")
    (log,), _, said = read(run)
    assert log.parts == [1, 2, 3, 4]
    assert log.columns["loss"] == [1, 1 / 2, 7, 8]
    assert "left out 2 rows that came again later" in said


def test_a_run_that_began_again_is_not_mixed_with_what_was_after(run):
    append(run, "0,7,0,0\r\n")
    (log,), tests, said = read(run)
    assert log.parts == [1] and log.columns["loss"] == [7]
    assert "left out 4 rows" in said
    # The report is of what was there before.
    assert not tests and "left out m: not trained to the end" in said


def test_lines_that_are_no_rows_are_left_out_and_counted(run):
    append(run, "x,1,1,1\r\n4,1,1\r\n-1,1,1,1\r\n\r\n4.5,1,1,1\r\n")
    (log,), _, said = read(run)
    assert log.parts == [1, 2, 3, 4]
    assert "left out 4 lines not of the log's form" in said


def test_values_that_are_no_numbers_leave_gaps(run):
    rows = [(0, "nan", 0.5, "NA"), (1, "", 0.5, "NA"), (2, 1, "inf", "NA")]
    runs.write_log(run / "m", rows)
    (log,), _, said = read(run)
    assert list(map(math.isnan, log.columns["loss"])) == [True, True, False]
    assert "left out 2 of 3 values of loss, which are no finite" in said
    assert "left out 1 of 3 values of top1" in said
    assert "left out 3 of 3 values of val_top1" in said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        pytest.param(20_000 * "[", id="nested"),
        '{"steps": 0, "epochs": 1}',
        '{"steps": "x"}',
    ],
)
def test_without_settings_the_steps_are_not_known(run, text):
    (run / "m" / "experiment.json").write_text(text)
    (log,), _, _ = read(run)
    assert log.steps is None and log.steps_per_part is None and log.ended


def test_models_that_were_put_aside_are_left_out_and_said(run):
    (run / "m").rename(run / "m.old-1")
    runs.write_run(run / "new", models=("m",))
    (run / "new" / "m").rename(run / "m")
    (log,), _, said = read(run)
    assert log.name == "m" and "put aside: m.old-1" in said


@pytest.mark.parametrize(
    "row",
    [
        {},
        7,
        {**TEST, "model": 3},
        {**TEST, "top1": "high"},
        {**TEST, "top1": 75},
        {**TEST, "top1": math.nan},
        {**TEST, "interval": [0.5]},
        {**TEST, "interval": None},
        {**TEST, "interval": [-3, 3]},
        {**DETECTOR, "numbers": {"masks": {"AP": 0.5}}},
        {**DETECTOR, "numbers": {"boxes": {"AP": None}}},
        {**DETECTOR, "numbers": {"boxes": {"AP": 1.5}}},
    ],
)
def test_a_row_that_is_no_result_is_left_out_and_said(run, row):
    write_report(run, [TEST, row])
    _, (test,), said = read(run)
    assert (
        test.items == "9 videos" and "left out 1 row without a result" in said
    )


def test_the_test_of_a_detector_is_its_box_ap(run):
    write_report(run, [DETECTOR])
    _, (test,), said = read(run)
    assert test == run_log.Test("m", "box AP", 0.25, None, "5,000 images")
    assert said == ""


@pytest.mark.parametrize("content", [{}, None, "x"])
def test_a_report_of_another_kind_is_left_out_and_said(run, content):
    write_report(run, content)
    (log,), tests, said = read(run)
    assert log and not tests and "it is no report of train.py" in said


def test_a_report_alone_is_a_run(tmp_path):
    write_report(tmp_path, [TEST])
    logs, (test,), _ = read(tmp_path)
    assert not logs and test.name == "m"


def test_a_folder_that_is_no_run_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path, tmp_path / "none", tmp_path / "file"):
        with pytest.raises(ValueError, match="`run_dir` must be the folder of"):
            read(path)


def test_a_run_without_a_part_that_has_ended_is_told_to_wait(tmp_path):
    run = runs.write_run(tmp_path / "run", models=("m",), ended=False)
    (run / "m" / "log.csv").write_text("")
    with pytest.raises(ValueError, match="Wait for its first validation"):
        read(run)


def test_a_file_that_is_too_large_is_refused(run, monkeypatch):
    monkeypatch.setattr(run_log, "_LARGEST", 20)
    with pytest.raises(ValueError, match="at most 20 bytes. Received: .*log"):
        read(run)


JUNK = st.binary(max_size=60) | st.text('0123456789,.\r\n"epoch[{}]-').map(
    str.encode
)


@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(name=st.sampled_from(["log.csv", "experiment.json"]), junk=JUNK)
def test_whatever_lies_there_is_read_or_refused_in_words(run, name, junk):
    path = run / "m" / name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(junk)] + junk)
    (run / "report.json").write_bytes(junk)
    try:
        logs, _, _ = read(run)
        assert all(log.parts == sorted(set(log.parts)) for log in logs)
    except ValueError as error:
        assert "`run_dir` must hold" in str(error)
    finally:
        path.write_bytes(whole)

"""The benchmark of accelerators, at sizes that a CPU can do."""

import json
import shutil
import time

import numpy as np
import pytest

from benchmarks import measure
from benchmarks import results
from benchmarks import workers
from benchmarks.gpu import cases
from benchmarks.gpu import clock
from benchmarks.gpu import layer_tests
from benchmarks.gpu import model_inputs
from benchmarks.gpu import processes
from benchmarks.gpu import report
from benchmarks.gpu import worker
from tests.support.backends import BACKEND
from tests.support.backends import slow_on_jax

pytestmark = pytest.mark.any_backend

on_either = pytest.mark.skipif(
    BACKEND == "tensorflow", reason="measured under PyTorch and JAX"
)
CHECKPOINT = "tests/golden/pyslowfast_i3d_nln_8x8_r50_width8.pyth"


def run(tmp_path, module, told, add, ways=None, seconds=300.0, grace=10):
    options = {"folder": str(tmp_path), "ways": ways}
    log = tmp_path / "log"
    work = processes.Work(module, BACKEND, told, options, log)
    processes.run([work], seconds, add, grace)


@on_either
def test_an_operation_is_timed_and_a_case_that_fails_stops_no_other(tmp_path):
    case = {
        **cases.operations(BACKEND, small=True)[0],
        "precision": "float32",
        "training": True,
    }
    told = [{**case, "positions": -1}, case]
    rows, failed = {}, []

    def add(case, row):
        if case["positions"] == -1:
            failed.append(row["error"])
        else:
            rows[case["way"]] = row

    run(tmp_path, f"benchmarks.gpu.op_{BACKEND}", told, add)
    assert all("negative dimensions" in error for error in failed) and failed
    for way in ("ours", "matrix", "attention"):
        assert rows[way]["seconds"]["median"] > 0
        if BACKEND == "torch":  # Its reference is made of float64.
            assert sorted(rows[way]["difference"]) == ["g", "phi", "theta", "y"]
            assert max(rows[way]["difference"].values()) < 1e-5


@on_either
@pytest.mark.slow
def test_our_model_is_timed_with_the_weights_of_a_checkpoint(tmp_path):
    shutil.copy(CHECKPOINT, tmp_path / "nl_i3d.pth")
    case = cases.models(BACKEND, small=True)[-2]
    assert case["work"] == "inference" and case["precision"] == "tf32"
    # The checkpoint has 10 classes.
    file = model_inputs.expected_path(tmp_path, case)
    model_inputs.expect(file, case, np.ones((1, 10), "float32"))
    rows = []
    run(
        tmp_path,
        f"benchmarks.gpu.model_{BACKEND}",
        [case],
        lambda case, row: rows.append(row),
        ways=["ours"],
    )
    assert rows[0]["seconds"]["median"] > 0
    assert rows[0]["difference"]["logits"] > 0


def test_a_worker_that_dies_is_started_again_for_the_rest(tmp_path):
    told = [{"part": "x", "n": n, "dies": n == 1} for n in range(3)]
    rows = {}

    def add(case, row):
        rows[case["n"]] = row

    run(tmp_path, "tests.support.mortal_worker", told, add)
    assert rows[0]["value"] == 0 and rows[2]["value"] == 2
    assert rows[1] == {"error": "the process ended with 7"}


def test_a_worker_that_hangs_is_ended_and_what_it_had_is_kept(tmp_path):
    told = [{"part": "x", "n": n, "hangs": n == 1} for n in range(3)]
    rows = {}

    def add(case, row):
        rows[case["n"]] = row

    begin = time.monotonic()
    run(
        tmp_path,
        "tests.support.mortal_worker",
        told,
        add,
        seconds=4.0,
        grace=0.5,
    )
    assert time.monotonic() - begin < 60
    assert rows[0]["value"] == 0
    assert rows[1] == {"error": "no time was left"}
    assert 2 not in rows


def test_an_error_is_a_row_and_after_the_deadline_nothing_begins(tmp_path):
    told = {
        "cases": [],
        "folder": str(tmp_path),
        "ways": None,
        "rows": str(tmp_path / "rows"),
        "begun": [{"n": 3, "way": "ours"}],
        "seconds": 60,
    }
    desk = worker.Desk(told)

    def fail():
        raise ValueError("no such form")

    assert desk.attempt({"n": 1}, "ours", fail) is None
    assert desk.attempt({"n": 3}, "ours", fail) is None
    desk = worker.Desk({**told, "seconds": -1})
    assert desk.attempt({"n": 2}, "ours", fail) is None
    lines = (tmp_path / "rows").read_text().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[1])["row"]["error"] == "ValueError: no such form"


def test_short_work_is_done_often_enough_for_the_clock():
    numbers = []

    def run(number):
        numbers.append(number)
        return number * 1e-4

    found = clock.spread(run)
    assert found["median"] == pytest.approx(1e-4)
    assert numbers[:2] == [1, 1] and set(numbers[2:]) == {40}
    assert clock.copies(1e9) == 1 and clock.copies(50e6) == 3


def test_verdicts_of_tests_are_counted_and_a_failure_is_named_once():
    printed = (
        "[gw0] [ 20%] PASSED tests/test_a.py::test_x[1] \n"
        "[gw1] [ 40%] FAILED tests/test_a.py::test_y \n"
        "FAILED tests/test_a.py::test_y - assert 1 == 2\n"
    )
    row = layer_tests.read(printed, 1)
    assert row["tests"] == {"PASSED": 1, "FAILED": 1}
    assert row["failed"] == ["tests/test_a.py::test_y"]
    assert row["complete"]
    assert not layer_tests.read(printed, -15)["complete"]
    with pytest.raises(RuntimeError, match="ran no test and ended with 4"):
        layer_tests.read("no module named pytest", 4)


@slow_on_jax
@on_either
def test_tests_are_run_and_counted_by_verdict():
    # Quick ones; those of the benchmark itself would start each other.
    path = workers.ROOT / "tests" / "data" / "test_sampling.py"
    row = layer_tests.run([path], 200.0, processes=1)
    assert row["tests"]["PASSED"] > 5
    assert row["failed"] == [] and row["complete"]


def test_the_tests_of_layers_are_among_those_of_any_backend():
    names = {path.name for path in layer_tests.files()}
    assert {"test_non_local.py", "test_weighted_sum.py"} <= names
    assert "test_train.py" not in names


MACHINE = {
    "device": "GPU 3000",
    "python": "3.12",
    "processor": "P",
    "cores": 16,
    "versions": {"libraries": {"torch": "2"}},
}


def test_the_page_compares_with_the_fastest_way_of_the_other_project(tmp_path):
    pytest.importorskip("matplotlib")
    found = results.Results(tmp_path, "gpu", MACHINE, "python -m x")
    case = cases.models("torch", small=False)[0]
    for way, value in (
        ("ours", 1e-3),
        ("peer_first", 4e-3),
        ("peer_last", 2e-3),
    ):
        found.add(
            {**case, "way": way},
            seconds=measure.spread([value]),
            extra_mb=10.0,
            difference={"logits": 2e-3},
        )
    found.add({**case, "way": "peer_graph"}, error="RuntimeError: no graph")
    one = operation_of_torch()
    found.add({**one, "way": "ours"}, seconds=measure.spread([1e-3]))
    found.add({**one, "way": "mmcv"}, needed_gb=120.0)
    rates = {**cases.rates(False)[0], "way": "torch"}
    found.add(rates, flops=5e14, copied=3e12, seconds=measure.spread([1]))
    report.write(found)
    page = (tmp_path / "gpu.md").read_text()
    assert "on GPU 3000; Python 3.12" in page
    assert "| torch | 1 ms | 2 ms | last | 2 | 10 MB | 10 MB |" in page
    assert "| needs 120 GB |" in page
    # 2 * 3136^2 * 512 operations in a millisecond, of 500 TFLOP/s.
    assert "| 2% |" in page
    assert "peer_graph: RuntimeError: no graph" in page
    assert (tmp_path / "gpu.png").stat().st_size > 1000


def operation_of_torch():
    (case,) = [
        case
        for case in cases.operations("torch", small=False)
        if case["pairwise"] == "embedded_gaussian"
        and case["positions"] == 3136
        and case["precision"] == "bfloat16"
        and not case["training"]
    ]
    return case


def test_half_precision_comes_first_and_then_the_rounds_of_ways():
    told = [
        {"n": n, "precision": p} for p in ("bfloat16", "tf32") for n in (1, 2)
    ]
    found = cases.in_rounds(told, lambda case: (("ours",), ("peer", "graph")))
    assert [(c["precision"], c["n"], ways) for c, ways in found][:5] == [
        ("bfloat16", 1, ("ours",)),
        ("bfloat16", 2, ("ours",)),
        ("bfloat16", 1, ("peer", "graph")),
        ("bfloat16", 2, ("peer", "graph")),
        ("tf32", 1, ("ours",)),
    ]


def test_no_part_is_without_seconds_and_all_end_within_8_minutes():
    assert sum(cases.PARTS.values()) + cases.GRACE <= 480

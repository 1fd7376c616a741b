"""The harness of the benchmarks, with workers that sleep and allocate."""

import json
import sys

import numpy as np
import pytest

from benchmarks import driver
from benchmarks import measure
from benchmarks import results
from benchmarks import workers
from benchmarks.op import cases as op_cases
from benchmarks.op import report as op_report

MACHINE = {
    "processor": "P",
    "cores": 2,
    "memory_gb": 1.0,
    "threads": 2,
    "OMP_WAIT_POLICY": "passive",
    "versions": {"ours": {"tensorflow": "2"}},
}


def start():
    return workers.Worker(sys.executable, "tests.support.echo_worker", 1)


def test_the_slower_side_takes_as_many_times_longer():
    ways = {
        "ours": (start, {"seconds": 0.02}),
        "theirs": (start, {"seconds": 0.08}),
    }
    seconds, ratios = driver.take_turns(ways, 0.0, [("theirs", "ours")])
    assert seconds["ours"]["rounds"] == 5
    found = ratios["theirs / ours"]
    assert 2 < found["median"] < 5
    assert found["low"] <= found["median"] <= found["high"]


def test_ratios_are_those_of_neighbours_in_time():
    # The machine slows down in between; the ratio does not see it.
    found = measure.ratio([2.0, 20.0, 2.0], [1.0, 10.0, 1.0])
    assert found == {"median": 2.0, "low": 2.0, "high": 2.0, "rounds": 3}


def test_memory_is_what_the_run_adds_even_if_it_is_gone_after():
    told = measure.alone(start(), {"megabytes": 200})
    assert 180 < told["extra_mb"] < 230
    assert measure.alone(start(), {})["extra_mb"] < 20


def test_lack_of_memory_is_a_result_and_other_failures_are_not():
    told = measure.alone(start(), {"lack": "too much"})
    assert "out of memory" in told["error"]
    with pytest.raises(workers.WorkerError, match="ValueError: no such case"):
        measure.alone(start(), {"fail": "no such case"})


def test_difference_is_of_the_largest_entry(tmp_path):
    for name, value in (("a", 2.0), ("b", 2.5)):
        measure.alone(start(), {"value": value}, tmp_path / f"{name}.npz")
    error = measure.difference(tmp_path / "a.npz", tmp_path / "b.npz")
    assert error == pytest.approx(0.2)


def test_not_a_number_is_no_agreement(tmp_path):
    for name in "ab":
        case = {"value": float("nan")}
        measure.alone(start(), case, tmp_path / f"{name}.npz")
    error = measure.difference(tmp_path / "a.npz", tmp_path / "b.npz")
    assert error == float("inf")


def test_every_other_way_is_compared_with_ours(tmp_path):
    for name, value in (("ours", 2.0), ("matrix", 2.0), ("peer", 2.5)):
        np.savez(tmp_path / f"{name}.npz", y=np.full(3, value))
    found = measure.differences(tmp_path, ["peer", "ours", "matrix"])
    assert found == {"peer": pytest.approx(0.2), "matrix": 0.0}


def test_exponent_of_a_power_is_the_power():
    sizes = [784, 3136, 12544]
    assert measure.exponent(sizes, [n**1.5 for n in sizes]) == pytest.approx(
        1.5
    )
    with pytest.raises(ValueError, match="at least two different"):
        measure.exponent([784], [1.0])


def test_rows_survive_another_run_on_the_same_machine(tmp_path, capsys):
    first = results.Results(tmp_path, "op", MACHINE, "make bench")
    first.add({"n": 1}, value=1)
    first.add({"n": 2}, value=1)
    again = results.Results(tmp_path, "op", MACHINE, "make bench")
    assert again.has({"n": 1})
    again.add({"n": 1}, value=2)
    rows = json.loads((tmp_path / "op.json").read_text())["rows"]
    assert sorted((r["case"]["n"], r["value"]) for r in rows) == [
        (1, 2),
        (2, 1),
    ]
    other = results.Results(tmp_path, "op", {**MACHINE, "threads": 4}, "")
    assert other.rows == []
    assert "another machine" in capsys.readouterr().out


def rows_of_dot_product():
    """Times that grow as N, the larger maps beyond the other's memory."""
    for positions in (784, 3136, 12544):
        case = {
            "part": "operation",
            "pairwise": "dot_product",
            "positions": positions,
            "sub_sample": False,
            "training": False,
        }
        row = {
            "needed_gb": {},
            "matrix_gb": op_cases.matrix_gb(case),
            "alone": {"ours": {"extra_mb": positions / 100}},
            "seconds": {"ours": measure.spread([positions * 1e-5])},
        }
        if positions == 12544:
            row["needed_gb"] = {"mmcv": 75.2}
        else:
            row["alone"]["mmcv"] = {"extra_mb": 99.0}
            row["seconds"]["mmcv"] = measure.spread([positions * 3e-5])
            row["ratio"] = {"mmcv / ours": measure.spread([3.0])}
        yield case, row


def test_page_of_the_operation_says_ratio_need_and_exponent(tmp_path):
    pytest.importorskip("matplotlib")
    found = results.Results(tmp_path, "op", MACHINE, "make bench")
    for case, row in rows_of_dot_product():
        found.add(case, **row)
    op_report.write(found)
    page = (tmp_path / "op.md").read_text()
    assert "| dot_product | 784 x 784 | 7.84 ms | 23.5 ms | 3 (3–3) |" in page
    assert "needs 75 GB" in page
    assert "| dot_product | all | forward | 1.00 | 1.00 | 784 to" in page
    assert (tmp_path / "op.png").stat().st_size > 1000


def test_every_case_is_measured_once():
    cases = list(map(str, op_cases.cases()))
    assert len(cases) == len(set(cases))
    assert {c["pairwise"] for c in op_cases.cases()} == set(op_cases.PAIRWISE)

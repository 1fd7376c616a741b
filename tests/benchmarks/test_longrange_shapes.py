"""The table of the rendered benchmark, of reports that a draw has made."""

import argparse
import json

import numpy as np

from benchmarks import longrange_shapes as benchmark
from nonlocal_keras.data import longrange_shapes
from nonlocal_keras.data.shape_images import CLASSES


def _draw_report(rng):
    numbers = {kind: {"AP": rng.random()} for kind in ("boxes", "masks")}
    classes = {name: {"AP50": rng.random()} for name in CLASSES}
    return {"model": "m", "numbers": numbers, "by_class": {"boxes": classes}}


def test_runs_that_are_there_are_told_with_their_spread(tmp_path, capsys):
    rng = np.random.default_rng()
    reports = [_draw_report(rng) for _ in range(3)]
    for seed, report in enumerate(reports):
        folder = tmp_path / f"seed-{seed}"
        folder.mkdir()
        (folder / "report.json").write_text(json.dumps([report]))
    benchmark.run(
        argparse.Namespace(
            folder=tmp_path, seeds=[0, 1, 2], results=tmp_path / "results"
        )
    )
    names = longrange_shapes.CONTEXT_CLASSES
    told = [
        100 * np.mean([report["by_class"]["boxes"][n]["AP50"] for n in names])
        for report in reports
    ]
    expected = f"{np.mean(told):.1f}% ({min(told):.1f}% to {max(told):.1f}%)"
    page = (tmp_path / "results" / "longrange_shapes.md").read_text()
    assert expected in page.splitlines()[-1].split(" | ")[-1]
    assert page.splitlines()[-1] in capsys.readouterr().out


def test_classes_that_tell_themselves_are_apart():
    rng = np.random.default_rng()
    row = _draw_report(rng)
    for name, numbers in row["by_class"]["boxes"].items():
        numbers["AP50"] = float(name in longrange_shapes.CONTEXT_CLASSES)
    found = benchmark.measures(row)
    assert found["box AP50, by context"] == 1.0
    assert found["box AP50, classes by themselves"] == 0.0

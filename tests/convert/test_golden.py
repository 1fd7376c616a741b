"""Logits of converted models against those of the programs they are from."""

import keras
import numpy as np
import pytest

from nonlocal_keras import convert
from tests.support import paths

PAIRS = {
    "vnl_i3d_nonlocal_8x8_r50_width8.pkl": ("vnl", {}),
    "pyslowfast_i3d_nln_8x8_r50_width8.pyth": ("pyslowfast", {}),
    "pyslowfast_c2d_8x8_r50_width8.pyth": ("pyslowfast", {}),
    "mmaction2_i3d_r50_nl_dot_product_width8.pth": (
        "mmaction2",
        {"pairwise": "dot_product"},
    ),
    "gluoncv_i3d_nl5_r50_width8.params": ("gluoncv", {}),
    "tsm_r50_nl_width8.pth": ("tsm", {}),
}
TOLERANCE = 1e-4


def reference(name):
    with np.load(paths.GOLDEN / f"{name.rsplit('.', 1)[0]}.npz") as pair:
        return np.moveaxis(pair["__input__"], 1, -1), pair["__output__"]


def errors(model, clips, expected):
    found = np.asarray(model.logits(clips, training=False))
    absolute = np.abs(found - expected)
    return absolute.max(), (absolute / np.abs(expected)).max()


@pytest.mark.parametrize("name", PAIRS)
def test_logits_equal_those_of_the_source(name):
    source, overrides = PAIRS[name]
    model, report = convert.convert(paths.GOLDEN / name, source, **overrides)
    absolute, relative = errors(model, *reference(name))
    assert absolute < TOLERANCE
    assert relative < TOLERANCE
    assert report.warnings == []
    assert report.fresh == []
    # Every weight once; what is left over has a reason.
    used = [entry.note for entry in report.with_status("used")]
    assert len(used) == len(set(used)) == len(model.weights)
    assert all(entry.note for entry in report.entries)


def test_name_of_a_published_file_tells_the_pairwise_function():
    name = "mmaction2_i3d_r50_nl_dot_product_width8.pth"
    model, report = convert.convert(paths.GOLDEN / name, "mmaction2")
    absolute, relative = errors(model, *reference(name))
    assert max(absolute, relative) < TOLERANCE
    assert "pairwise: dot_product, from the name of the file" in report.notes


def test_model_is_the_same_after_saving(tmp_path):
    name = "vnl_i3d_nonlocal_8x8_r50_width8.pkl"
    model = convert.load_checkpoint(paths.GOLDEN / name, "vnl")
    model.save(tmp_path / "model.keras")
    model = keras.saving.load_model(tmp_path / "model.keras")
    assert max(errors(model, *reference(name))) < TOLERANCE


def test_pool1_of_another_source_gives_other_logits():
    # The names are the same; padding is all that tells them apart.
    name = "vnl_i3d_nonlocal_8x8_r50_width8.pkl"
    model = convert.load_checkpoint(paths.GOLDEN / name, "pyslowfast")
    assert errors(model, *reference(name))[0] > 10 * TOLERANCE


def test_report_counts_tensors_by_reason():
    name = "vnl_i3d_nonlocal_8x8_r50_width8.pkl"
    _, report = convert.convert(paths.GOLDEN / name, "vnl")
    text = str(report)
    assert "5 non-local blocks at res3[1,3] res4[1,3,5]" in text
    assert "used: 327 tensors" in text
    assert "skipped: 253, the momentum of the optimizer" in text
    assert "skipped: 1, the learning rate" in text


def test_duplicates_of_gluoncv_are_reported():
    name = "gluoncv_i3d_nl5_r50_width8.params"
    _, report = convert.convert(paths.GOLDEN / name, "gluoncv")
    notes = {entry.name: entry for entry in report.entries}
    assert notes["head.1.weight"].status == "duplicate"
    assert notes["head.1.weight"].note == "fc.weight"
    assert notes["fc.weight"].note == "pred.kernel"
    repeated = notes["res_layers.1.1.bottleneck.8.W_bn.1.gamma"]
    assert repeated.note == "res_layers.1.1.nonlocal_block.bn.gamma"
    assert len(report.entries) == 689

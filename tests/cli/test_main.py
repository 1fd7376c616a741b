import math

import pytest

from nonlocal_keras import models
from nonlocal_keras import terminal
from nonlocal_keras.cli.main import main


def run(capsys, *argv):
    status = main(argv)
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.slow
def test_flops_reproduce_the_ratios_of_table_2e(capsys):
    names = ("c2d_r101", "i3d_3x3x3_r101", "i3d_r101", "nl_c2d_r101")
    status, out, _ = run(capsys, "flops", *names)
    rows = [line.split("|")[1:-1] for line in out.splitlines()[2:]]
    ratios = [
        (round(float(row[3]), 1), round(float(row[5]), 1)) for row in rows
    ]
    # The paper: 1.5x and 1.8x, 1.2x and 1.5x, 1.2x and 1.2x.
    assert ratios == [(1.0, 1.0), (1.5, 1.8), (1.2, 1.5), (1.2, 1.2)]
    assert status == 0


def test_flops_of_another_clip(capsys):
    arguments = ("c2d_r50", "--frames", "8", "--size", "256")
    _, out, _ = run(capsys, "flops", *arguments, "--family", "vnl_8x8")
    assert "25.23 G" in out and "8 x 256 x 256" in out


def test_an_unknown_name_is_one_line(capsys):
    status, _, err = run(capsys, "flops", "resnet")
    assert status == 1 and err.startswith("nonlocal-keras: `name` must be")


def test_info_of_an_unknown_model_is_one_line(capsys):
    status, _, err = run(capsys, "info", "nothing_like_it")
    assert status == 1 and "The zoo has no model named" in err


def test_a_command_is_required(capsys):
    status, _, err = run(capsys)
    assert status == 2 and "arguments are required: COMMAND" in err


def test_flops_of_a_small_model_have_a_small_unit(capsys):
    _, out, _ = run(capsys, "flops", "nl_c2d_tiny")
    row = out.splitlines()[-1]
    assert "528.32 k" in row and "4.16 M" in row


def test_flops_of_a_zoo_name_are_those_of_its_clip(capsys):
    names = ("nl_c2d_tiny_longrange", "i3d_r50_kinetics.vnl_8x8")
    status, out, _ = run(capsys, "flops", *names)
    assert status == 0 and "4.01 M" in out
    assert "i3d_r50_kinetics.vnl_8x8 | 8 x 224 x 224 |" in out


def test_flops_refuse_a_flag_that_would_change_nothing(capsys):
    flags = ("nl_c2d_tiny_longrange", "--classes", "5")
    status, _, err = run(capsys, "flops", *flags)
    assert status == 1 and "`--classes` would change nothing" in err
    for flag in ("--family=vnl_8x8", "--frames=8"):
        status, _, err = run(capsys, "flops", "mask_rcnn_tiny_fpn", flag)
        assert status == 1 and "which is a detector" in err


def test_flops_of_detectors_are_those_of_their_layers(capsys):
    names = ("mask_rcnn_tiny_fpn", "nl_mask_rcnn_tiny_fpn")
    status, out, _ = run(capsys, "flops", *names, "--size=64", "--classes=5")
    rows = [line.split("|")[1:-1] for line in out.splitlines()[2:]]
    assert status == 0 and [row[1].strip() for row in rows] == ["64 x 64"] * 2
    model = models.from_name(names[1], num_classes=5)
    kernels = [w for w in model.weights if w.name == "kernel"]
    count = sum(math.prod(weight.shape) for weight in kernels)
    assert rows[1][2].strip() == terminal.with_unit(count)
    # Four maps of the block and two products with 4 keys, on 4 x 4 positions.
    channels, inner = 256, 128
    block = 16 * 4 * channels * inner + 2 * 16 * 4 * inner
    macs = [float(row[4].removesuffix("M ")) for row in rows]
    assert macs[1] - macs[0] == pytest.approx(block / 1e6, abs=0.011)


def test_flops_refuse_sizes_out_of_their_range(capsys):
    for flag in ("--frames", "--size", "--classes"):
        for value in ("0", "-1", "1e13", "9" * 30, "x"):
            arguments = ("flops", "nl_c2d_tiny", f"{flag}={value}")
            status, _, err = run(capsys, *arguments)
            assert status == 2, (flag, value)
            assert f"argument {flag}: must be a whole number from 1" in err

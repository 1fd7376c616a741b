"""The main job as a user runs it: `python train.py` in a process."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from nonlocal_keras.data import longrange
from nonlocal_keras.training import checkpoints
from tests.support import videos
from tests.support.paths import ROOT

pytestmark = pytest.mark.usefixtures("interruptible")
SIZES = (48, 8, 16)
SMALL = (
    "--steps=6",
    "--batch_size=8",
    "--overrides=epochs=3",
    "--overrides=warmup_steps=2",
    f"--overrides=render_sizes={SIZES}",
)
# What is quickest to trace.
PLAIN = ("--overrides=models=('c2d_tiny',)", "--overrides=optimizer=sgd")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("videos")
    splits = ("train", "val", "test")
    longrange.render(root, dict(zip(splits, SIZES)), workers=1)
    return root


def start(home, *flags):
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "NONLOCAL_KERAS_HOME": str(home / "home"),
    }
    # The job itself decides how much TensorFlow says.
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    return subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *flags],
        cwd=home,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(home, *flags):
    process = start(home, *flags)
    output, _ = process.communicate(timeout=900)
    return process.returncode, output


def weights(model_dir, name):
    path = model_dir / name / "step-6.npz"
    with np.load(path) as file:
        return {key: file[key] for key in file.files}


def test_trains_compares_registers_and_loads_by_name(data, tmp_path):
    videos.truncate(next((data / "train" / "same").glob("*.mp4")), 0.3)
    status, output = run(tmp_path, f"--data={data}", "--model_dir=run", *SMALL)
    assert status == 0, output
    assert re.search(r"\| nl_c2d_tiny \| [\d,]+ \| [\d.]+ M \| ", output)
    assert re.search(r"\| c2d_tiny \| [\d,]+ \| [\d.]+ M \| ", output)
    assert re.search(
        r'zoo.load\("(nl_)?c2d_tiny_longrange.local"\) predicts the same',
        output,
    )
    assert "skipped 1 broken files" in output
    described = "NL-C2D ResNet-14: 2 non-local blocks at res3[0] res4[0]"
    assert output.count(described) == 1
    # A person reads this: no start-up lines, renamed inputs, sharding times.
    for noise in ("InitializeLog", "tensorflow", "Sharding", "input name"):
        assert noise not in output
    model_dir = tmp_path / "run"
    report = json.loads((model_dir / "report.json").read_text())
    assert [row["model"] for row in report] == ["nl_c2d_tiny", "c2d_tiny"]
    assert list(model_dir.rglob("events.out.tfevents.*"))
    assert list((tmp_path / "home").rglob("saved_model.pb"))


@pytest.mark.slow
def test_class_folders_alone_train_and_a_renamed_class_is_refused(tmp_path):
    root = tmp_path / "mine"
    videos.write_classes(root, ("jump", "walk"), each=4)
    flags = (
        f"--data={root}",
        "--model_dir=run",
        "--steps=2",
        "--batch_size=4",
        "--overrides=epochs=1",
        "--overrides=warmup_steps=0",
    )
    status, output = run(tmp_path, *flags)
    assert status != 0 and "train.py --experiment=small --data=" in output
    flags = ("--experiment=small", *flags)
    status, output = run(tmp_path, *flags)
    assert status == 0, output
    assert "| train | 6 | 2 of 2 | 3 jump | 0 |" in output
    assert "one by one, since their names tell no sources" in output
    (root / "jump").rename(root / "zjump")
    status, output = run(tmp_path, *flags)
    assert status != 0 and "gone: ['jump'], new: ['zjump']" in output
    status, output = run(tmp_path, "--noresume", *flags)
    assert status == 0, output
    assert (tmp_path / "run" / "nl_c2d_tiny.old-1" / "step-2.npz").exists()


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_weights(data, tmp_path):
    flags = (
        f"--data={data}",
        *SMALL,
        "--overrides=models=nl_c2d_tiny",
        "--overrides=dropout=0.3",
    )
    flags = [
        f.replace("models=nl_c2d_tiny", "models=('nl_c2d_tiny',)")
        for f in flags
    ]
    status, output = run(tmp_path, "--model_dir=whole", *flags)
    assert status == 0, output
    process = start(tmp_path, "--model_dir=killed", *flags)
    folder = tmp_path / "killed" / "nl_c2d_tiny"
    wait_for(process, lambda: list(folder.glob("step-*.npz")))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (folder / "step-6.npz").exists()
    status, output = run(tmp_path, "--model_dir=killed", *flags)
    assert status == 0 and "going on from step" in output, output
    whole = weights(tmp_path / "whole", "nl_c2d_tiny")
    killed = weights(tmp_path / "killed", "nl_c2d_tiny")
    assert whole.keys() == killed.keys()
    for name, value in whole.items():
        np.testing.assert_array_equal(value, killed[name], err_msg=name)


@pytest.mark.slow
def test_two_mirrored_replicas_train_with_synchronized_statistics(
    data, tmp_path
):
    status, output = run(
        tmp_path,
        f"--data={data}",
        "--model_dir=run",
        "--strategy=mirrored",
        *SMALL,
    )
    assert status == 0, output
    assert "training on 2 replicas, CPU:0 and CPU:1" in output
    assert "InitializeLog" not in output and "all-reduce" not in output
    assert "predicts the same" in output


def wait_for(process, found):
    while not found():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.01)


@pytest.mark.parametrize(
    "number, word, status",
    [
        (signal.SIGINT, "interrupted", 130),
        pytest.param(signal.SIGTERM, "terminated", 143, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_training_in_seconds_and_says_how_to_go_on(
    number, word, status, data, tmp_path
):
    # The last value of a flag counts.
    endless = ("--steps=30000", "--overrides=epochs=10000")
    flags = (f"--data={data}", "--model_dir=run", *SMALL, *PLAIN, *endless)
    process = start(tmp_path, *flags)
    folder = tmp_path / "run" / "c2d_tiny"
    wait_for(process, lambda: list(folder.glob("step-*.npz")))
    process.send_signal(number)
    # Generous: it takes less than 3 seconds on a machine that does no more.
    output, _ = process.communicate(timeout=60)
    assert process.returncode == status, output
    assert re.search(
        rf"train.py: {word}\. Saved in run: c2d_tiny up to step \d+ of "
        r"30000\. The same command goes on from there\n$",
        output,
    ), output
    assert "Traceback" not in output


def test_a_loss_that_is_no_number_ends_the_run_without_a_report(data, tmp_path):
    flags = (f"--data={data}", "--model_dir=run", *SMALL, *PLAIN)
    status, output = run(tmp_path, *flags, "--learning_rate=1e30")
    assert status == 1
    assert re.search(
        r"train.py: c2d_tiny: .*step \d.* finite.* start over with "
        r"--noresume\n$",
        output,
    ), output
    assert "testing" not in output and "Traceback" not in output
    for path in (tmp_path / "run").rglob("step-*.npz"):
        with np.load(path) as file:
            assert all(np.isfinite(file[key]).all() for key in file.files)
    assert not list(tmp_path.rglob("report.*"))
    assert not (tmp_path / "home").exists()


def test_a_second_run_in_one_folder_is_refused(tmp_path):
    with checkpoints.lock(tmp_path / "run"):
        status, output = run(tmp_path, "--model_dir=run")
    assert status == 1
    assert "`model_dir` must not be in use by another run" in output


@pytest.mark.slow
def test_verbosity_brings_back_what_libraries_say(tmp_path):
    with checkpoints.lock(tmp_path / "run"):
        _, quiet = run(tmp_path, "--model_dir=run")
        _, verbose = run(tmp_path, "--model_dir=run", "--verbosity=0")
    assert "cpu_feature_guard" not in quiet and "cpu_feature_guard" in verbose


@pytest.mark.parametrize(
    "flags, words",
    [
        (("--experiment=longrang",), "Did you mean.*longrange"),
        (("--experiment=nl_i3d_r50_kinetics",), "`data` must name the folder"),
        (("--steps=0",), "`steps` must be a positive whole number"),
        (("--overrides=step=3",), "Did you mean.*steps"),
        (("--overrides=steps",), "of the form field=value"),
        (("--strategy=horovod",), "strategy.*should be one of"),
        (("longrange",), "Not a flag"),
    ],
)
@pytest.mark.slow
def test_nonsense_flags_are_refused_in_one_line(flags, words, tmp_path):
    status, output = run(tmp_path, *flags)
    assert status != 0
    assert re.search(words, output), output
    assert "Traceback" not in output

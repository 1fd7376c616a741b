"""Processes that want the same model at once, and ones that are killed."""

import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from tests.support import zoo_files
from zoo import artifacts
from zoo import checksums

NAME = zoo_files.NAME
LOAD = f"""
import sys, numpy as np, zoo
model = zoo.load({NAME!r})
x = np.full((1, 8, 32, 32, 3), 0.5, "float32")
print("logits", np.asarray(model.logits(x)).tolist())
"""


def start():
    return subprocess.Popen(
        [sys.executable, "-c", LOAD],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out.partition("logits")[2], err


@pytest.mark.slow
def test_two_processes_get_one_download_and_two_good_models(home, server):
    zoo_files.add(home, server)
    server.pause = 0.2  # A download that both would see.
    first, second = [finish(p) for p in (start(), start())]
    assert first[0] and first[0] == second[0]
    assert len(server.requests) == 1
    assert "waiting for another process" in first[1] + second[1]


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_nothing_or_a_whole_model(home, server):
    zoo_files.add(home, server)
    server.pause = 0.05
    begun = time.monotonic()
    expected = finish(start())[0]
    assert expected
    # From the start of Python to the end of the loading, on this machine.
    whole = time.monotonic() - begun
    rng, kills = np.random.default_rng(0), 0
    for _ in range(8):
        shutil.rmtree(zoo_files.folder(home), ignore_errors=True)
        process = start()
        time.sleep(rng.uniform(0.2, 0.9) * whole)
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        if zoo_files.folder(home).exists():
            assert checksums.find_damage(zoo_files.folder(home)) is None
    assert kills >= 4
    assert finish(start())[0] == expected
    assert checksums.find_damage(zoo_files.folder(home)) is None
    assert not list(zoo_files.folder(home).parent.glob(f"{artifacts.PARTIAL}*"))

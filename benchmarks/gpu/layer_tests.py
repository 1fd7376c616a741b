"""The worker that runs the tests of layers and models of any backend."""

import collections
import os
import re
import signal
import subprocess
import sys

from benchmarks import machine
from benchmarks import workers
from benchmarks.gpu import worker

# What pytest prints of a test when several processes run them.
VERDICT = re.compile(r"(PASSED|FAILED|ERROR|SKIPPED|XFAIL) (tests/\S.*?)\s*$")
# Names of failed tests that a row holds; the log has all of them.
MOST = 40
# As exact as the numbers that the tests expect: products of float32 are not
# to be rounded to 19 bits. JAX is asked by one variable, CUDA's libraries by
# the other.
EXACT = {
    "JAX_DEFAULT_MATMUL_PRECISION": "highest",
    "NVIDIA_TF32_OVERRIDE": "0",
    # The tests ask for fast compilation of tiny arrays on a CPU; what a user
    # of the device gets is tested here.
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "0",
    "OMP_NUM_THREADS": "1",
    # What a run that is cut has printed must be there.
    "PYTHONUNBUFFERED": "1",
}
# Files that come before the others, lest there be no time for them.
FIRST = ("test_weighted_sum.py", "test_non_local.py", "test_pairwise.py")


def main():
    desk = worker.begin()
    for case in desk.cases:
        desk.attempt(case, "ours", lambda: run(files(), desk.left()))


def files():
    """Returns the test files that run on any backend, but for benchmarks.

    They are found by their text: other files cannot be imported where there
    is no TensorFlow, and so not be asked for their marks.
    """
    folder = workers.ROOT / "tests"
    found = [
        path
        for path in folder.rglob("test_*.py")
        if "pytest.mark.any_backend" in path.read_text()
        and path.parent.name != "benchmarks"
    ]
    return sorted(found, key=lambda path: (path.name not in FIRST, path.name))


def run(paths, seconds, processes=None):
    """Runs tests until their seconds are over.

    Args:
        paths: List of test files.
        seconds: Float.
        processes: Integer. Defaults to half of the cores: the tests of both
            backends run at the same time.

    Returns:
        Dictionary of the number of tests by verdict, the names of those that
        failed, and whether all have run.
    """
    number = processes or max(1, machine.threads() // 2)
    # One v is taken back by the q of the configuration.
    command = [sys.executable, "-m", "pytest", "-vv", "-m", "not slow"]
    command += ["-n", str(number), "--tb=short", "-p", "no:cacheprovider"]
    process = subprocess.Popen(
        command + [str(path.relative_to(workers.ROOT)) for path in paths],
        cwd=workers.ROOT,
        env={**os.environ, **EXACT},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        printed, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        # Its own processes too: they hold the other end of the pipe.
        os.killpg(process.pid, signal.SIGKILL)
        printed, _ = process.communicate()
    print(printed, flush=True)
    return read(printed, process.returncode)


def read(printed, code):
    """Returns the row of what pytest has printed, and of how it ended."""
    # A test that fails is named again in the summary.
    verdicts = {}
    for line in printed.splitlines():
        told = VERDICT.search(line)
        if told:
            verdicts[told[2].split(" - ")[0]] = told[1]
    if not verdicts:
        raise RuntimeError(f"pytest ran no test and ended with {code}")
    failed = [n for n, v in verdicts.items() if v in ("FAILED", "ERROR")]
    return {
        "tests": dict(collections.Counter(verdicts.values())),
        "failed": failed[:MOST],
        # 0 and 1: all tests have run, and some have failed.
        "complete": code in (0, 1),
    }


if __name__ == "__main__":
    main()

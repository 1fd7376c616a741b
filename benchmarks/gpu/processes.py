"""Workers of a part: started, read, ended in time, and started again."""

import json
import os
import subprocess
import sys
import tempfile
import time

from benchmarks import workers
from benchmarks.gpu import cases

# A worker that dies is started again for what it had not begun.
TRIES = 4
PATIENCE = 0.2


def settings(backend):
    """Returns the environment variables of a worker."""
    parity = workers.ROOT / "benchmarks" / "parity"
    path = [str(workers.ROOT), str(parity), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "KERAS_BACKEND": backend,
        "PYTHONPATH": os.pathsep.join(filter(None, path)),
        # Else the first process of JAX takes most of the memory of the device.
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        # Threads of OpenMP that spin take the cores from the others.
        "OMP_WAIT_POLICY": "passive",
        # Several workers may compile at the same time.
        "TORCHINDUCTOR_COMPILE_THREADS": "4",
    }


class Work:
    """The cases of one worker, which may take several processes.

    Args:
        module: String, the module that serves, such as
            `benchmarks.gpu.op_jax`.
        backend: String, the backend of Keras.
        told: List of cases.
        options: Dictionary of what else a worker is told: `folder`, where
            workers leave files for each other, and `ways`.
        log: Path of the file that gets what workers print.
    """

    def __init__(self, module, backend, told, options, log):
        self.module, self.backend = module, backend
        self.told, self.options = told, options
        self.begun, self.tries, self.process = [], 0, None
        # The case under way, and the beginning of a line not yet whole.
        self._open, self._part = None, ""
        self._log = open(log, "ab")
        self._rows = tempfile.NamedTemporaryFile("r", suffix=".jsonl")
        self._task = tempfile.NamedTemporaryFile("w", suffix=".json")

    def start(self, seconds):
        self.tries += 1
        task = {
            **self.options,
            "cases": self.told,
            "seconds": seconds,
            "rows": self._rows.name,
            "begun": self.begun,
        }
        self._task.seek(0)
        self._task.truncate()
        self._task.write(json.dumps(task))
        self._task.flush()
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", self.module]
            + [self._task.name],
            stdout=self._log,
            stderr=self._log,
            cwd=workers.ROOT,
            env=settings(self.backend),
        )

    def read(self):
        """Returns the new rows, as tuples of case and row."""
        found = []
        *lines, self._part = (self._part + self._rows.read()).split("\n")
        for line in map(json.loads, lines):
            if "row" in line:
                found.append((line["case"], line["row"]))
                self._open = None
            else:
                self._open = line["case"]
                self.begun.append(line["case"])
        return found

    def lost(self, error):
        """Returns the row of the case under way when a process ended."""
        case, self._open = self._open, None
        return [] if case is None else [(case, {"error": error})]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for file in (self._log, self._rows, self._task):
            file.close()


def run(works, seconds, add, grace=cases.GRACE):
    """Lets workers run at the same time until their seconds are over.

    Args:
        works: List of `Work`.
        seconds: Float, after which no case begins.
        add: Function of a case and a row.
        grace: Float, seconds that a case under way may take beyond.
    """
    end = time.monotonic() + seconds
    for work in works:
        work.start(seconds)
    waiting = list(works)
    while waiting:
        time.sleep(PATIENCE)
        left = end - time.monotonic()
        for work in list(waiting):
            if _has_ended(work, left, grace, add):
                work.close()
                waiting.remove(work)


def _has_ended(work, left, grace, add):
    """Returns whether a worker is done, is late, or has failed too often."""
    code = work.process.poll()
    rows = work.read()
    if left < -grace and code is None:
        work.process.kill()
        work.process.wait()
        rows += work.read() + work.lost("no time was left")
        code = 0
    elif code:
        error = f"the process ended with {code}"
        rows += work.lost(error)
        print(f"{work.module}: {error}", flush=True)
    for case, row in rows:
        add(case, row)
    if code is None:
        return False
    if code and work.tries < TRIES and left > 0:
        work.start(left)
        return False
    return True

"""The worker side: measures cases, and writes down each row at once.

A worker is told what to do by a file of JSON, whose path is its argument:

    {"cases": [...], "seconds": 60, "rows": path, "folder": path,
     "begun": [...], "ways": [...] or null}

and appends lines of JSON to the file `rows`: one when a case begins, and one
with its result. A worker that is ended, or ends itself, leaves what it has.
"""

import concurrent.futures
import contextlib
import fcntl
import gc
import json
import pathlib
import sys
import time
import traceback
from importlib import metadata

DISTRIBUTIONS = (
    "torch",
    "jax",
    "jaxlib",
    "keras",
    "numpy",
    "mmcv-lite",
    "triton",
)

# Seconds that are left for measuring what has been compiled by then.
LAST = 8


class Desk:
    """What a worker is told, and where it writes.

    Attributes:
        cases: List of dictionaries.
        folder: `pathlib.Path` for what the workers leave to each other.
        ways: List of strings, the only ways that are measured, or `None`.
    """

    def __init__(self, told):
        self.cases = told["cases"]
        self.folder = pathlib.Path(told["folder"])
        self.ways = told["ways"]
        self._rows = told["rows"]
        self._begun = told["begun"]
        self._end = time.monotonic() + told["seconds"]

    def is_over(self):
        """Returns whether no other case should begin."""
        return self.left() <= 0

    def left(self):
        """Returns seconds after which no other case should begin."""
        return self._end - time.monotonic()

    def attempt(self, case, way, measure):
        """Writes what `measure()` returns, or why it failed.

        Args:
            case: Dictionary.
            way: String, what does the work of the case.
            measure: Function without arguments that returns a dictionary.

        Returns:
            The dictionary, or `None` where there is none.
        """
        case = {**case, "way": way}
        if case in self._begun or self.is_over():
            return None
        self._write({"case": case})
        begin, result, broken = time.monotonic(), None, False
        try:
            result = row = measure()
        except Exception as error:
            traceback.print_exc()
            words = " ".join(f"{type(error).__name__}: {error}".split())
            row = {"error": words[:300]}
            broken = "CUDA error" in str(error)
            # What the frames of the error hold. It takes long otherwise.
            del error
            gc.collect()
        row = {**row, "took": round(time.monotonic() - begin, 2)}
        self._write({"case": case, "row": row})
        if broken:
            sys.exit("The device refuses all that comes after such an error.")
        return result

    @contextlib.contextmanager
    def device(self):
        """Holds the device, for which other processes wait meanwhile."""
        with open(self.folder / "device.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def wait(self, compiling):
        """Waits for programs, but not until there is no time to run them.

        Compilers try kernels out on the device: nothing else is timed
        meanwhile.

        Args:
            compiling: List of `concurrent.futures.Future`.
        """
        patience = max(self.left() - LAST, 0.0)
        concurrent.futures.wait(compiling, timeout=patience)

    def fail(self, case, way, error):
        """Writes why a case could not even begin."""
        traceback.print_exception(error)

        def measure():
            raise error

        self.attempt(case, way, measure)

    def _write(self, line):
        with open(self._rows, "a") as file:
            file.write(json.dumps(line) + "\n")


def compiled(future):
    """Returns what a compiler has made, which is not waited for."""
    if not future.done():
        raise TimeoutError("it was still being compiled")
    return future.result()


def begin():
    """Returns the desk of this process, as its argument says."""
    return Desk(json.loads(pathlib.Path(sys.argv[1]).read_text()))


def versions():
    """Returns the versions of the libraries that matter, a dictionary."""
    found = {}
    for name in DISTRIBUTIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "none"
    return found

"""The worker side of a benchmark: one case at a time, told by lines of JSON.

The driver writes a request to the standard input and reads one answer:

    {"do": "versions"}                   {"torch": "2.13.0", ...}
    {"do": "prepare", "case": {...}}     {}
    {"do": "run"}                        {"seconds": 0.0123}
    {"do": "memory"}                     {"ready": bytes, "peak": bytes}
    {"do": "save", "path": "y.npz"}      {}
    {"do": "tell"}                       anything the worker has to say

A request that fails is answered with `{"error": ..., "out_of_memory": ...}`.
Only the standard library and NumPy are used here: workers run under the
Python of their own side.
"""

import ctypes
import gc
import json
import os
import resource
import sys
import time
import traceback

import numpy as np


class Work:
    """A prepared case; each side makes its own.

    Attributes:
        run: Function without arguments that does the work, waits for it
            and returns its outputs.
        arrays: Function from what `run` returned to a dictionary of arrays.
        tell: Function without arguments that returns what else there is to
            say, as JSON. Defaults to `dict`: nothing.
        repeats: Integer, how many times `run` does the work; seconds are
            told of one time. Defaults to `1`.
    """

    def __init__(self, run, arrays, tell=dict, repeats=1):
        self.run = run
        self.arrays = arrays
        self.tell = tell
        self.repeats = repeats


def serve(prepare, versions):
    """Answers requests until the standard input ends.

    Args:
        prepare: Function from a case, a dictionary, to a `Work`.
        versions: Dictionary of the libraries of this side.
    """
    # What libraries print must not get among the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    desk = _Desk(prepare, versions)
    for line in sys.stdin:
        try:
            answer = desk.answer(json.loads(line))
        except Exception as error:
            traceback.print_exc()
            answer = {
                "error": f"{type(error).__name__}: {error}"[:500],
                "out_of_memory": _is_lack_of_memory(error),
            }
        answers.write(json.dumps(answer) + "\n")


class _Desk:
    def __init__(self, prepare, versions):
        self.prepare = prepare
        self.versions = versions
        self.work = self.outputs = self.ready = None

    def answer(self, request):
        kind = request["do"]
        if kind == "versions":
            return self.versions
        if kind == "prepare":
            # The former case must be gone before the next one comes.
            self.work = self.outputs = None
            gc.collect()
            if request.get("limit"):
                _limit_memory(request["limit"])
            self.work = self.prepare(request["case"])
            self.ready = _forget_peak()
            return {}
        if kind == "run":
            self.outputs = None
            begin = time.perf_counter()
            self.outputs = self.work.run()
            seconds = time.perf_counter() - begin
            return {"seconds": seconds / self.work.repeats}
        if kind == "memory":
            return {"ready": self.ready, "peak": _peak()}
        if kind == "save":
            np.savez(request["path"], **self.work.arrays(self.outputs))
            return {}
        if kind == "tell":
            return self.work.tell()
        raise ValueError(f"`do` must be known. Received: do={kind!r}")


def _forget_peak():
    """Makes the present size the peak; returns it in bytes."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    return _peak()


def _peak():
    """Returns the most resident memory that this process had, in bytes."""
    with open("/proc/self/status") as file:
        (line,) = (line for line in file if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _limit_memory(size):
    """Lets this process fail, not others, when there is no more memory."""
    resource.setrlimit(resource.RLIMIT_DATA, (int(size), int(size)))


def _is_lack_of_memory(error):
    words = ("allocate memory", "Unable to allocate", "OOM when allocating")
    return isinstance(error, MemoryError) or any(
        word in str(error) for word in words
    )

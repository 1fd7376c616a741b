"""A worker of `benchmarks.gpu` that dies or hangs as told."""

import os
import time

from benchmarks.gpu import worker


def measure(case):
    if case.get("dies"):
        os._exit(7)
    if case.get("hangs"):
        time.sleep(600)
    return {"value": case["n"]}


if __name__ == "__main__":
    desk = worker.begin()
    for case in desk.cases:
        desk.attempt(case, "ours", lambda: measure(case))

"""A worker of the benchmarks that sleeps, allocates or fails as told."""

import time

import numpy as np

from benchmarks import serving


def prepare(case):
    print("libraries print; answers must not suffer")

    def run():
        if case.get("fail"):
            raise ValueError(case["fail"])
        if case.get("lack"):
            raise MemoryError(case["lack"])
        time.sleep(case.get("seconds", 0.0))
        # Touched, so that it is resident; gone when the run is over.
        np.ones(int(case.get("megabytes", 0)) * 10**6, "uint8")
        return case.get("value", 1.0)

    return serving.Work(run, lambda y: {"y": np.full(3, y)})


if __name__ == "__main__":
    serving.serve(prepare, {"echo": "1"})

"""How a case is measured: outputs, memory, then seconds in turn."""

import statistics
import time

import numpy as np

from benchmarks.workers import WorkerError

# A side whose last run took less does the work once more before each run that
# is timed: the other side, and the seconds it took, have left cold caches.
BRIEF = 1.0


def memory_gb():
    """Returns the memory of this machine that is free now, in GB."""
    with open("/proc/meminfo") as file:
        (line,) = (line for line in file if line.startswith("MemAvailable:"))
    return int(line.split()[1]) * 1024 / 1e9


def alone(worker, case, outputs=None):
    """Runs a case once, in a process that does nothing else.

    Args:
        worker: A new `Worker`; it is closed at the end.
        case: Dictionary, what the worker prepares.
        outputs: Path of an `.npz` file for the outputs, or `None`. Defaults
            to `None`.

    Returns:
        Dictionary of `seconds` (of this first run), `extra_mb` (the highest
        resident size while the case ran, less the size before) and `peak_mb`;
        or of `error` if memory did not suffice.
    """
    with worker:
        try:
            # A tenth is left to the system, and to the driver.
            worker.ask("prepare", case=case, limit=0.9e9 * memory_gb())
            seconds = worker.ask("run")["seconds"]
            memory = worker.ask("memory")
            if outputs is not None:
                worker.ask("save", path=str(outputs))
        except WorkerError as error:
            if not error.out_of_memory:
                raise
            return {"error": f"out of memory at {memory_gb():.0f} GB free"}
    return {
        "seconds": seconds,
        "extra_mb": (memory["peak"] - memory["ready"]) / 1e6,
        "peak_mb": memory["peak"] / 1e6,
    }


def difference(path, other):
    """Returns the largest difference of two files of outputs.

    It is relative to the largest entry of each array: single entries may be
    as good as zero.
    """
    with np.load(path) as ours, np.load(other) as theirs:
        if sorted(ours) != sorted(theirs):
            raise ValueError(
                "Both sides must save the same arrays. Received: "
                f"{sorted(ours)} and {sorted(theirs)}"
            )
        return max(_difference(ours[name], theirs[name]) for name in ours)


def differences(folder, names):
    """Compares the outputs of all ways with those of `"ours"`.

    Args:
        folder: `pathlib.Path` of the folder with `NAME.npz` of each way.
        names: Iterable of the names of the ways, `"ours"` among them.

    Returns:
        Dictionary of the name of every other way to its `difference`.
    """
    return {
        name: difference(folder / "ours.npz", folder / f"{name}.npz")
        for name in names
        if name != "ours"
    }


def _difference(a, b):
    if a.shape != b.shape:
        raise ValueError(
            "Both sides must give arrays of one shape. Received: "
            f"{a.shape} and {b.shape}"
        )
    error = float(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30))
    return error if np.isfinite(error) else float("inf")


def in_turn(workers, budget=10.0, rounds=5, most=50):
    """Lets prepared workers run one after the other, again and again.

    What disturbs the machine for some seconds then disturbs all of them.

    Args:
        workers: Dictionary of name to prepared `Worker`.
        budget: Float, seconds after which no further round begins. Defaults
            to `10.0`.
        rounds: Integer, rounds that are run whatever the budget. Defaults to
            `5`.
        most: Integer, rounds after which there is no other. Defaults to `50`.

    Returns:
        Dictionary of name to a list of seconds, one per round.
    """
    # The first run builds and allocates.
    brief = {name: _run(w)[1] < BRIEF for name, w in workers.items()}
    seconds = {name: [] for name in workers}
    begin = time.perf_counter()
    for done in range(most):
        if done >= rounds and time.perf_counter() - begin > budget:
            break
        for name, worker in workers.items():
            if brief[name]:
                _run(worker)
            told, took = _run(worker)
            brief[name] = took < BRIEF
            seconds[name].append(told)
    return seconds


def _run(worker):
    """Returns the seconds of the work once, and of the whole request."""
    begin = time.perf_counter()
    told = worker.ask("run")["seconds"]
    return told, time.perf_counter() - begin


def spread(values):
    """Returns median and quartiles, as a dictionary."""
    low, middle, high = (
        statistics.quantiles(values, n=4, method="inclusive")
        if len(values) > 1
        else values * 3
    )
    return {"median": middle, "low": low, "high": high, "rounds": len(values)}


def ratio(theirs, ours):
    """Returns how many times longer they take, with quartiles.

    A ratio is that of two neighbours in time.
    """
    return spread([a / b for a, b in zip(theirs, ours, strict=True)])


def exponent(sizes, values):
    """Returns the slope of log(values) over log(sizes), by least squares."""
    if len(set(sizes)) < 2:
        raise ValueError(
            "`sizes` must hold at least two different numbers. "
            f"Received: sizes={list(sizes)}"
        )
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])

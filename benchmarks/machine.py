"""What a result depends on, beside the code: machine, threads and versions."""

import os
import platform


def threads():
    """Returns the cores that this process may use."""
    return len(os.sched_getaffinity(0))


def describe(number_of_threads, versions):
    """Returns a dictionary of the processor, its memory, threads and libraries.

    Args:
        number_of_threads: Integer, threads of each side.
        versions: Dictionary of side to a dictionary of its versions.
    """
    return {
        "processor": _field("/proc/cpuinfo", "model name"),
        "cores": threads(),
        "memory_gb": round(
            int(_field("/proc/meminfo", "MemTotal").split()[0]) / 1e6, 1
        ),
        "system": f"{platform.system()} {platform.release()}",
        "threads": number_of_threads,
        "OMP_WAIT_POLICY": "passive",
        "versions": versions,
    }


def _field(path, name):
    with open(path) as file:
        for line in file:
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return "unknown"

"""What the results depend on: the accelerator, its driver, the libraries."""

import platform
import subprocess

from benchmarks.gpu import worker

QUERY = "name,driver_version,memory.total"


def describe():
    """Returns a dictionary of the device and the versions of the libraries."""
    return {
        "device": _device(),
        "python": platform.python_version(),
        "versions": {"libraries": worker.versions()},
    }


def _device():
    """Returns name, driver and memory as the driver tells them, or none.

    No library is asked: this process must not hold memory of the device.
    """
    command = ["nvidia-smi", f"--query-gpu={QUERY}", "--format=csv,noheader"]
    try:
        told = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return "none: the CPU alone"
    return told.stdout.strip()

"""Where the time goes: seconds on the device by kernel, in short."""

import collections
import pathlib
import tempfile

from benchmarks.gpu import cases

# How often the work is done, how many kernels are named, how long a name is.
TIMES, MOST, LENGTH = 3, 10, 70
# Cases of ours that are looked into.
FORMS = ("embedded_gaussian", "concatenation")


def chooses(case):
    """Returns whether to look into an operation: one of each of our loops."""
    return (
        case["pairwise"] in FORMS
        and case["positions"] in (cases.POSITIONS[1], cases.SMALL_POSITIONS[1])
        and case["precision"] == "bfloat16"
        and case["training"]
    )


def with_torch(run):
    """Returns seconds of a run by kernel, the largest first."""
    import torch

    gpu = torch.cuda.is_available()
    kinds = torch.profiler.ProfilerActivity
    run()
    with torch.profiler.profile(
        activities=[kinds.CPU, *([kinds.CUDA] if gpu else [])]
    ) as found:
        for _ in range(TIMES):
            run()
        if gpu:
            torch.cuda.synchronize()
    seconds = collections.Counter()
    for event in found.key_averages():
        if not gpu:
            seconds[event.key] += event.self_cpu_time_total / 1e6
        elif event.device_type == torch.autograd.DeviceType.CUDA:
            seconds[event.key] += event.self_device_time_total / 1e6
    return _row(seconds)


def with_jax(run):
    """Returns the same by the profiler of JAX."""
    import jax

    jax.block_until_ready(run())
    seconds = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            for _ in range(TIMES):
                outputs = run()
            jax.block_until_ready(outputs)
        (file,) = pathlib.Path(folder).rglob("*.xplane.pb")
        data = jax.profiler.ProfileData.from_file(str(file))
    planes = [p for p in data.planes if p.name.startswith("/device:GPU")]
    # A CPU's operations are among what its threads did.
    for plane in planes or [p for p in data.planes if "CPU" in p.name]:
        for line in plane.lines:
            # Modules and steps would count their kernels twice.
            if planes and not line.name.startswith("Stream"):
                continue
            for event in line.events:
                seconds[event.name] += event.duration_ns / 1e9
    return _row(seconds)


def _row(seconds):
    named = {
        kernel[:LENGTH]: s / TIMES for kernel, s in seconds.most_common(MOST)
    }
    total = sum(seconds.values()) / TIMES
    return {"profile": named, "total": total}

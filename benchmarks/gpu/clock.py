"""Seconds and memory of work on a device, under PyTorch and under JAX.

Work is asynchronous: it is timed by events of the device, or up to where its
last result is there. A run that counts holds as many calls, one after the
other, as take some milliseconds, and the calls take turns among copies of
their inputs, so that short ones do not find them in the cache of the device.
"""

import math
import time

from benchmarks import measure

# Of a row of a table: no other run begins after so many seconds.
SECONDS = 0.12
FEWEST, MOST = 3, 30
# Seconds of calls in one run.
RUN = 0.004
# Bytes of all copies of the inputs, twice the cache of the largest devices,
# and how many copies there are at most.
CACHE, COPIES = 120e6, 40


def copies(size):
    """Returns how many copies of inputs of a size do not fit in a cache."""
    return max(1, min(COPIES, math.ceil(CACHE / size)))


def spread(run):
    """Returns median and quartiles of the seconds of one call.

    Args:
        run: Function from a number of calls to the seconds they take.
    """
    run(1)  # builds, chooses kernels, allocates
    once = run(1)
    number = max(1, min(200, math.ceil(RUN / max(once, 1e-6))))
    values, begin = [], time.monotonic()
    while len(values) < FEWEST or (
        len(values) < MOST and time.monotonic() - begin < SECONDS
    ):
        values.append(run(number) / number)
    return measure.spread(values)


def with_torch(calls):
    """Returns seconds and extra memory of functions that do equal work.

    Args:
        calls: List of functions without arguments, which are called in turn.

    Returns:
        Dictionary of `seconds`, see `spread`, and `extra_mb`: the most that
        was allocated during a call, less what was before it.
    """
    import torch

    gpu = torch.cuda.is_available()

    def run(number):
        if not gpu:
            begin = time.perf_counter()
            for i in range(number):
                calls[i % len(calls)]()
            return time.perf_counter() - begin
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        begin.record()
        for i in range(number):
            calls[i % len(calls)]()
        end.record()
        torch.cuda.synchronize()
        return begin.elapsed_time(end) / 1e3

    row = {"seconds": spread(run)}
    if gpu:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        calls[0]()
        torch.cuda.synchronize()
        peak = torch.cuda.max_memory_allocated()
        row["extra_mb"] = (peak - before) / 1e6
    return row


def with_jax(executable, arguments, call=None):
    """Returns seconds and extra memory of a compiled function.

    Args:
        executable: What `jax.jit(...).lower(...).compile()` gives.
        arguments: List of tuples of arguments, which take turns.
        call: Function of such arguments that is timed; `None` for the
            executable itself. Defaults to `None`.

    Returns:
        Dictionary as that of `with_torch`. The memory is what the compiler
        has planned for temporary and new tensors: that of the device cannot
        be told apart from what came before.
    """
    import jax

    call = call or executable

    def run(number):
        begin = time.perf_counter()
        for i in range(number):
            outputs = call(*arguments[i % len(arguments)])
        jax.block_until_ready(outputs)
        return time.perf_counter() - begin

    plan = executable.memory_analysis()
    new = plan.output_size_in_bytes - plan.alias_size_in_bytes
    extra = plan.temp_size_in_bytes + new
    return {"seconds": spread(run), "extra_mb": extra / 1e6}

"""Where the time of a TensorFlow graph goes, by kind of operation."""

import collections
import pathlib
import string
import tempfile

import tensorflow as tf

_FIRST = frozenset("_" + string.ascii_uppercase)


def seconds_by_kind(run, times=3, most=8):
    """Returns seconds of threads per run, by kind of operation.

    Operations that run at the same time count each, so that the sum may be
    more than the clock shows.

    Args:
        run: Function without arguments that runs a graph.
        times: Integer, how often it is run. Defaults to `3`.
        most: Integer, how many kinds are named; the rest is `"others"`.
            Defaults to `8`.

    Returns:
        Dictionary of kind to seconds, the largest first.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    options = tf.profiler.experimental.ProfilerOptions(
        host_tracer_level=2, python_tracer_level=0
    )
    run()
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder, options)
        for _ in range(times):
            run()
        tf.profiler.experimental.stop()
        (file,) = pathlib.Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    seconds = collections.Counter()
    for plane in space.planes:
        names = plane.event_metadata
        for line in plane.lines:
            for event in line.events:
                # Operations are told as `name:kind`, those of TensorFlow
                # itself as `Class::Method`.
                name, colon, kind = names[event.metadata_id].name.rpartition(
                    ":"
                )
                if colon and not name.endswith(":") and kind[:1] in _FIRST:
                    seconds[kind.split("#")[0]] += event.duration_ps / 1e12
    named = {k: s / times for k, s in seconds.most_common(most)}
    rest = sum(seconds.values()) / times - sum(named.values())
    return {**named, "others": rest}

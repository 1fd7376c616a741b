"""The devices of a run: the `tf.distribute` strategy that a flag names.

One process trains on all of them: it reads all clips, and writes checkpoints
and logs. Where several processes share a run, what tells them apart belongs
here: which part of the clips is that of a process, and which one writes.
"""

STRATEGIES = ("one_device", "mirrored", "tpu")


def make_strategy(name):
    """Returns a strategy; call it once per process, before any model.

    Args:
        name: String, `"one_device"`; `"mirrored"`, all GPUs of this machine
            or, without a GPU, two logical CPU devices; `"tpu"`.

    Returns:
        A `tf.distribute.Strategy`.

    Raises:
        ValueError: For an unknown name, or `"tpu"` where there is none.
    """
    import tensorflow as tf

    # At INFO every all-reduce of every batch norm is a line.
    tf.get_logger().setLevel("WARNING")
    if name not in STRATEGIES:
        raise ValueError(
            f"`strategy` must be one of {', '.join(STRATEGIES)}. "
            f"Received: strategy={name!r}"
        )
    if name == "one_device":
        gpus = tf.config.list_logical_devices("GPU")
        return tf.distribute.OneDeviceStrategy("GPU:0" if gpus else "CPU:0")
    if name == "tpu":
        return _tpu_strategy(tf)
    if tf.config.list_physical_devices("GPU"):
        return tf.distribute.MirroredStrategy()
    return tf.distribute.MirroredStrategy(_logical_cpus(tf, 2))


def count_replicas(strategy):
    """Returns the number of devices that share each batch.

    Args:
        strategy: A `tf.distribute.Strategy`.
    """
    return strategy.num_replicas_in_sync


def check_batch_size(strategy, batch_size):
    """Raises `ValueError` if a batch cannot be shared by the replicas.

    Args:
        strategy: A `tf.distribute.Strategy`.
        batch_size: Integer, items per update over all replicas.
    """
    replicas = count_replicas(strategy)
    if batch_size % replicas:
        raise ValueError(
            f"`batch_size` must be a multiple of the {replicas} replicas. "
            f"Received: batch_size={batch_size}"
        )


def describe(strategy):
    """Says on which devices a strategy trains.

    Example:

    >>> from nonlocal_keras.training import strategies
    >>> strategies.describe(strategies.make_strategy("one_device"))
    'training on ...PU:0...'

    Args:
        strategy: A `tf.distribute.Strategy` of `make_strategy`.

    Returns:
        String.
    """
    import tensorflow as tf

    names = [
        ":".join(device.split(":")[-2:])
        for device in strategy.extended.worker_devices
    ]
    words = f"training on {names[0]}"
    if len(names) > 1:
        words = (
            f"training on {len(names)} replicas, "
            f"{', '.join(names[:-1])} and {names[-1]}"
        )
    if not tf.config.list_physical_devices("GPU") and "CPU:0" in names:
        words += "; TensorFlow found no GPU"
    return words


def _logical_cpus(tf, number):
    cpu = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * number
    if tf.config.get_logical_device_configuration(cpu) is None:
        tf.config.set_logical_device_configuration(cpu, devices)
    names = [d.name for d in tf.config.list_logical_devices("CPU")]
    if len(names) < number:
        raise ValueError(
            "`strategy='mirrored'` needs two logical CPU devices, and this "
            f"process has made {len(names)} already. Make the strategy first."
        )
    return names


def _tpu_strategy(tf):
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu="")
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError, KeyError) as error:
        raise ValueError(
            "`strategy='tpu'` needs a machine with a TPU and TensorFlow built "
            "for it (pip install tensorflow-tpu). Use one_device or mirrored "
            f"elsewhere. TensorFlow answered: {str(error)[:200]}"
        ) from error
    return tf.distribute.TPUStrategy(resolver)

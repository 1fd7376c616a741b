"""`synchronized=True` on two replicas equals one replica with both halves."""

import subprocess
import sys

import pytest

from tests.support.backends import tensorflow_only

# In a process of its own: devices are divided before TensorFlow starts.
SCRIPT = """
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
halves = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, halves)

from nonlocal_keras import NonLocal3D

x = np.random.default_rng(0).normal(size=(4, 2, 6, 8, 4)).astype("float32")


def layer(**options):
    block = NonLocal3D(kernel_initializer="ones", **options)
    block.build(x.shape)
    block.norm.gamma.assign(np.ones(4))
    return block


alone = layer()
want = alone(x, training=True)

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    shared = layer(synchronized=True)


@tf.function
def step(x):
    return strategy.run(lambda x: shared(x, training=True), args=(x,))


parts = strategy.experimental_distribute_values_from_function(
    lambda context: tf.constant(
        np.split(x, 2)[context.replica_id_in_sync_group]
    )
)
got = tf.concat(strategy.experimental_local_results(step(parts)), axis=0)
np.testing.assert_allclose(got, want, atol=1e-4)
for name in ("moving_mean", "moving_variance"):
    a, b = (np.array(getattr(b.norm, name)) for b in (alone, shared))
    np.testing.assert_allclose(b, a, atol=1e-4)
    assert abs(a - np.array(getattr(layer().norm, name))).max() > 1e-3
print("equal")
"""


@pytest.mark.slow
@tensorflow_only
def test_synchronized_replicas_equal_one_replica():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True
    )
    assert done.stdout.endswith("equal\n"), done.stderr

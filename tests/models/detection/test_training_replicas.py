"""A step of two replicas is the mean of the steps of each."""

import subprocess
import sys

import pytest

from tests.support.backends import tensorflow_only

# In a process of its own: devices are divided before TensorFlow starts.
SCRIPT = """
import keras
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
halves = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, halves)

from tests.support import small_detector

# All anchors and proposals, so that nothing is left to chance, and images of
# their own numbers of objects, so that the mean is not that of one batch.
sampling = {"rpn_samples": 4096, "roi_samples": 64}
backbone = {"normalization": "frozen", "kernel_regularizer": "l2"}
inputs, targets = small_detector.batch()
targets["labels"][1, 1:] = 0


def take(part):
    one = {k: v[part] for k, v in inputs.items()}
    return one, {k: v[part] for k, v in targets.items()}


strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    shared = small_detector.small(backbone)
    optimizer = keras.optimizers.SGD(1e-3)
    small_detector.compiled(shared, optimizer, run_eagerly=False, **sampling)
start = shared.get_weights()

alone = small_detector.small(backbone)
alone.set_weights(start)
losses, ends = [], []
for image in (0, 1):
    alone.set_weights(start)
    optimizer = keras.optimizers.SGD(1e-3)
    small_detector.compiled(alone, optimizer, **sampling)
    batch = take(slice(image, image + 1))
    losses.append(alone.train_on_batch(*batch, return_dict=True))
    ends.append(alone.get_weights())

dataset = tf.data.Dataset.from_tensor_slices((inputs, targets)).batch(2)
logs = shared.fit(dataset, verbose=0).history
for name, value in logs.items():
    want = np.mean([one[name] for one in losses])
    np.testing.assert_allclose(value[0], want, rtol=1e-4, err_msg=name)
moved = 0
for first, end, *parts in zip(start, shared.get_weights(), *ends):
    want = np.mean(parts, axis=0) - first
    scale = abs(want).max()
    np.testing.assert_allclose(end - first, want, atol=1e-2 * scale + 1e-6)
    moved += scale > 1e-4
assert moved > 20
print("equal")
"""


@pytest.mark.slow
@tensorflow_only
def test_a_step_of_two_replicas_is_the_mean_of_both():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True
    )
    assert done.stdout.endswith("equal\n"), done.stderr

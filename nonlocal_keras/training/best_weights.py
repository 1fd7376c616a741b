"""The best weights of a run, and its end when they get no better.

Both are kept in one file beside the checkpoints, so that a run that was killed
goes on as if it had not been: `best.npz`, replaced as a whole.
"""

import pathlib

import keras
from absl import logging

from nonlocal_keras.training import checkpoints

NAME = "best.npz"


class BestWeights(keras.callbacks.Callback):
    """Keeps the weights of the best validation, and ends `fit()` without one.

    Args:
        directory: String or path of the folder of checkpoints.
        monitor: String, the number in the logs that is to grow.
        patience: Integer, parts of a run without a better one after which it
            ends.
        per_part: Integer, steps of a part.
    """

    def __init__(self, directory, monitor, patience, per_part):
        super().__init__()
        self.path = pathlib.Path(directory) / NAME
        self.monitor, self.patience = monitor, patience
        self.per_part = per_part
        self.value, self.step = _read_numbers(self.path)

    def on_epoch_end(self, epoch, logs=None):
        step = checkpoints.steps_done(self.model)
        if self.value is None or logs[self.monitor] > self.value:
            self.value, self.step = float(logs[self.monitor]), step
            self._write()
        if self.is_over(step):
            self.model.stop_training = True

    def is_over(self, step):
        """Returns whether a run has ended early at a step."""
        if self.value is None:
            return False
        return step - self.step >= self.patience * self.per_part

    def restore(self, model, say=logging.info):
        """Puts the best weights into a model and says which they are."""
        if self.value is None:
            return
        arrays = checkpoints.read_arrays(self.path)
        number = len(model.weights)
        model.set_weights([arrays[f"{i:05d}"] for i in range(number)])
        say(f"best {self.monitor}: {self.value:.1%}, after step {self.step}")

    def _write(self):
        weights = enumerate(self.model.get_weights())
        arrays = {f"{i:05d}": array for i, array in weights}
        checkpoints.write_arrays(
            self.path, {**arrays, "value": self.value, "step": self.step}
        )


def _read_numbers(path):
    """Returns the best value and its step, `None` and 0 without any."""
    if not path.exists():
        return None, 0
    try:
        arrays = checkpoints.read_arrays(path)
        return float(arrays["value"]), int(arrays["step"])
    # Whatever its bytes are now: a part that follows writes it anew.
    except Exception as error:
        logging.warning("Leaving out the damaged file %s: %s", path, error)
        return None, 0

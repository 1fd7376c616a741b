"""A user's own script: `fit()` on clips, ended in the way that is asked for.

    python -m tests.support.fit_worker STRATEGY WAY...

Every way but the last is caught.
"""

import os
import pathlib
import signal
import sys
import time

import keras
import numpy as np

from nonlocal_keras import data
from nonlocal_keras.training import strategies


class Reader:
    """Clips that keep the interpreter busy, as a decoder's wrapper does."""

    spec = data.ClipSpec(frames=2, stride=1, size=8, short_side=(8, 8))

    def __init__(self, last=10**9):
        self.last = last

    def training_clip(self, number):
        end = time.monotonic() + 0.002
        while time.monotonic() < end:
            pass
        if number > self.last:
            raise ValueError("this clip is made of rubber")
        return np.zeros((2, 8, 8, 3), np.uint8), np.int32(0)


class Ending(keras.callbacks.Callback):
    def __init__(self, way):
        super().__init__()
        self.way = way

    def on_train_batch_end(self, batch, logs=None):
        if batch != 3:
            return
        if self.way == "callback":
            raise RuntimeError("this callback has had enough")
        if self.way == "interrupt":
            signal.raise_signal(signal.SIGINT)
        if self.way == "wait":
            # For a signal from outside, at any moment of what follows.
            pathlib.Path(os.environ["FIT_WORKER_READY"]).touch()


def fit(model, way):
    reader = Reader(last=20) if way == "reader" else Reader()
    model.fit(
        data.training_dataset(reader, batch_size=4),
        steps_per_epoch=5 if way == "normal" else 100_000,
        verbose=0,
        callbacks=[Ending(way)],
    )


def main(strategy, *ways):
    with strategies.make_strategy(strategy).scope():
        model = keras.Sequential(
            [
                keras.Input((2, 8, 8, 3)),
                keras.layers.Flatten(),
                keras.layers.Dense(2, activation="softmax"),
            ]
        )
        model.compile("sgd", "sparse_categorical_crossentropy")
    for way in ways[:-1]:
        try:
            fit(model, way)
            print(f"{way}: went to its end", flush=True)
        except BaseException as error:
            print(f"{way}: {type(error).__name__}: {error}", flush=True)
    fit(model, ways[-1])


if __name__ == "__main__":
    main(*sys.argv[1:])

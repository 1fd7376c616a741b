"""An exported model, and who asks it, for the tests of serving."""

import contextlib
import io
import json
import pathlib
import subprocess
import sys

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from nonlocal_keras.data import longrange
from tests.support import small

STAND_IN = pathlib.Path(__file__).with_name("serving_stand_in.py")
NAME = "tiny"
# The least that is exported.
PLAIN = {"signatures": ("serving_default",), "warmup": False}
PREPROCESSING = {
    key: value
    for key, value in small.record()["input"].items()
    if key != "channels"
}


def classifier(**options):
    """A small classifier whose answers differ from video to video."""
    keras.utils.set_random_seed(1)
    model = small.classifier(
        labels=small.LABELS, preprocessing=PREPROCESSING, **options
    )
    kernel, bias = model.get_layer("pred").get_weights()
    model.get_layer("pred").set_weights([3 * kernel, bias])
    return model


@contextlib.contextmanager
def serving(folder):
    """Runs the stand-in for Serving; gives what it prints at its start."""
    process = subprocess.Popen(
        [sys.executable, str(STAND_IN), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()


def video(seed=0, height=50, width=70):
    frames, _ = longrange.draw_clip(seed)
    return tf.image.resize(frames, (height, width)).numpy().astype("uint8")


def jpegs(frames):
    """Encoded frames, and what another decoder makes of them."""
    images = [tf.io.encode_jpeg(x).numpy() for x in frames]
    decoded = [np.asarray(Image.open(io.BytesIO(x))) for x in images]
    return images, np.stack(decoded)


def expected(model, frames):
    return model.predict(model.preprocess(frames), verbose=0)

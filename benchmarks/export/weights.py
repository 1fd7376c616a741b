"""Trains full-width models for some minutes, for `benchmarks.export`.

    python -m benchmarks.export.weights build/benchmarks/weights

Random weights say nothing of quantization: a random ResNet-50 turns a small
error into another answer. These models learn the colours of the two badges of
the long-range benchmark, 10 pairs without order, which takes no relation in
time. Hues deviate, so that no model is right on all clips. Most steps are on
small clips; the statistics of the normalizations and the dense layer are then
fitted to clips of the size that is exported.
"""

import argparse
import itertools
import pathlib

import keras
import numpy as np

from benchmarks.export.cases import MODELS
from nonlocal_keras import models
from nonlocal_keras.data import longrange
from nonlocal_keras.models import VideoClassifier

FRAMES, SIZE, SMALL = 8, 224, 64
PAIRS = list(itertools.combinations_with_replacement(range(4), 2))
# Disjoint ranges of seeds.
TRAINING, FITTING, TEST = 0, 1_000_000, 2_000_000
BATCH = 16


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--model", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--fitting", type=int, default=240, help="clips of 224")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.model:
        keras.utils.set_random_seed(0)
        model = build(name)
        train(model, arguments.steps)
        fit_to_size(model, arguments.fitting)
        model.save(arguments.folder / f"{name}.keras")


def build(name):
    backbone = models.video_resnet(
        MODELS[name],
        depth=50,
        non_local=5,
        family="vnl_8x8",
        input_shape=(FRAMES, None, None, 3),
    )
    labels = [f"{a} and {b}" for a, b in PAIRS]
    return VideoClassifier(backbone, len(PAIRS), labels=labels)


def clips(first_seed, count, size):
    """Draws clips `(count, frames, size, size, 3)` around 0, and labels."""
    drawn, labels = [], []
    for seed in range(first_seed, first_seed + count):
        rings, _ = longrange.draw_relation(seed)
        frames, _ = longrange.draw_clip(seed)
        places = np.linspace(0, len(frames) - 1, FRAMES).round().astype(int)
        drawn.append(frames[places])
        labels.append(PAIRS.index(tuple(sorted(rings))))
    flat = np.concatenate(drawn).astype("float32") / 127.5 - 1.0
    scaled = keras.ops.image.resize(
        flat, (size, size), interpolation="bilinear"
    )
    scaled = keras.ops.convert_to_numpy(scaled)
    return scaled.reshape(count, FRAMES, size, size, 3), np.array(labels)


def train(model, steps):
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps, warmup_target=5e-4, warmup_steps=steps // 10
    )
    compile_for(model, keras.optimizers.AdamW(schedule, weight_decay=1e-4))
    for step in range(steps):
        x, y = clips(TRAINING + step * BATCH, BATCH, SMALL)
        loss, accuracy = model.train_on_batch(x, y)
        if step % 20 == 19:
            print(
                f"{model.backbone.name} {step + 1}: {loss:.3f} {accuracy:.3f}"
            )


def fit_to_size(model, count):
    """Fits statistics and the dense layer to clips of the full size."""
    x, y = clips(FITTING, count, SIZE)
    estimate_statistics(model, x[:48])
    features = keras.Model(
        model.inputs, model.get_layer("pred").input, name="features"
    )
    pooled = features.predict(x, batch_size=4, verbose=0)[:, 0, 0, 0]
    inputs = keras.Input(pooled.shape[1:])
    head = keras.Model(inputs, keras.layers.Dense(len(PAIRS))(inputs))
    head.compile(
        keras.optimizers.Adam(1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    head.fit(pooled, y, batch_size=16, epochs=60, verbose=0)
    model.get_layer("pred").set_weights(head.layers[-1].get_weights())
    x, y = clips(TEST, 60, SIZE)
    best = model.logits.predict(x, batch_size=4, verbose=0).argmax(axis=-1)
    print(
        f"{model.backbone.name}: accuracy {np.mean(best == y):.3f} of 60 clips"
    )


def estimate_statistics(model, x):
    """Sets the statistics of every layer to the mean of several batches."""
    before = {v.path: np.array(v) for v in model.backbone.non_trainable_weights}
    found = {path: [] for path in before}
    for start in range(0, len(x), 8):
        for v in model.backbone.non_trainable_weights:
            v.assign(np.zeros(v.shape))
        # One pass moves a statistic from 0 by (1 - momentum) of the batch's.
        model.backbone(x[start : start + 8], training=True)
        for v in model.backbone.non_trainable_weights:
            found[v.path].append(np.array(v))
    momentum = {
        weight.path: layer.momentum
        for layer in model.backbone._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
        for weight in layer.non_trainable_weights
    }
    for v in model.backbone.non_trainable_weights:
        if v.path in momentum:
            v.assign(np.mean(found[v.path], axis=0) / (1 - momentum[v.path]))
        else:
            v.assign(before[v.path])


def compile_for(model, optimizer):
    loss = keras.losses.SparseCategoricalCrossentropy()
    model.compile(optimizer, loss, metrics=["accuracy"])


if __name__ == "__main__":
    main()

"""The worker of `benchmarks.export`: makes one file, or runs it."""

import pathlib

import keras
import numpy as np
import tensorflow as tf

import nonlocal_keras
from benchmarks import serving
from benchmarks import versions
from benchmarks.export import cases
from benchmarks.export import weights
from nonlocal_keras import export
from nonlocal_keras.export import litert
from nonlocal_keras.export import onnx
from nonlocal_keras.export import parity

SHAPE = weights.FRAMES, weights.SIZE, weights.SIZE
RUNTIMES = ("ai-edge-litert", "onnxruntime", "tf2onnx")
# Wide: what a file loses is what is measured here.
TOLERANCE = 1.0


def prepare(case):
    if "make" in case:
        return _make(case)
    run = _runner(case)
    clips, _ = weights.clips(weights.TEST, 1, weights.SIZE)
    clip = tf.constant(clips) if case["way"] in cases.GRAPHS else clips
    return serving.Work(lambda: run(clip), lambda y: {"logits": np.asarray(y)})


def _make(case):
    """Exports, predicts test clips, and tells what was lost."""
    clips, labels = weights.clips(weights.TEST, case["make"], weights.SIZE)
    model = _model(case)
    size = _export(model, case, clips[:2])
    run, best = _runner(case), []

    def predict(clip):
        logits = np.asarray(run(clip))
        best.append(logits.argmax())
        return logits

    # Any difference is a result.
    found = parity.compare(
        _expected(case, model, clips), predict, clips, float("inf")
    )
    told = {
        "relative": found.relative,
        "agreement": found.agreement,
        "accuracy": float(np.mean(best == labels)),
        "size": size,
    }
    return serving.Work(dict, dict, lambda: told)


def _expected(case, model, clips):
    """Returns the logits of the model, left by the first way for the others."""
    path = pathlib.Path(case["folder"], "expected.npy")
    if not path.exists():
        np.save(path, model.logits.predict(clips, batch_size=1, verbose=0))
    return np.load(path)


def _export(model, case, clips):
    """Writes the file of a way; returns its bytes, or None for a graph."""
    way, path = case["way"], _path(case)
    if way in cases.GRAPHS:
        return None
    if way == "serving":
        model.preprocessing = {
            "frames": SHAPE[0],
            "size": SHAPE[1],
            "short_side": SHAPE[1],
            "mean": [0.5] * 3,
            "std": [0.5] * 3,
        }
        export.to_serving(model, path, name="model", clips=clips, warmup=False)
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    if way == "onnx":
        return export.to_onnx(model, path, clips).size
    representative = None
    if way == "int8":
        representative, _ = weights.clips(weights.FITTING, 64, weights.SIZE)
    return export.to_litert(
        model,
        path,
        None if way == "litert" else way,
        representative,
        clips,
        tolerance=TOLERANCE,
    ).size


def _path(case):
    return pathlib.Path(case["folder"], case["way"])


def _runner(case):
    """Returns a function from a clip to its logits, by one way."""
    way, path = case["way"], _path(case)
    threads = versions.threads()
    if way == "onnx":
        return onnx.runner(path, threads)
    if way == "serving":
        served = tf.saved_model.load(path / "model" / "1")
        signature = served.signatures["serving_default"]
        return lambda clip: signature(clip=tf.constant(clip))["logits"]
    if way not in cases.GRAPHS:
        return litert.runner(path, threads)
    model = _model(case)
    if way != "keras":
        model = nonlocal_keras.optimize_for_inference(
            model, dtype="bfloat16" if way == "bfloat16" else None
        )
    graph = tf.function(
        lambda clip: model.logits(clip, training=False), autograph=False
    )
    graph.get_concrete_function(tf.TensorSpec((1, *SHAPE, 3)))
    return graph


def _model(case):
    return keras.saving.load_model(case["weights"], compile=False)


if __name__ == "__main__":
    serving.serve(prepare, versions.of_ours(*RUNTIMES))

"""The worker that runs our models, converted from those of the other side."""

import keras
import tensorflow as tf

import nonlocal_keras
from benchmarks import serving
from benchmarks import versions
from benchmarks.model import cases
from benchmarks.model import profile_graph
from nonlocal_keras import convert
from nonlocal_keras.analysis import macs
from nonlocal_keras.models import VideoClassifier
from nonlocal_keras.models import VideoResNet


def prepare(case):
    if case["work"] == "matmul":
        return _matmul(case["precision"])
    model = _model(case)
    clip = tf.constant(cases.clip(case))
    if cases.is_training(case):
        step = _training_step(model, tf.constant(cases.labels(case)))
        name = "loss"
    else:
        logits = _inference(model, case)
        step, name = (lambda x: logits(x, training=False)), "logits"
    graph = tf.function(step, autograph=False)
    graph.get_concrete_function(clip)  # Traced here, not in the first run.

    def run():
        return graph(clip)

    def tell():
        return {
            "gmacs": macs.total(macs.count(model)).macs / 1e9,
            "profile": profile_graph.seconds_by_kind(run),
        }

    # Single numbers as arrays; half precision as float32.
    return serving.Work(
        run, lambda y: {name: tf.cast(y, "float32").numpy()}, tell
    )


def _model(case):
    """Returns the converted model, for `way="remat"` one that recomputes."""
    policy = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
    if case["way"] == "optimized":
        policy["bfloat16"] = "float32"  # It is rounded when it is optimized.
    shape = case["frames"], case["size"], case["size"], 3
    model, _ = convert.convert(
        case["checkpoint"],
        case["project"],
        input_shape=shape,
        dtype=policy[case["precision"]],
        # Both sides drop nothing, so that their losses can be compared.
        dropout=0.0,
    )
    if case["way"] != "remat":
        return model
    config = {**model.backbone.get_config(), "remat": True}
    backbone = VideoResNet.from_config(config)
    again = VideoClassifier(backbone, cases.CLASSES, dropout=0.0)
    again.set_weights(model.get_weights())
    return again


def _inference(model, case):
    if case["way"] == "graph":
        return model.logits
    if case["way"] == "optimized":
        half = case["precision"] == "bfloat16"
        return nonlocal_keras.optimize_for_inference(
            model, dtype="bfloat16" if half else None
        ).logits
    raise ValueError(
        "`way` of an inference must be 'graph' or 'optimized'. "
        f"Received: way={case['way']!r}"
    )


def _training_step(model, labels):
    optimizer = keras.optimizers.SGD(1e-4, momentum=0.9)
    optimizer.build(model.trainable_variables)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def step(clip):
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model.logits(clip, training=True))
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return step


def _matmul(precision):
    n = cases.MATMUL
    a = tf.cast(tf.random.normal((n, n)), precision)
    product = tf.function(lambda: tf.matmul(a, a))
    product.get_concrete_function()
    return serving.Work(product, dict)


if __name__ == "__main__":
    serving.serve(prepare, versions.of_ours())

"""The worker that runs our detector, converted from that of torchvision."""

import keras
import tensorflow as tf

from benchmarks import serving
from benchmarks import versions
from benchmarks.detection import cases
from benchmarks.model import profile_graph
from nonlocal_keras import convert
from tests.support.training_scene import LOSSES


def prepare(case):
    model, _ = convert.convert(
        case["checkpoint"], "torchvision", min_size=case["size"]
    )
    images = cases.images(case)
    work = _training if case["work"] == "training" else _inference
    return work(model, images, case)


def _inference(model, images, case):
    def run():
        return model.predict(images)

    return serving.Work(run, _detections, _profile(run))


def _detections(found):
    """Returns the detections of all images, in the words of torchvision."""
    arrays = {}
    for place, number in enumerate(found["num_detections"]):
        arrays |= {
            f"boxes_{place}": found["boxes"][place, :number],
            f"labels_{place}": found["labels"][place, :number],
            f"scores_{place}": found["confidence"][place, :number],
            f"masks_{place}": found["masks"][place][:, None],
        }
    return arrays


def _training(model, images, case):
    samples = cases.SAMPLES[case["samples"]]
    optimizer = keras.optimizers.SGD(1e-6, momentum=0.9)
    model.compile(optimizer, **samples)
    optimizer.build(model.trainable_variables)
    targets = {k: tf.constant(v) for k, v in cases.targets(case).items()}

    @tf.function(autograph=False)
    def step(inputs):
        with tf.GradientTape() as tape:
            losses = model.losses_of(inputs, targets)
            total = sum(losses.values())
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(total, variables), variables)
        return losses

    def run():
        inputs = model.preprocess(images)
        return step({k: tf.constant(v) for k, v in inputs.items()})

    return serving.Work(
        run,
        lambda losses: {LOSSES[k]: v.numpy() for k, v in losses.items()},
        _profile(run),
    )


def _profile(run):
    return lambda: {
        "profile": profile_graph.seconds_by_kind(run, times=1, most=12)
    }


if __name__ == "__main__":
    serving.serve(prepare, versions.of_ours())

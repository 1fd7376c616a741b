"""The worker that runs our non-local operation and block in TensorFlow."""

import numpy as np
import tensorflow as tf

import nonlocal_keras
from benchmarks import serving
from benchmarks import versions
from benchmarks.op import cases
from nonlocal_keras.ops import weighted_sum


def prepare(case):
    arrays = cases.draw(case)
    make = _operation if case["part"] == "operation" else _block
    function, inputs = make(case, arrays)
    if case["training"]:
        function = _with_gradients(function)
        inputs["dy"] = arrays["dy"]
    # Tensors of its own for each time, lest a graph does equal work once.
    repeats = case.get("repeats", 1)
    times = [
        {name: tf.constant(value) for name, value in inputs.items()}
        for _ in range(repeats)
    ]
    del arrays, inputs
    graph = tf.function(_one_after_the_other(function), autograph=False)
    # Traced here: the graph is no part of what a run takes.
    graph.get_concrete_function(times)
    _start_threads()
    return serving.Work(
        lambda: graph(times),
        lambda outputs: _arrays(outputs[-1], case),
        repeats=repeats,
    )


def _one_after_the_other(function):
    def all_times(times):
        # All are returned: a graph leaves out what nobody asks for.
        outputs = []
        for inputs in times:
            with tf.control_dependencies(tf.nest.flatten(outputs[-1:])):
                inputs = {n: tf.identity(x) for n, x in inputs.items()}
            outputs.append(function(inputs))
        return outputs

    return all_times


def _operation(case, arrays):
    options = {"pairwise": case["pairwise"], "implementation": _way(case)}
    if case["pairwise"] == "embedded_gaussian":
        options["scale"] = cases.WIDTH**-0.5
    if case["pairwise"] == "concatenation":
        options["w_f"] = tf.constant(arrays["w_f"])

    def function(inputs):
        return weighted_sum.weighted_sum(
            inputs["theta"], inputs["phi"], inputs["g"], **options
        )

    return function, {name: arrays[name] for name in ("theta", "phi", "g")}


def _block(case, arrays):
    layer = nonlocal_keras.NonLocal3D(
        pairwise=case["pairwise"],
        scale=None if case["pairwise"] == "embedded_gaussian" else 1.0,
        pool_size=cases.POOL if case["sub_sample"] else None,
        # mmcv has no bias where a normalization follows.
        output_bias=False,
        implementation=_way(case),
    )
    layer.build(arrays["x"].shape)
    for name in ("theta", "phi", "g", "w_z"):
        for kind in ("kernel", "bias"):
            if f"{name}.{kind}" in arrays:
                value = arrays[f"{name}.{kind}"]
                getattr(getattr(layer, name), kind).assign(value)
    layer.norm.gamma.assign(arrays["gamma"])
    layer.norm.beta.assign(arrays["beta"])
    if case["pairwise"] == "concatenation":
        layer.w_f.assign(arrays["w_f"])

    def function(inputs):
        return layer(inputs["x"], training=case["training"])

    return function, {"x": arrays["x"]}


def _way(case):
    return case.get("implementation", "auto")


def _with_gradients(function):
    def both(inputs):
        dy = inputs.pop("dy")
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            y = function(inputs)
        variables = tape.watched_variables()
        gradients = tape.gradient(y, [inputs, *variables], dy)
        # The gradients of the variables are computed, as in training.
        return {"y": y, **gradients[0]}, gradients[1:]

    return both


def _start_threads():
    """Starts the pools of threads, so that no case is charged for them."""
    a = tf.ones((512, 512))
    tf.matmul(a, a)


def _arrays(outputs, case):
    if not case["training"]:
        return {"y": np.asarray(outputs)}
    return {name: np.asarray(x) for name, x in outputs[0].items()}


if __name__ == "__main__":
    serving.serve(prepare, versions.of_ours())

"""The worker of our whole models under JAX."""

import concurrent.futures

import jax
import keras
import numpy as np

from benchmarks.gpu import clock
from benchmarks.gpu import model_inputs
from benchmarks.gpu import profiles
from benchmarks.gpu import worker
from benchmarks.model import cases as model_cases

RATE, MOMENTUM = 1e-4, 0.9
# Programs that are compiled at the same time.
TOGETHER = 3


def main():
    desk = worker.begin()
    checkpoint = model_inputs.checkpoint(desk.folder, desk.cases[0])
    # Half precision, and what is compiled in less time, come first.
    told = sorted(
        desk.cases,
        key=lambda c: (c["precision"], model_cases.is_training(c)),
    )
    with concurrent.futures.ThreadPoolExecutor(TOGETHER) as threads:
        for start in range(0, len(told), TOGETHER):
            some = told[start : start + TOGETHER]
            _measure_some(desk, threads, some, checkpoint)


def _measure_some(desk, threads, some, checkpoint):
    begun = []
    for case in some:
        if desk.is_over():
            break
        try:
            # Traced in this thread: Keras keeps its state by thread.
            traced, arguments = _trace(case, checkpoint)
        except Exception as error:
            desk.fail(case, "ours", error)
            continue
        begun.append((case, threads.submit(traced.compile), arguments))
    desk.wait([found for _, found, _ in begun])
    for case, compiling, arguments in begun:
        desk.attempt(
            case,
            "ours",
            lambda: _measure(desk, case, worker.compiled(compiling), arguments),
        )
        if case in model_inputs.profiled(desk):
            desk.attempt(
                case,
                "profile",
                lambda: _profile(case, worker.compiled(compiling), arguments),
            )


def _measure(desk, case, executable, arguments):
    call, first = _runner(case, executable, arguments)
    name = "loss" if model_cases.is_training(case) else "logits"
    found = {name: np.asarray(first, "float32")}
    file = model_inputs.expected_path(desk.folder, case)
    return {
        "difference": model_inputs.differences(file, found),
        **clock.with_jax(executable, [()], call),
    }


def _runner(case, executable, arguments):
    """Returns a function without arguments, and its first result.

    A step of training takes the memory of the variables it is given, and
    gives new ones to the next step.
    """
    if not model_cases.is_training(case):
        return lambda: executable(*arguments), executable(*arguments)
    fixed = arguments[3:]
    # Copies: the model and its optimizer keep theirs.
    state = jax.tree.map(jax.numpy.copy, arguments[:3])
    first, state = executable(*state, *fixed)

    def step():
        nonlocal state
        loss, state = executable(*state, *fixed)
        return loss

    return step, first


def _profile(case, executable, arguments):
    call, _ = _runner(case, executable, arguments)
    return profiles.with_jax(call)


def _trace(case, checkpoint):
    """Returns the program of a case, and its arguments."""
    logits = model_inputs.ours(case, checkpoint)
    clip = jax.numpy.asarray(model_cases.clip(case))
    precision = "tensorfloat32" if case["precision"] == "tf32" else "default"
    with jax.default_matmul_precision(precision):
        if model_cases.is_training(case):
            return _trace_training(case, logits, clip)
        arguments = (*_state(logits), clip)

        def function(trainable, fixed, clip):
            y, _ = logits.stateless_call(trainable, fixed, clip, training=False)
            return y

        return jax.jit(function).lower(*arguments), arguments


def _trace_training(case, logits, clip):
    labels = jax.numpy.asarray(model_cases.labels(case))
    optimizer = keras.optimizers.SGD(RATE, momentum=MOMENTUM)
    optimizer.build(logits.trainable_variables)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def loss_and_state(trainable, fixed, clip, labels):
        y, fixed = logits.stateless_call(trainable, fixed, clip, training=True)
        return loss_of(labels, y), fixed

    def step(trainable, fixed, slots, clip, labels):
        (loss, fixed), gradients = jax.value_and_grad(
            loss_and_state, has_aux=True
        )(trainable, fixed, clip, labels)
        trainable, slots = optimizer.stateless_apply(
            slots, gradients, trainable
        )
        return loss, (trainable, fixed, slots)

    slots = [v.value for v in optimizer.variables]
    arguments = (*_state(logits), slots, clip, labels)
    return jax.jit(step, donate_argnums=(0, 1, 2)).lower(*arguments), arguments


def _state(model):
    return (
        [v.value for v in model.trainable_variables],
        [v.value for v in model.non_trainable_variables],
    )


if __name__ == "__main__":
    main()

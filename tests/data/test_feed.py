"""`training_dataset`: exact, and no thread of TensorFlow waits for Python."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

from nonlocal_keras.data import feed

pytestmark = pytest.mark.usefixtures("interruptible")
ITEM = (tf.TensorSpec((2,), tf.int64),)


def numbers(dataset):
    return [x[:, 0].tolist() for (x,) in dataset.as_numpy_iterator()]


def make(compute, **options):
    return feed.Feed(compute, ITEM, batch_size=3, **options).dataset()


def double(number):
    return (np.full(2, 2 * number),)


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def producers():
    return [t for t in threading.enumerate() if isinstance(t, feed._Producer)]


def test_batches_come_in_order_from_the_first_number_on():
    dataset = make(double, first=5, steps=2)
    assert numbers(dataset) == [[10, 12, 14], [16, 18, 20]]
    assert dataset.cardinality() == 2


def test_order_does_not_depend_on_how_long_an_item_takes():
    def slow_at_first(number):
        time.sleep(0.02 if number < 4 else 0.0)
        return double(number)

    expected = np.arange(0, 60, 2).reshape(10, 3).tolist()
    assert numbers(make(slow_at_first, steps=10)) == expected


def test_two_iterators_at_once_see_the_same_batches():
    dataset = make(double)
    for (a,), (b,) in tf.data.Dataset.zip(dataset, dataset).take(4):
        np.testing.assert_array_equal(a, b)


def test_a_step_computes_no_item_beyond_the_end():
    seen = set()

    def note(number):
        seen.add(number)
        return double(number)

    numbers(make(note, steps=2))
    assert seen == set(range(6))


def test_an_iterator_computes_a_few_batches_ahead_and_no_more():
    seen = set()

    def note(number):
        seen.add(number)
        return double(number)

    iterator = iter(make(note))
    next(iterator)
    time.sleep(0.5)
    assert 3 < len(seen) <= 3 * (1 + 1 + 1 + feed._AHEAD + 1)


def test_an_error_is_quoted_by_the_iterator_and_kept():
    def fail(number):
        if number == 4:
            raise ValueError("clip 4 is made of rubber")
        return double(number)

    source = feed.Feed(fail, ITEM, batch_size=3)
    iterator = iter(source.dataset())
    next(iterator)
    for _ in range(2):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="ValueError: clip 4 is made"
        ):
            next(iterator)
    assert [str(error) for error in source.errors] == [
        "clip 4 is made of rubber"
    ]


def test_an_item_of_another_shape_is_an_error():
    iterator = iter(make(lambda number: (np.zeros(5),)))
    with pytest.raises(tf.errors.InvalidArgumentError, match="ValueError"):
        next(iterator)


def growing(number):
    return (np.full((2, number), number, "float32"),)


def test_items_that_are_whole_batches_have_shapes_of_their_own():
    spec = tf.TensorSpec((2, None), tf.float32)
    dataset = feed.Feed(growing, (spec,), first=3, steps=2).dataset()
    assert dataset.element_spec == (spec,)
    found = [x for (x,) in dataset.as_numpy_iterator()]
    np.testing.assert_array_equal(found[0], np.full((2, 3), 3))
    np.testing.assert_array_equal(found[1], np.full((2, 4), 4))


def test_a_whole_batch_of_another_shape_is_an_error():
    spec = tf.TensorSpec((3, None), tf.float32)
    iterator = iter(feed.Feed(growing, (spec,), first=1).dataset())
    with pytest.raises(tf.errors.InvalidArgumentError):
        next(iterator)


def test_threads_end_with_the_iterator_and_the_dataset():
    before = threading.active_count()
    dataset = make(double)
    iterator = iter(dataset.prefetch(1))
    next(iterator)
    assert len(producers()) == 1
    del iterator
    wait_for(lambda: not producers())
    del dataset
    gc.collect()
    wait_for(lambda: threading.active_count() <= before)


def test_an_iterator_that_goes_while_its_item_is_computed_does_not_wait():
    release = threading.Event()

    def stuck(number):
        if number >= 3:
            release.wait(60)
        return double(number)

    iterator = iter(make(stuck).prefetch(2))
    next(iterator)
    start = time.monotonic()
    del iterator
    assert time.monotonic() - start < 10
    release.set()


def test_a_dataset_lives_as_long_as_what_is_made_of_it():
    iterator = iter(make(double).map(lambda x: x + 1).prefetch(2))
    gc.collect()
    assert next(iterator)[:, 0].numpy().tolist() == [1, 3, 5]


def test_a_dataset_collected_while_a_function_is_traced_adds_nothing_to_it():
    datasets = [make(double)]

    @tf.function
    def traced():
        datasets.clear()
        gc.collect()
        return tf.constant(1)

    graph = traced.get_concrete_function().graph
    assert {op.type for op in graph.get_operations()} == {"Const", "Identity"}


def start(*arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.support.fit_worker", *arguments],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("strategy", ["one_device", "mirrored"])
def test_fit_ends_at_an_error_of_a_callback_or_reader_and_at_an_interrupt(
    strategy,
):
    ways = ("normal", "callback", "reader", "interrupt")
    process = start(strategy, *ways, "callback")
    # Pipelines of TensorFlow that call Python wait for ever here.
    output, _ = process.communicate(timeout=300)
    assert "normal: went to its end" in output, output
    assert "callback: RuntimeError: this callback has had enough" in output
    assert "reader: InvalidArgumentError" in output
    assert "ValueError: this clip is made of rubber" in output
    assert "interrupt: KeyboardInterrupt" in output
    assert output.rstrip().endswith(
        "RuntimeError: this callback has had enough"
    )
    assert process.returncode == 1


def test_ctrl_c_ends_a_script_within_seconds(tmp_path):
    ready = tmp_path / "ready"
    process = start("one_device", "wait", FIT_WORKER_READY=str(ready))
    wait_for(ready.exists, 120)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert output.rstrip().endswith("KeyboardInterrupt"), output
    assert process.returncode == -signal.SIGINT


def test_jax_trains_on_the_dataset():
    code = (
        "import keras\n"
        "from nonlocal_keras import data\n"
        "from tests.support import fit_worker\n"
        "model = keras.Sequential([keras.layers.Flatten(), "
        "keras.layers.Dense(2, activation='softmax')])\n"
        "model.compile('sgd', 'sparse_categorical_crossentropy')\n"
        "batches = data.training_dataset(fit_worker.Reader(), 4, steps=3)\n"
        "model.fit(batches, verbose=0)\n"
        "print(keras.backend.backend(), model.optimizer.iterations.value)\n"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert process.stdout.split() == ["jax", "3"], process.stderr

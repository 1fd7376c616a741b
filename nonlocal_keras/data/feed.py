"""Batches computed by threads of Python, as a `tf.data.Dataset`.

TensorFlow destroys an iterator while the interpreter is locked, and waits
there for the threads of the pipeline. A pipeline whose threads call Python
(`numpy_function`, `from_generator`) can therefore wait for ever: for a thread
that waits for the interpreter. Here none does. Threads of our own compute the
batches and put them into a queue of TensorFlow, one queue per iterator; the
pipeline takes them out, and closes the queue when the iterator goes.
"""

import atexit
import collections
import functools
import itertools
import os
import queue
import threading
import time
import weakref

import numpy as np

# Batches that are being computed while the one before them is put.
_AHEAD = 2
# Seconds after which a producer looks whether its iterator still exists.
_PATIENCE = 0.5
# Seconds that the end of the process waits for threads to leave TensorFlow.
_FAREWELL = 2.0

_producers = weakref.WeakSet()
_kept = []
# Doors of datasets that are gone.
_closing = queue.SimpleQueue()


class Feed:
    """Feeds each iterator of a dataset the same batches.

    Args:
        compute: Function from the number of an item to a tuple of arrays,
            called by several threads at once.
        item: Tuple of `tf.TensorSpec`, of one item.
        batch_size: Integer, items per batch. `None` if each item is a whole
            batch, whose shape may be unknown in part. Defaults to `None`.
        first: Integer, number of the first item. Defaults to `0`.
        steps: Integer, number of batches. `None` for no end. Defaults to
            `None`.

    Attributes:
        errors: List of what `compute` has raised. An iterator raises it as
            an error of TensorFlow that quotes it.
    """

    def __init__(self, compute, item, batch_size=None, first=0, steps=None):
        import tensorflow as tf

        self.compute, self.errors = compute, []
        self.stacked = batch_size is not None
        self.items = batch_size if self.stacked else 1
        self.first, self.steps = first, steps
        self.specs = list(item)
        if self.stacked:
            self.specs = [
                tf.TensorSpec((batch_size, *spec.shape), spec.dtype)
                for spec in item
            ]

    def dataset(self):
        """Returns the batches as a `tf.data.Dataset`."""
        import tensorflow as tf

        with tf.device("CPU:0"):
            # Holds the queue of the next iterator until that comes for it.
            door = tf.queue.FIFOQueue(1, [tf.resource], [()])
            functions = _functions(door, self.specs)
            batches = _generator_dataset(self.specs, *functions)
        # Whatever is made from this dataset refers to it, and so keeps the
        # functions. When all of that is gone, the thread ends.
        batches.functions = functions
        weakref.finalize(batches, _closing.put, door).atexit = False
        _start_once(_close_doors)
        _start(_welcome, self, door)
        if self.steps is None:
            cardinality = tf.data.INFINITE_CARDINALITY
        else:
            batches, cardinality = batches.take(self.steps), self.steps
        return batches.apply(
            tf.data.experimental.assert_cardinality(cardinality)
        )


def _generator_dataset(specs, begin, take, end):
    import tensorflow as tf

    variant = tf.raw_ops.GeneratorDataset(
        init_func=begin,
        init_func_other_args=begin.captured_inputs,
        next_func=take,
        next_func_other_args=take.captured_inputs,
        finalize_func=end,
        finalize_func_other_args=end.captured_inputs,
        output_types=[spec.dtype for spec in specs],
        output_shapes=[spec.shape for spec in specs],
    )
    return tf.data.experimental.from_variant(variant, tuple(specs))


def _functions(door, specs):
    """Returns what an iterator does at its begin, for a batch, at its end.

    Operations of TensorFlow only: some run while the interpreter is locked.
    """
    import tensorflow as tf

    @tf.function(input_signature=[])
    def begin():
        return door.dequeue()

    @tf.function(input_signature=[tf.TensorSpec((), tf.resource)])
    def take(channel):
        *batch, error = tf.raw_ops.QueueDequeueV2(
            handle=channel,
            component_types=[*(spec.dtype for spec in specs), tf.string],
        )
        check = tf.debugging.Assert(tf.equal(error, ""), [error])
        with tf.control_dependencies([check]):
            return [
                tf.ensure_shape(tensor, spec.shape)
                for tensor, spec in zip(batch, specs)
            ]

    @tf.function(input_signature=[tf.TensorSpec((), tf.resource)])
    def end(channel):
        tf.raw_ops.QueueCloseV2(handle=channel, cancel_pending_enqueues=True)
        return tf.constant(0, tf.int64)

    return [f.get_concrete_function() for f in (begin, take, end)]


def _welcome(feed, door):
    """Makes a queue for each iterator that begins, and a thread to fill it."""
    import tensorflow as tf

    types = [*(spec.dtype for spec in feed.specs), tf.string]
    waiting = None
    with tf.device("CPU:0"):
        try:
            while True:
                channel = tf.queue.FIFOQueue(1, types)
                # Returns when an iterator has taken the queue before.
                door.enqueue(channel.queue_ref)
                if waiting is not None:
                    _Producer(feed, waiting).start()
                waiting = channel
        except tf.errors.CancelledError:
            pass  # The dataset is gone.


def _close_doors():
    """Closes the doors of datasets that are gone.

    A thread of its own: the garbage collector may call in the middle of a
    function that TensorFlow traces, which would make the operation its part.
    """
    for door in iter(_closing.get, None):
        door.close(cancel_pending_enqueues=True)


class _GoneError(Exception):
    """The iterator does not exist any more."""


class _Producer(threading.Thread):
    """Fills the queue of one iterator until that is gone."""

    def __init__(self, feed, channel):
        super().__init__(daemon=True)
        self.feed, self.channel = feed, channel
        self.stopped = threading.Event()
        _producers.add(self)

    def run(self):
        tasks = queue.SimpleQueue()
        workers = [
            _start(_work, tasks, self.stopped)
            for _ in range(os.cpu_count() or 1)
        ]
        try:
            message = self._serve(tasks)
            # The queue must exist as long as its iterator, which closes it.
            nothing = _Batch(self.feed)
            while True:
                self._put(nothing, message)
        except _GoneError:
            pass
        finally:
            self.stopped.set()
            for _ in workers:
                tasks.put(None)

    def stop(self):
        """Ends this thread soon, even if its iterator still waits."""
        self.stopped.set()
        self.channel.close(cancel_pending_enqueues=True)

    def _serve(self, tasks):
        """Puts all batches; returns the reason why there are no more."""
        try:
            for batch in self._batches(tasks):
                self._put(batch, "")
        except _GoneError:
            raise
        except BaseException as error:
            self.feed.errors.append(error)
            return f"{type(error).__name__}: {error}"
        return "There are no more batches"

    def _put(self, batch, message):
        import tensorflow as tf

        try:
            with tf.device("CPU:0"):
                self.channel.enqueue([*batch.arrays, message])
        except tf.errors.CancelledError:
            raise _GoneError from None

    def _batches(self, tasks):
        """Yields the batches in their order, and has others computed."""
        feed, pending = self.feed, collections.deque()
        steps = itertools.count() if feed.steps is None else range(feed.steps)
        for step in steps:
            batch = _Batch(feed)
            first = feed.first + step * feed.items
            for place in range(feed.items):
                tasks.put((batch, place, first + place))
            pending.append(batch)
            if len(pending) > _AHEAD:
                yield self._finished(pending.popleft())
        for batch in pending:
            yield self._finished(batch)

    def _finished(self, batch):
        for _ in range(self.feed.items):
            while not batch.done.acquire(timeout=_PATIENCE):
                if self.stopped.is_set() or self.channel.is_closed():
                    raise _GoneError
        if batch.error is not None:
            raise batch.error
        return batch


class _Batch:
    """Arrays that several threads fill, item by item."""

    def __init__(self, feed):
        self.compute, self.stacked = feed.compute, feed.stacked
        # Where the length of an axis is unknown, it is 0 until it is filled.
        self.arrays = [
            np.zeros([n or 0 for n in spec.shape], spec.dtype.as_numpy_dtype)
            for spec in feed.specs
        ]
        self.error, self.done = None, threading.Semaphore(0)

    def fill(self, place, number):
        try:
            item = self.compute(number)
            if self.stacked:
                for array, value in zip(self.arrays, item, strict=True):
                    array[place] = value
            else:
                self.arrays = list(item)
        except BaseException as error:
            self.error = error
        self.done.release()


def _work(tasks, stopped):
    for batch, place, number in iter(tasks.get, None):
        if not stopped.is_set():
            batch.fill(place, number)


def _start(function, *args):
    thread = threading.Thread(target=function, args=args, daemon=True)
    thread.start()
    return thread


@functools.cache
def _start_once(function):
    _start(function)


@atexit.register
def _stop_all():
    """Leaves no thread inside TensorFlow when the interpreter ends."""
    producers = list(_producers)
    # An iterator that still exists closes its queue when it goes.
    _kept.extend(producer.channel for producer in producers)
    for producer in producers:
        producer.stop()
    deadline = time.monotonic() + _FAREWELL
    for producer in producers:
        producer.join(max(deadline - time.monotonic(), 0))

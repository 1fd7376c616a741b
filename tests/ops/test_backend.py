"""What the backends do in ways of their own."""

import numpy as np
import pytest
from keras import ops

from nonlocal_keras.ops import backend
from tests.support.backends import BACKEND
from tests.support.backends import numpy
from tests.support.backends import tensorflow_only

pytestmark = pytest.mark.any_backend


def test_rows_are_added_as_often_as_they_are_named():
    x = np.arange(6, dtype="float32").reshape(3, 2)
    rows = np.array([[10, 20], [1, 2], [100, 200]], "float32")
    index = np.array([[2], [0], [2]], "int32")
    given = ops.convert_to_tensor(x)
    found = backend.add_rows(given, *map(ops.convert_to_tensor, (index, rows)))
    np.testing.assert_array_equal(numpy(found), [[1, 3], [2, 3], [114, 225]])
    np.testing.assert_array_equal(numpy(given), x)


def test_the_image_with_most_rows_tells_how_many_are_looked_at():
    def of(*counts):
        counts = ops.convert_to_tensor(counts, "int32")
        return int(backend.rows_that_count(counts, 7))

    expected = [5, 1, 7] if BACKEND == "tensorflow" else [7, 7, 7]
    assert [of(2, 5), of(0, 0), of(9, 1)] == expected


@tensorflow_only
@pytest.mark.parametrize("xla, rows", [(False, 2), (True, 7)])
def test_xla_looks_at_all_rows(xla, rows):
    import tensorflow as tf

    @tf.function(jit_compile=xla)
    def function(counts):
        return tf.ones(7)[: backend.rows_that_count(counts, 7)]

    assert function(tf.constant([1, 2])).shape == (rows,)

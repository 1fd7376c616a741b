"""RoIAlign is the mean of interpolated points, by its definition."""

import numpy as np
import pytest
from keras import ops

from nonlocal_keras.ops import roi_align as module
from tests.support.backends import compile_call
from tests.support.backends import gradient
from tests.support.backends import hessian_products
from tests.support.backends import numpy
from tests.support.backends import slow_on_jax
from tests.support.backends import tensorflow_only
from tests.support.marks import mostly_slow

STRIDES = (4, 8, 16)


def maps(seed=0):
    rng = np.random.default_rng(seed)
    return [
        rng.normal(size=(2, 64 // k, 80 // k, 3)).astype("float32")
        for k in (1, 2, 4)
    ]


def draw_boxes(n=6, seed=1):
    """Boxes of all sizes, some of them partly outside of the maps."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(-10, 250, (2, n, 2))
    size = np.geomspace(1, 400, n)[:, None] * rng.uniform(0.8, 1.2, (2, n, 2))
    return np.concatenate([corner, corner + size], -1).astype("float32")


def point(features, y, x):
    """The value between four positions, zero far outside."""
    height, width, channels = features.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return np.zeros(channels)
    # One position more, of any value, for points on the last one.
    features = np.pad(features, ((0, 1), (0, 1), (0, 0)))
    y, x = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
    i, j = int(y), int(x)
    low, high = (
        (1 - x + j) * row[j] + (x - j) * row[j + 1]
        for row in features[i : i + 2]
    )
    return (1 - y + i) * low + (y - i) * high


def expected(features, box, stride, size, ratio, aligned):
    x1, y1, x2, y2 = box.astype("float64") / stride
    width, height = x2 - x1, y2 - y1
    if aligned:
        x1, y1 = x1 - 0.5, y1 - 0.5
    else:
        width, height = max(width, 1), max(height, 1)
    # Points of a cell along each axis.
    ratios = [ratio or int(np.ceil(side / size)) for side in (height, width)]
    steps_y, steps_x = (
        (np.arange(size * number) + 0.5) / (size * number) for number in ratios
    )
    points = np.array(
        [
            [point(features, y1 + v * height, x1 + u * width) for u in steps_x]
            for v in steps_y
        ]
    )
    cells = points.reshape(size, ratios[0], size, ratios[1], -1)
    return cells.mean(axis=(1, 3))


def roi_align(features, boxes, size=3, ratio=2, aligned=False):
    features = list(map(ops.convert_to_tensor, features))
    boxes = ops.convert_to_tensor(boxes)
    y = module.roi_align(features, boxes, STRIDES, size, ratio, aligned)
    return numpy(y)


@pytest.mark.any_backend
@mostly_slow(
    pytest.mark.parametrize(
        "ratio, aligned",
        [(2, False), (2, True), (None, True), (3, False), (None, False)],
    ),
    0,
    1,
    2,
)
def test_cells_are_means_of_points(ratio, aligned):
    features, boxes = maps(), draw_boxes()
    levels = numpy(module.find_levels(ops.convert_to_tensor(boxes), STRIDES))
    assert set(levels.ravel()) == {0, 1, 2}
    found = roi_align(features, boxes, 3, ratio, aligned)
    wanted = [
        expected(features[level][image], box, STRIDES[level], 3, ratio, aligned)
        for image in range(2)
        for level, box in zip(levels[image], boxes[image])
    ]
    np.testing.assert_allclose(found, wanted, atol=2e-5)


def test_aligned_features_of_a_ramp_are_the_places_of_cells():
    # Each position holds where its center is, in pixels of the image.
    x = (np.arange(20, dtype="float32") + 0.5) * 16
    ramp = np.broadcast_to(x, (1, 20, 20))[..., None].copy()
    box = np.array([[[40, 40, 280, 280]]], "float32")
    features = [np.zeros((1, 80, 80, 1), "float32")] * 2 + [ramp]
    found = roi_align(features, box, size=2, aligned=True)
    np.testing.assert_allclose(found[0, 0, :, 0], [100, 220], rtol=1e-6)


def test_tiles_give_what_one_does(monkeypatch):
    features, boxes = maps(), draw_boxes()
    whole = roi_align(features, boxes)
    monkeypatch.setattr(module, "_TILE", 4 * 12**2 * 3)
    np.testing.assert_allclose(roi_align(features, boxes), whole, atol=1e-6)


@pytest.mark.parametrize("tile", [1, 1 << 22])
def test_long_boxes_have_as_many_points_as_positions(monkeypatch, tile):
    # As long as the map or longer, of an area of the finest level or the next.
    boxes = np.array(
        [[[-8, 30, 330, 36], [70, -20, 78, 300], [3, 90, 317, 120]]], "float32"
    )
    monkeypatch.setattr(module.roi_windows, "_TILE", tile)
    features = [x[:1] for x in maps()]
    levels = numpy(module.find_levels(ops.convert_to_tensor(boxes), STRIDES))
    found = roi_align(features, boxes, 3, None, True)
    wanted = [
        expected(features[level][0], box, STRIDES[level], 3, None, True)
        for level, box in zip(levels[0], boxes[0])
    ]
    np.testing.assert_allclose(found, wanted, atol=2e-5)


@pytest.mark.parametrize("ratio", [2, None])
def test_shrunk_boxes_end_earlier_on_the_level_of_the_whole(ratio):
    # Just of the next level, and below it when shrunk.
    box = np.array([[[20, 30, 132, 142]]], "float32")
    found = module.roi_align(
        [ops.convert_to_tensor(x[:1]) for x in maps()],
        ops.convert_to_tensor(box),
        STRIDES,
        3,
        ratio,
        shrink=1.0,
    )
    ends = np.array([20, 30, 131, 141], "float32")
    wanted = expected(maps()[1][0], ends, STRIDES[1], 3, ratio, False)
    np.testing.assert_allclose(numpy(found)[0], wanted, atol=2e-5)


def test_a_box_of_a_canonical_size_is_of_its_level():
    sides = np.array([1, 111.9, 112, 223.9, 224, 447.9, 448, 4000], "float32")
    boxes = np.stack([0 * sides, 0 * sides, sides, sides], axis=1)
    strides = (4, 8, 16, 32)
    levels = module.find_levels(ops.convert_to_tensor(boxes), strides)
    assert numpy(levels).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.any_backend
@mostly_slow(pytest.mark.parametrize("ratio", [2, None]), 0)
def test_a_cell_gives_its_gradient_to_the_positions_it_reads(
    monkeypatch, ratio
):
    # Of two boxes on the finest level, one tile each.
    monkeypatch.setattr(module, "_TILE", 1)
    monkeypatch.setattr(module.roi_windows, "_TILE", 1)
    boxes = np.array([[[8, 8, 40, 40], [20, 80, 60, 130]]], "float32")
    others = [ops.convert_to_tensor(x[:1]) for x in maps()[1:]]

    def total(x):
        y = module.roi_align(
            [x, *others], ops.convert_to_tensor(boxes), STRIDES, 3, ratio
        )
        return ops.sum(y)

    dx = gradient(total, maps()[0][:1])
    assert dx.sum() == pytest.approx(2 * 9 * 3, rel=1e-5)
    assert dx.min() >= 0
    read = dx.any(axis=(0, 3))
    assert read[2:10, 2:10].all()
    assert not read[:, 17:].any()


@pytest.mark.any_backend
@slow_on_jax
def test_the_gradient_is_that_of_a_linear_function(monkeypatch):
    # Several tiles, the last one filled up.
    monkeypatch.setattr(module, "_TILE", 4 * 12**2 * 3)
    boxes = ops.convert_to_tensor(draw_boxes())
    shapes = [x.shape for x in maps()]
    x, other = (
        np.concatenate([np.ravel(level) for level in maps(seed)])
        for seed in (2, 3)
    )

    def half_square(x):
        features, start = [], 0
        for shape in shapes:
            end = start + int(np.prod(shape))
            features.append(ops.reshape(x[start:end], shape))
            start = end
        y = module.roi_align(features, boxes, STRIDES, 3)
        return ops.sum(y * y) / 2

    # Of y = A x these are A'A x and A'A, and x'A'A x is the square itself.
    dx = gradient(half_square, x)
    square = numpy(half_square(ops.convert_to_tensor(x)))
    assert x @ dx == pytest.approx(2 * square, rel=1e-4)
    assert x @ gradient(half_square, other) == pytest.approx(
        other @ dx, rel=1e-3
    )
    (found,) = hessian_products(half_square, [x], [other])
    wanted = gradient(half_square, other)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


@tensorflow_only
@mostly_slow(pytest.mark.parametrize("ratio", [2, None]), 0)
def test_boxes_may_be_counted_while_a_graph_runs(monkeypatch, ratio):
    import tensorflow as tf

    for one in (module, module.roi_windows):
        monkeypatch.setattr(one, "_TILE", 1 << 13)
    features, boxes = maps(), draw_boxes()
    function = tf.function(
        lambda boxes: module.roi_align(features, boxes, STRIDES, 3, ratio),
        input_signature=[tf.TensorSpec((2, None, 4))],
    )
    for number in (1, 5):
        some = boxes[:, -number:]
        expected = roi_align(features, some, ratio=ratio)
        np.testing.assert_allclose(function(some), expected, atol=1e-5)


@pytest.mark.parametrize("ratio", [2, None])
def test_features_keep_their_dtype(ratio):
    features = [ops.ones((1, 8, 8, 2), "bfloat16")] * 3
    boxes = ops.convert_to_tensor(np.array([[[3, 3, 9, 9]]], "float32"))
    y = module.roi_align(features, boxes, STRIDES, 2, ratio)
    assert "bfloat16" in str(y.dtype)
    np.testing.assert_allclose(numpy(y), 1, rtol=1e-2)


@pytest.mark.slow
@tensorflow_only
def test_compiled_by_xla_it_is_the_same():
    features, boxes = maps(), draw_boxes()
    function = compile_call(
        lambda boxes, *x: module.roi_align(list(x), boxes, STRIDES, 3)
    )
    found = numpy(function(boxes, *features))
    np.testing.assert_allclose(found, roi_align(features, boxes), atol=1e-5)

"""Detectors learn by `compile` and `fit` of Keras, or in any other loop."""

import keras
import numpy as np
import pytest

from nonlocal_keras.models.detection import targets
from tests.support import small_detector
from tests.support.backends import BACKEND
from tests.support.backends import gradients_of_weights
from tests.support.backends import numpy
from tests.support.backends import tensorflow_only
from tests.support.marks import mostly_slow

pytestmark = [pytest.mark.any_backend]
if BACKEND == "jax":
    pytestmark.append(pytest.mark.slow)  # It compiles for half a minute.

NAMES = {
    "rpn_objectness_loss",
    "rpn_box_loss",
    "class_loss",
    "box_loss",
    "mask_loss",
    "keypoint_loss",
}


class Batches(keras.utils.PyDataset):
    def __init__(self, *batches):
        super().__init__()
        self.batches = batches

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        return self.batches[index]


def train(model, given):
    """The loss of a step."""
    return model.train_on_batch(*given, return_dict=True)["loss"]


def evaluate(model, given):
    return model.test_on_batch(*given, return_dict=True)["loss"]


def weights_of(model):
    # Copies: a step may write where they lie.
    return {w.path: numpy(w.value).copy() for w in model.weights}


def floats(losses):
    return {name: float(numpy(loss)) for name, loss in losses.items()}


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return small_detector.compiled(small_detector.small())


def test_fit_logs_every_loss_and_their_sum():
    model = small_detector.compiled(small_detector.small())
    batches = Batches(small_detector.batch())
    history = model.fit(batches, validation_data=batches, verbose=0).history
    logged = NAMES | {"loss"}
    assert set(history) == logged | {f"val_{name}" for name in logged}
    for prefix in ("", "val_"):
        total = sum(history[prefix + name][0] for name in NAMES)
        np.testing.assert_allclose(history[f"{prefix}loss"], total, rtol=1e-5)
        assert all(history[prefix + name][0] > 0 for name in NAMES)


def test_a_loop_of_ones_own_has_the_losses_of_fit():
    model, (inputs, targets) = small_detector.small(), small_detector.batch()
    small_detector.compiled(model)
    own = floats(model.losses_of(inputs, targets))
    small_detector.compiled(model)  # From the same seed.
    logs = model.train_on_batch(inputs, targets, return_dict=True)
    assert own.keys() == NAMES
    for name in NAMES:
        np.testing.assert_allclose(logs[name], own[name], rtol=1e-4)


def test_regularization_joins_the_loss():
    backbone = {"kernel_regularizer": keras.regularizers.L2(0.01)}
    model = small_detector.compiled(small_detector.small(backbone))
    kernels = [w for w in model.backbone.weights if w.name == "kernel"]
    expected = sum(0.01 * (numpy(w.value) ** 2).sum() for w in kernels)
    logs = model.test_on_batch(*small_detector.batch(), return_dict=True)
    rest = logs["loss"] - sum(logs[name] for name in NAMES)
    np.testing.assert_allclose(rest, expected, rtol=1e-3)


def test_the_loss_falls():
    model = small_detector.small()
    # All there is: chance would hide what is learned.
    sampling = {"rpn_samples": 4096, "roi_samples": 32}
    small_detector.compiled(model, keras.optimizers.SGD(0.003), **sampling)
    given = small_detector.batch(objects=1)
    losses = [train(model, given) for _ in range(6)]
    assert losses[-1] < losses[0]


def test_the_same_seed_draws_the_same_samples():
    model, given = small_detector.small(), small_detector.batch(objects=6)

    small_detector.compiled(model, seed=1)
    first, second = (evaluate(model, given) for _ in range(2))
    small_detector.compiled(model, seed=1)
    assert first == evaluate(model, given)
    assert first != second
    small_detector.compiled(model, seed=2)
    assert first != evaluate(model, given)


def without(what):
    """Targets that lack something, or hold what no image has."""
    inputs, targets = small_detector.batch()
    boxes = targets["boxes"]
    if what == "objects":
        targets["labels"][:] = 0
    if what == "objects in one image":
        targets["labels"][0] = 0
    if what == "rows":
        targets = {name: x[:, :0] for name, x in targets.items()}
    if what == "area":
        boxes[:, 0, 2] = boxes[:, 0, 0]
        boxes[:, 1] = boxes[:, 1][:, [2, 3, 0, 1]]
    if what == "numbers":
        boxes[0, 0, 1] = np.nan
        boxes[0, 1, 2] = np.inf
    if what == "a place in the image":
        boxes += 1000
    if what == "size":
        boxes[..., 2:] = boxes[..., :2] + 1e-4
    if what == "masks":
        targets["masks"][:] = 0
    if what == "visible keypoints":
        targets["keypoints"][..., 2] = 0
    return inputs, targets


@mostly_slow(
    pytest.mark.parametrize(
        "what",
        [
            "objects",
            "objects in one image",
            "rows",
            "area",
            "numbers",
            "a place in the image",
            "size",
            "masks",
            "visible keypoints",
        ],
    ),
    2,
    4,
    7,
)
def test_losses_and_gradients_are_finite_without(model, what):
    inputs, targets = without(what)
    losses, gradients = gradients_of_weights(
        model, {**inputs, "targets": targets}, model.trainable_weights
    )
    assert np.isfinite(list(losses.values())).all()
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    assert losses["rpn_objectness_loss"] > 0
    if what in ("objects", "rows"):
        for name in ("rpn_box_loss", "box_loss", "mask_loss", "keypoint_loss"):
            assert losses[name] == 0, name
    if what == "masks":
        assert losses["mask_loss"] == 0 < losses["box_loss"]
    if what == "visible keypoints":
        assert losses["keypoint_loss"] == 0 < losses["mask_loss"]


def test_a_thousand_objects_have_finite_losses(model):
    inputs, targets = small_detector.batch(objects=1000, images=1)
    losses = floats(model.losses_of(inputs, targets))
    assert all(0 < loss < np.inf for loss in losses.values())


def test_filling_changes_nothing(model):
    inputs, targets = small_detector.batch(objects=2)
    sampling = {"rpn_samples": 4096, "roi_samples": 32}
    small_detector.compiled(model, **sampling)
    expected = floats(model.losses_of(inputs, targets, training=False))
    filled = {
        name: np.concatenate([x, np.ones_like(x[:, :1])], axis=1)
        for name, x in targets.items()
    }
    filled["labels"][:, 2:] = 0
    found = floats(model.losses_of(inputs, filled, training=False))
    for name in NAMES:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4)


@mostly_slow(
    pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"]), 0
)
def test_losses_are_float32_in_half_precision(policy):
    model = small_detector.small({"dtype": policy}, dtype=policy)
    small_detector.compiled(model)
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")
    inputs, targets = small_detector.batch()
    for loss in model.losses_of(inputs, targets).values():
        assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    given = inputs, targets
    assert np.isfinite(train(model, given))
    before = weights_of(model)
    # The first scale of a loss may be too large.
    for _ in range(2):
        train(model, given)
    after = weights_of(model)
    assert all(np.isfinite(weight).all() for weight in after.values())
    assert any((after[path] != before[path]).any() for path in after)


def test_layers_that_are_frozen_keep_their_weights():
    model = small_detector.small()
    for layer in model.backbone.layers:
        layer.trainable = not layer.name.startswith(("conv1", "res2"))
    small_detector.compiled(model)
    before = weights_of(model)
    train(model, small_detector.batch())
    after = weights_of(model)
    changed = [path for path in after if (after[path] != before[path]).any()]
    layers = {part for path in changed for part in path.split("/")}
    assert not any(name.startswith(("conv1", "res2")) for name in layers)
    assert any(name.startswith("res3") for name in layers)


def test_a_file_goes_on_as_it_was_compiled(tmp_path):
    model = small_detector.compiled(
        small_detector.small(), rpn_iou_thresholds=(0.2, 0.6)
    )
    model.save(tmp_path / "model.keras")
    twin = keras.saving.load_model(tmp_path / "model.keras")
    assert twin.get_compile_config() == model.get_compile_config()
    assert twin.get_compile_config()["rpn_iou_thresholds"] == (0.2, 0.6)
    given = small_detector.batch()
    found, expected = (evaluate(m, given) for m in (twin, model))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.slow
def test_a_model_that_trains_still_predicts():
    model = small_detector.compiled(small_detector.small())
    train(model, small_detector.batch())
    found = model.predict(np.zeros((40, 60, 3), "uint8"))
    assert found["boxes"].shape == (1, 100, 4)


@pytest.mark.slow
@tensorflow_only
@pytest.mark.parametrize("jit_compile", ["auto", True])
def test_graphs_of_any_sizes_have_the_losses_of_eager_steps(jit_compile):
    model = small_detector.small()
    sizes = [(3, 64, 96), (1, 96, 64), (0, 64, 64), (5, 96, 96)]
    if jit_compile is True:
        sizes = sizes[:1]
    given = [small_detector.batch(*size) for size in sizes]
    sampling = {"rpn_samples": 4096, "roi_samples": 64}
    small_detector.compiled(model, **sampling)
    expected = [evaluate(model, one) for one in given]
    graph = {"run_eagerly": False, "jit_compile": jit_compile}
    small_detector.compiled(model, **sampling, **graph)
    found = [evaluate(model, one) for one in given]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    if jit_compile == "auto":
        # XLA of TensorFlow has no gradient of the loop of `roi_align`.
        assert all(np.isfinite(train(model, one)) for one in given)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"masks": None}, "`targets` must hold ['boxes', 'keypoints', 'labels"),
        (
            {"boxes": np.zeros((2, 3, 5))},
            "must be of shape (batch, objects, 4)",
        ),
        ({"labels": np.zeros((2, 3, 1))}, "must be of shape (batch, objects)"),
        (
            {"masks": np.zeros((2, 3, 8, 9))},
            "masks square. Received: (2, 3, 8, 9)",
        ),
        ({"keypoints": np.zeros((2, 3, 17, 3))}, "(batch, objects, 2, 3)"),
        ({"labels": np.zeros((2, 1))}, "as `targets['boxes']`, (2, 3)"),
    ],
)
def test_wrong_targets_are_named(model, change, message):
    inputs, targets = small_detector.batch()
    targets = {k: v for k, v in {**targets, **change}.items() if v is not None}
    with pytest.raises(ValueError, match="Received: ") as caught:
        model.losses_of(inputs, targets)
    assert message in str(caught.value)


def test_a_label_that_is_no_class_is_named(model):
    inputs, targets = small_detector.batch()
    targets["labels"][1, 2] = 3
    with pytest.raises(ValueError, match="Received: 3") as caught:
        model.losses_of(inputs, targets)
    assert "must be from 1 to 2, or 0" in str(caught.value)
    assert "num_classes=3" in str(caught.value)


@tensorflow_only
def test_a_label_that_is_no_class_is_named_in_graphs():
    import tensorflow as tf

    @tf.function
    def standardize(labels):
        boxes = tf.tile([[[0.0, 0.0, 9.0, 9.0]]], (1, 2, 1))
        given = {"boxes": boxes, "labels": labels}
        return targets.standardize(given, False, None, 3)["labels"]

    assert standardize([[2, 0]]).numpy().tolist() == [[2, 0, 0]]
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        standardize([[4, 0]])
    assert "`labels` of the targets must be from 1 to 2" in str(caught.value)
    assert "[4]" in str(caught.value)


def test_masks_of_255_are_masks_of_ones(model):
    inputs, given = small_detector.batch()
    sampling = {"rpn_samples": 4096, "roi_samples": 64}
    small_detector.compiled(model, **sampling)
    expected = floats(model.losses_of(inputs, given, training=False))
    given["masks"] = 255 * given["masks"]
    found = floats(model.losses_of(inputs, given, training=False))
    np.testing.assert_allclose(found["mask_loss"], expected["mask_loss"], 1e-5)


@tensorflow_only
def test_masks_of_a_size_that_changes_are_named():
    import tensorflow as tf

    specs = {
        "boxes": tf.TensorSpec((2, None, 4)),
        "labels": tf.TensorSpec((2, None)),
        "masks": tf.TensorSpec((2, None, None, None)),
    }
    standardize = tf.function(
        lambda given: targets.standardize(given, True, None, 3)
    )
    with pytest.raises(ValueError, match="must be of one size in all batches"):
        standardize.get_concrete_function(specs)


def test_a_batch_must_be_inputs_and_targets(model):
    inputs, targets = small_detector.batch()
    small_detector.compiled(model, run_eagerly=BACKEND != "jax")
    with pytest.raises(ValueError, match="Received: a batch of dict"):
        model.train_on_batch(inputs)
    with pytest.raises(ValueError, match="without weights of samples"):
        model.train_on_batch(inputs, targets, sample_weight=np.ones(2))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"loss": "mse"}, "A detector has its own losses"),
        ({"metrics": ["mse"]}, "Leave out `metrics`"),
        ({"rpn_iou_thresholds": (0.7, 0.3)}, "must be two numbers from 0 to 1"),
        ({"rpn_iou_thresholds": 0.5}, "`rpn_iou_thresholds` must be two"),
        (
            {"roi_iou_threshold": 0},
            "`roi_iou_threshold` must be a number above",
        ),
        ({"roi_samples": 0}, "`roi_samples` must be a positive integer"),
        ({"pre_nms_top_n": 1.5}, "`pre_nms_top_n` must be a positive integer"),
        ({"rpn_positive_fraction": 2}, "must be a number from 0 to 1"),
        ({"roi_positive_fraction": 0.01}, "must be at least one sample"),
    ],
)
def test_wrong_rules_are_named(model, options, message):
    with pytest.raises(ValueError, match="Received: ") as caught:
        small_detector.compiled(model, **options)
    assert message in str(caught.value)

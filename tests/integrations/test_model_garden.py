"""Model Garden's Mask R-CNN with non-local blocks, from YAML to SavedModel."""

import dataclasses
import doctest
import inspect
import re

import absl.app
import absl.flags
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from official.core import task_factory
from official.core import train_lib
from official.core import train_utils
from official.vision.modeling.backbones import resnet
from official.vision.serving import detection
from official.vision.serving import export_saved_model_lib

import nonlocal_keras
from nonlocal_keras.integrations import model_garden
from tests.support import model_garden as tiny
from tests.support import non_local_cases
from tests.support import paths

pytestmark = pytest.mark.model_garden
IMAGES = np.random.default_rng(1).random((2, 64, 64, 3), np.float32)


def randomize(layer, seed=0):
    """Weights other than zero; variances and scales above it."""
    rng = np.random.default_rng(seed)
    for weight in layer.weights:
        weight.assign(0.5 + rng.random(weight.shape))


def blocks_of(model):
    kind = model_garden.TfKerasNonLocal2D
    return [layer for layer in model.layers if isinstance(layer, kind)]


# === The layer ===


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        *({"pairwise": pairwise} for pairwise in non_local_cases.PAIRWISE),
        {"pool_size": (2, 2), "pool_first": True, "scale": 1.0},
        {"normalization": "affine", "intermediate_dim": 3},
        {"normalization": None, "use_bias": False, "implementation": "matrix"},
    ],
    ids=str,
)
def test_the_layer_is_that_of_keras_3(options, training):
    x = non_local_cases.random_input(2)
    ours = non_local_cases.make(2, x, **options)
    theirs = model_garden.TfKerasNonLocal2D(**options)
    theirs.build(x.shape)
    theirs.set_weights(ours.get_weights())
    with tf.GradientTape() as tape:
        y = ours(x, training=training)
    expected = tape.gradient(y, [w.value for w in ours.trainable_variables])
    with tf.GradientTape() as tape:
        z = theirs(x, training=training)
    gradients = tape.gradient(z, theirs.trainable_variables)
    np.testing.assert_allclose(z, y, rtol=1e-6, atol=1e-6)
    for one, other in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-4)
    # Statistics that training has moved.
    for one, other in zip(theirs.get_weights(), ours.get_weights()):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_a_new_layer_is_the_identity_in_both_modes():
    x = non_local_cases.random_input(2)
    layer = model_garden.TfKerasNonLocal2D()
    for training in (False, True):
        np.testing.assert_array_equal(layer(x, training=training), x)


def test_a_frozen_layer_keeps_its_statistics():
    layer = model_garden.TfKerasNonLocal2D(trainable=False)
    layer(non_local_cases.random_input(2), training=True)
    assert layer.trainable_variables == []
    np.testing.assert_array_equal(layer.get_weights()[-2], np.zeros(4))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_keeps_variables_in_float32(policy):
    x = non_local_cases.random_input(2)
    ours = non_local_cases.make(2, x, dtype=policy)
    theirs = model_garden.TfKerasNonLocal2D(dtype=policy)
    theirs.build(x.shape)
    theirs.set_weights(ours.get_weights())
    z = theirs(x)
    assert z.dtype.name == policy.removeprefix("mixed_")
    assert {weight.dtype.name for weight in theirs.weights} == {"float32"}
    np.testing.assert_array_equal(tf.cast(z, "float32"), ours(x))


def test_kernels_alone_are_regularized():
    layer = model_garden.TfKerasNonLocal2D(
        pairwise="concatenation", kernel_regularizer=tf_keras.regularizers.L2(1)
    )
    layer.build((None, None, None, 4))
    randomize(layer)
    kernels = [
        w for w in layer.weights if "kernel" in w.name or "w_f" in w.name
    ]
    assert len(kernels) == 5
    expected = sum(np.sum(w.numpy() ** 2) for w in kernels)
    np.testing.assert_allclose(sum(layer.losses), expected, rtol=1e-6)


def test_a_functional_model_of_any_size_comes_back_from_its_file(tmp_path):
    inputs = tf_keras.Input((None, None, 4))
    outputs = model_garden.TfKerasNonLocal2D(
        pool_size=2, momentum=0.5, kernel_regularizer="l2"
    )(inputs)
    model = tf_keras.Model(inputs, outputs)
    randomize(model)
    model.save(tmp_path / "model.keras")
    again = tf_keras.models.load_model(tmp_path / "model.keras")
    x = non_local_cases.random_input(2)
    np.testing.assert_array_equal(again(x), model(x))
    assert again.layers[-1].get_config() == model.layers[-1].get_config()


class Around(tf_keras.layers.Layer):
    """A layer of Keras 2 that calls another one."""

    def __init__(self, block):
        super().__init__()
        self.block = block

    def call(self, x):
        return self.block(x)


@pytest.mark.parametrize(
    ("block", "number"),
    [
        (nonlocal_keras.NonLocal2D, 0),
        (model_garden.TfKerasNonLocal2D, 10),
    ],
)
def test_only_a_layer_of_keras_2_is_trained_inside_keras_2(block, number):
    """Why there is one: nothing tells that the other has no weights."""
    x = non_local_cases.random_input(2)
    inputs = tf_keras.Input(x.shape[1:])
    model = tf_keras.Model(inputs, Around(block())(inputs))
    assert len(model.trainable_variables) == number
    model.compile("sgd", "mse")
    before = model.evaluate(x, 2 * x, verbose=0)
    model.fit(x, 2 * x, epochs=3, verbose=0)
    after = model.evaluate(x, 2 * x, verbose=0)
    assert (after < before) == (number > 0)


@pytest.mark.parametrize("normalization", ["batch", None])
def test_a_layer_of_keras_3_refuses_symbolic_tensors_of_keras_2(normalization):
    layer = nonlocal_keras.NonLocal2D(normalization=normalization)
    with pytest.raises(ValueError, match="model_garden.TfKerasNonLocal2D"):
        layer(tf_keras.Input((8, 8, 4)))


# === The backbone ===


def backbone(**options):
    return model_garden.NonLocalResNet(
        10, depth_multiplier=0.125, non_local={"res4": (0,)}, **options
    )


def plain_checkpoint(folder):
    plain = resnet.ResNet(10, depth_multiplier=0.125)
    randomize(plain)
    path = tf.train.Checkpoint(backbone=plain).save(str(folder / "plain"))
    return plain, path


def test_a_restored_plain_backbone_computes_what_it_did(tmp_path):
    plain, path = plain_checkpoint(tmp_path)
    model = backbone()
    for place in (path, str(tmp_path)):
        randomize(model, seed=5)
        for block in blocks_of(model):
            block.set_weights([0 * w for w in block.get_weights()])
        model_garden.restore_backbone(model, place)
        for level, expected in plain(IMAGES).items():
            np.testing.assert_array_equal(model(IMAGES)[level], expected)


@pytest.mark.parametrize(
    "other",
    [backbone, lambda: resnet.ResNet(10, depth_multiplier=0.25)],
    ids=["blocks", "width"],
)
def test_a_checkpoint_of_another_network_is_refused(tmp_path, other):
    path = tf.train.Checkpoint(backbone=other()).write(str(tmp_path / "other"))
    with pytest.raises(ValueError, match="`checkpoint` must hold.*Received"):
        model_garden.restore_backbone(backbone(), path)


def test_the_block_stands_before_the_next_residual_block_and_acts():
    model = model_garden.NonLocalResNet(
        18, depth_multiplier=0.125, non_local={"res3": (0, 1)}
    )
    names = [layer.name for layer in model.layers]
    first, last = (names.index(f"nonlocal_res3_{i}") for i in (0, 1))
    assert "residual_block" in names[first - 1]
    assert "residual_block" in names[first + 1]
    assert names[last + 1] == "block_group_l3"
    before = model(IMAGES)
    randomize(blocks_of(model)[1])
    after = model(IMAGES)
    np.testing.assert_array_equal(after["2"], before["2"])
    assert np.any(after["3"] != before["3"])


def test_a_backbone_comes_back_from_its_config():
    model = backbone(
        non_local_options={"pairwise": "gaussian", "res4": {"pool_size": 2}},
        norm_momentum=0.7,
    )
    again = type(model).from_config(model.get_config())
    (block,) = blocks_of(again)
    config = block.get_config()
    assert (config["pairwise"], config["pool_size"]) == ("gaussian", 2)
    assert config["momentum"] == 0.7
    again.set_weights(model.get_weights())


def test_options_of_yaml_have_the_defaults_of_the_layer():
    signature = inspect.signature(nonlocal_keras.NonLocal2D).parameters
    for field in dataclasses.fields(model_garden.NonLocalOptions):
        assert field.default == signature[field.name].default, field.name


def test_nl_resnet_without_a_place_is_refused(tmp_path):
    params = tiny.experiment(tmp_path)
    params.task.model.backbone.nl_resnet.non_local.res4 = []
    with pytest.raises(ValueError, match="`non_local` names no block"):
        task_factory.get_task(params.task).build_model()


# === Mask R-CNN, by Model Garden's own driver ===


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Three steps and an evaluation: what there was and what came of it."""
    folder = tmp_path_factory.mktemp("run")
    params = tiny.experiment(folder)
    strategy = tf.distribute.OneDeviceStrategy("cpu:0")
    with strategy.scope():
        task = task_factory.get_task(params.task, logging_dir=str(folder))
        trainer = train_utils.create_trainer(params, task, True, True)
    (block,) = blocks_of(trainer.model.backbone)
    before = {w.name.split("/")[-1]: w.numpy() for w in block.weights}
    model, logs = train_lib.run_experiment(
        strategy,
        task,
        "train_and_eval",
        params,
        str(folder / "model"),
        run_post_eval=True,
        trainer=trainer,
    )
    return params, folder, model, logs, before


def test_training_changes_every_kernel_of_the_block(run):
    _, _, model, _, before = run
    (block,) = blocks_of(model.backbone)
    after = {w.name.split("/")[-1]: w.numpy() for w in block.weights}
    assert before.keys() == after.keys() and len(after) == 12
    for name in before:
        if "kernel" in name or "bn" in name:
            assert np.any(before[name] != after[name]), name


def test_evaluation_gives_the_ap_of_boxes_and_masks(run):
    _, _, _, logs, _ = run
    assert {"AP", "mask_AP"} <= logs.keys()
    assert all(-1 <= logs[name] <= 1 for name in ("AP", "mask_AP"))


def test_a_checkpoint_holds_each_weight_of_the_block_once(run):
    params, folder, model, _, _ = run
    path = tf.train.latest_checkpoint(str(folder / "model"))
    keys = [name for name, _ in tf.train.list_variables(path)]
    keys = [key for key in keys if "w_z_kernel" in key and "OPT" not in key]
    assert [key for key in keys if key.startswith("backbone/")] == keys
    assert len(keys) == 1
    params = params.replace()
    params.task.init_checkpoint = path
    params.task.init_checkpoint_modules = "all"
    task = task_factory.get_task(params.task)
    again = task.build_model()
    task.initialize(again)
    for one, other in zip(again.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_plain_backbone_goes_into_a_task_by_a_checkpoint_of_it(run, tmp_path):
    _, plain = plain_checkpoint(tmp_path)
    model = backbone(non_local_options={"intermediate_dim": 8, "pool_size": 2})
    model_garden.restore_backbone(model, plain)
    path = tf.train.Checkpoint(backbone=model).write(str(tmp_path / "nl"))
    params = run[0].replace()
    params.task.init_checkpoint = path
    params.task.init_checkpoint_modules = "backbone"
    task = task_factory.get_task(params.task)
    detector = task.build_model()
    task.initialize(detector)
    params.task.init_checkpoint = plain
    with pytest.raises((AssertionError, ValueError)):
        task_factory.get_task(params.task).initialize(task.build_model())
    for one, other in zip(
        detector.backbone.weights, model.weights, strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_the_exported_model_detects_what_the_live_one_does(run, tmp_path):
    params, _, model, _, _ = run
    (block,) = blocks_of(model.backbone)
    randomize(block)
    # After three steps it may take everything for background.
    head = model.detection_head.weights
    kernel, bias = (w for w in head if "detection-scores" in w.name)
    kernel.assign(0.01 * kernel)
    bias.assign(0 * bias)
    checkpoint = tf.train.Checkpoint(model=model, **model.checkpoint_items)
    path = checkpoint.save(str(tmp_path / "trained"))
    export_saved_model_lib.export_inference_graph(
        "image_tensor", 1, [64, 64], params, path, str(tmp_path / "export")
    )
    served = tf.saved_model.load(str(tmp_path / "export"))
    image = tf.constant(255 * IMAGES[:1], tf.uint8)
    found = served.signatures["serving_default"](image)
    live = detection.DetectionModule(
        params=params, model=model, batch_size=1, input_image_size=[64, 64]
    )
    expected = live.serve(tf.cast(image, tf.float32))
    assert found["num_detections"].numpy() > 0
    for name in ("detection_boxes", "detection_scores", "detection_masks"):
        np.testing.assert_allclose(found[name], expected[name], atol=1e-4)


# === What the docs show ===


def blocks_of_docs(language):
    page = (paths.ROOT / "docs" / "detection.md").read_text()
    section = page.partition("## In Model Garden")[2].partition("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


def test_the_driver_of_the_docs_takes_the_file_of_the_docs(
    tmp_path, monkeypatch
):
    driver, _ = blocks_of_docs("python")
    (file,) = blocks_of_docs("yaml")
    (tmp_path / "nl.yaml").write_text(file)
    started = []
    monkeypatch.setattr(absl.app, "run", started.append)
    exec(driver, {})
    assert [main.__module__ for main in started] == ["official.vision.train"]
    absl.flags.FLAGS(
        ["train", "--experiment=maskrcnn_resnetfpn_coco", "--mode=train"]
        + [f"--config_file={tmp_path / 'nl.yaml'}", f"--model_dir={tmp_path}"]
    )
    params = train_utils.parse_configuration(absl.flags.FLAGS)
    config = params.task.model.backbone.get()
    assert isinstance(config, model_garden.NonLocalResNetConfig)
    assert (config.model_id, config.non_local.res4) == (50, [4])
    assert config.non_local_options.pool_size == 2
    # What Model Garden writes beside its checkpoints.
    saved = params.as_dict()["task"]["model"]["backbone"]
    assert saved["nl_resnet"]["non_local"]["res4"] == [4]


def test_the_restoration_of_the_docs_fits_their_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain = resnet.ResNet(50)
    checkpoint = tf.train.Checkpoint(backbone=plain)
    checkpoint.write("resnet50_imagenet/ckpt-28080")
    names = {}
    exec(blocks_of_docs("python")[1], names)
    assert names["backbone"].count_params() - plain.count_params() == 2103808
    (file,) = blocks_of_docs("yaml")
    assert "init_checkpoint: nl_resnet50_imagenet\n" in file
    assert (tmp_path / "nl_resnet50_imagenet.index").exists()


def test_the_examples_show_what_happens():
    names = {"nonlocal_keras": nonlocal_keras, "np": np}
    result = doctest.testmod(model_garden, extraglobs=names)
    assert result.attempted and not result.failed

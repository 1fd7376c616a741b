"""2D networks of ImageNet as others compute them, stage by stage."""

import keras
import numpy as np
import pytest

from nonlocal_keras import convert
from nonlocal_keras import models
from nonlocal_keras.convert import ConversionError
from nonlocal_keras.convert.identify import find_source
from tests.support import checkpoint_writers as w
from tests.support.keras_resnets import keras_resnet
from tests.support.keras_resnets import save_as_published

ENDS = ("conv2_block1", "conv3_block2", "conv4_block1", "conv5_block1")
OPTIONS = {"stage_blocks": (1, 2, 1, 1), "width_per_group": 4, "stem_width": 4}
PIXELS = np.random.default_rng(0).integers(0, 256, (1, 48, 64, 3))


def stages_of(source, images):
    """What a network of keras.applications gives at the end of each stage."""
    ends = [source.get_layer(f"{end}_out").output for end in ENDS]
    outputs = keras.Model(source.input, ends)(images, training=False)
    return [keras.ops.convert_to_numpy(output) for output in outputs]


def stages_of_ours(backbone, **options):
    """The same of our network with those weights, fed as it wants it."""
    ours = models.ImageResNet(
        strided=backbone.strided, **{**OPTIONS, **options}
    )
    transfer = models.take_weights(ours, backbone.weights, fresh=("pred",))
    assert not transfer.fresh and not transfer.misfits
    images = (PIXELS / 255 - np.array(backbone.mean)) / np.array(backbone.std)
    outputs = ours(images.astype("float32"), training=False)
    return [
        keras.ops.convert_to_numpy(outputs[stage])
        for stage in ("res2", "res3", "res4", "res5")
    ]


def assert_equal(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        assert theirs.std() > 0
        np.testing.assert_allclose(
            ours, theirs, rtol=1e-4, atol=1e-5 * np.abs(theirs).max()
        )


@pytest.fixture(scope="module")
def source():
    return keras_resnet((48, 64))


@pytest.fixture(scope="module")
def expected(source):
    images = keras.applications.resnet.preprocess_input(PIXELS.astype("f4"))
    return stages_of(source, images)


def test_features_are_those_of_keras_applications(source, expected):
    assert_equal(stages_of_ours(convert.read_backbone(source)), expected)


@pytest.mark.parametrize("name", ["resnet.h5", "resnet.weights.h5"])
def test_files_of_keras_hold_what_the_model_holds(tmp_path, source, name):
    path = tmp_path / name
    if name.endswith(".weights.h5"):
        source.save_weights(path)
    else:
        save_as_published(source, path)
    assert find_source(path) == ("imagenet", False)
    ours, theirs = map(convert.read_backbone, (path, source))
    assert ours.weights.values.keys() == theirs.weights.values.keys()
    for name, value in ours.weights.values.items():
        np.testing.assert_array_equal(value, theirs.weights.values[name])


def caffe2_blobs(source, statistics):
    """The tensors of a network under the names of Detectron's files."""
    numbers = {"1": "2a", "2": "2b", "3": "2c", "0": "1"}
    blobs = {}
    for layer in source.layers:
        if not layer.name.endswith("_conv"):
            continue
        kernel, bias = map(np.asarray, layer.get_weights())
        norm = source.get_layer(layer.name.replace("_conv", "_bn"))
        gamma, beta, mean, variance = norm.get_weights()
        name, start = "conv1", "res_conv1"
        if layer.name != "conv1_conv":
            stage, block, number, _ = layer.name.split("_")
            conv = f"{int(block[5:]) - 1}_branch{numbers[number]}"
            name = start = f"res{stage[4]}_{conv}"
        blobs[f"{name}_w"] = kernel.transpose(3, 2, 0, 1)
        found = {"s": gamma, "b": beta, "rm": mean - bias, "riv": variance}
        if not statistics:
            scale = gamma / np.sqrt(variance + 1.001e-5)
            found = {"s": scale, "b": beta + (bias - mean) * scale}
        for end, value in found.items():
            blobs[f"{start}_bn_{end}"] = value.astype("float32")
    return {**blobs, "fc1000_w": np.ones((5, 128), "f4"), "conv1_b": gamma}


@pytest.mark.parametrize("statistics", [False, True])
def test_features_are_those_of_caffe(tmp_path, source, statistics):
    path = tmp_path / "R-50.pkl"
    path.write_bytes(w.caffe2_file(caffe2_blobs(source, statistics)))
    bgr = PIXELS[..., ::-1] - np.array([102.9801, 115.9465, 122.7717])
    assert find_source(path)[0] == "imagenet"
    backbone = convert.read_backbone(path)
    assert backbone.strided == "1x1"
    # The reference adds 1e-8 more to its variances.
    assert_equal(stages_of_ours(backbone), stages_of(source, bgr.astype("f4")))


def test_a_resnext_of_detectron2_is_fed_over_a_std(tmp_path):
    drawn = models.ImageResNet(**{**OPTIONS, "groups": 2, "width_per_group": 2})
    blobs = {}
    for name, value in models.NamedWeights.of(drawn).values.items():
        layer, _, vector = name.partition(".")
        end = {"gamma": "s", "beta": "b", "moving_mean": "rm"}.get(vector)
        end = {"kernel": "w", "moving_variance": "riv"}.get(vector, end)
        start = "res_conv1_bn" if layer == "conv1_bn" else layer
        axes = (3, 2, 0, 1) if value.ndim == 4 else (0,)
        blobs[f"{start}_{end}"] = value.transpose(axes)
    path = tmp_path / "X-101-32x8d.pkl"
    path.write_bytes(w.caffe2_file(blobs))
    backbone = convert.read_backbone(path)
    assert (backbone.groups, backbone.strided) == (2, "3x3")
    assert np.multiply(backbone.std, 255) == pytest.approx(
        (58.395, 57.12, 57.375)
    )
    assert "BGR less 123.7, 116.3, 103.5" in backbone.notes[0]


def test_other_pixels_become_part_of_the_stem(source):
    mean, std = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
    stems = []
    for options in ({}, {"mean": mean, "std": std}):
        backbone = convert.read_backbone(source, **options)
        ours = models.ImageResNet(strided="1x1", **OPTIONS)
        models.take_weights(ours, backbone.weights)
        images = (PIXELS / 255 - np.array(backbone.mean)) / backbone.std
        stem = keras.Model(ours.input, ours.get_layer("conv1_bn").output)
        stems.append(np.asarray(stem(images.astype("f4"), training=False)))
    assert (backbone.mean, backbone.std) == (mean, std)
    # Zeros around the image are other colors in the two.
    inner = (slice(None), slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(
        stems[0][inner], stems[1][inner], rtol=1e-3, atol=1e-3
    )
    assert np.abs(stems[0] - stems[1]).max() > 0.1


def test_what_is_no_2d_network_is_refused(tmp_path):
    path = tmp_path / "strange.pth"
    path.write_bytes(w.torch_file({"encoder.weight": np.ones((2, 2), "f4")}))
    with pytest.raises(ConversionError, match="must be a ResNet of keras.app"):
        convert.read_backbone(path)
    with pytest.raises(ConversionError, match="of a source that is converted"):
        find_source(path)


def test_depths_that_keras_does_not_have_are_refused():
    with pytest.raises(ValueError, match="`depth` must be one of .* depth=26"):
        convert.read_backbone("imagenet", depth=26)


def test_a_download_that_fails_says_what_to_do(monkeypatch):
    def fail(**options):
        raise Exception("URL fetch failure on https://x: no route")

    monkeypatch.setattr(keras.applications, "ResNet50", fail)
    with pytest.raises(ValueError, match="URL fetch failure.*give its path"):
        convert.read_backbone("imagenet")


@pytest.mark.slow
def test_features_of_full_width_are_those_of_keras_applications():
    source = keras.applications.ResNet50(
        weights=None, include_top=False, input_shape=(None, None, 3)
    )
    draw = np.random.default_rng(1)
    for weight in source.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(draw.uniform(0.5, 1.0, weight.shape))
        elif weight.name != "kernel":
            weight.assign(draw.normal(0, 0.1, weight.shape))
    ends = ("conv2_block3", "conv3_block4", "conv4_block6", "conv5_block3")
    outputs = [source.get_layer(f"{end}_out").output for end in ends]
    images = keras.applications.resnet.preprocess_input(PIXELS.astype("f4"))
    expected = keras.Model(source.input, outputs)(images, training=False)
    full = {"stage_blocks": (3, 4, 6, 3), "width_per_group": 64}
    found = stages_of_ours(convert.read_backbone(source), **full, stem_width=64)
    assert_equal(found, [np.asarray(output) for output in expected])


@pytest.mark.slow
def test_features_are_those_of_torchvision(tmp_path):
    torchvision = pytest.importorskip("torchvision")
    torch = pytest.importorskip("torch")
    theirs = torchvision.models.resnet50().eval()
    draw = torch.Generator().manual_seed(0)
    for name, value in theirs.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(0.5 + torch.rand(value.shape, generator=draw))
        elif value.ndim == 1:
            value.add_(0.1 * torch.randn(value.shape, generator=draw))
    path = tmp_path / "resnet50-drawn.pth"
    torch.save(theirs.state_dict(), path)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    images = (PIXELS / 255 - np.array(mean)) / np.array(std)
    x = torch.tensor(images.transpose(0, 3, 1, 2), dtype=torch.float32)
    expected = []
    with torch.no_grad():
        x = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(x))))
        for number in range(1, 5):
            x = getattr(theirs, f"layer{number}")(x)
            expected.append(x.numpy().transpose(0, 2, 3, 1))
    backbone = convert.read_backbone(path)
    assert (backbone.mean, backbone.std) == (mean, std)
    full = {"stage_blocks": (3, 4, 6, 3), "width_per_group": 64}
    assert_equal(stages_of_ours(backbone, **full, stem_width=64), expected)

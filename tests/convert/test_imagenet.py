"""2D ResNets are inflated into video networks."""

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from nonlocal_keras import convert
from nonlocal_keras.convert import CheckpointError
from nonlocal_keras.convert import ConversionError
from tests.support import checkpoint_names as names
from tests.support import checkpoint_writers as w
from tests.support.keras_resnets import keras_resnet
from tests.support.keras_resnets import save_as_published

FLAT = {**w.DENSE, "places": None, "epsilon": 1e-5}


@pytest.fixture(scope="module")
def network():
    """A network without any extent in time, as 2D weights describe it."""
    return w.network(**FLAT)


@pytest.fixture
def torchvision(tmp_path, network):
    path = tmp_path / "resnet.pth"
    tensors = w.tensors(network, names.TorchVision(), flat=True)
    path.write_bytes(w.torch_file(tensors))
    return path


@pytest.mark.parametrize(
    ("names", "write"),
    [
        (names.TorchVision(), w.torch_file),
        (names.Caffe2(), w.caffe2_file),
        (names.PySlowFast(), lambda t: w.torch_file(t, "model_state")),
    ],
    ids=["torchvision", "caffe2", "pyslowfast"],
)
def test_c2d_is_the_2d_network_on_frames(tmp_path, network, names, write):
    path = tmp_path / "resnet"
    path.write_bytes(write(w.tensors(network, names, flat=True)))
    model, report = convert.convert(path, "imagenet", architecture="c2d")
    clip = w.clip(network)
    np.testing.assert_allclose(
        w.logits(model, clip), w.logits(network, clip), rtol=1e-4, atol=1e-5
    )
    assert report.fresh == []


def test_kernels_of_an_axis_of_time_of_one_are_read(tmp_path, network):
    path = tmp_path / "resnet.pkl"
    path.write_bytes(w.caffe2_file(w.tensors(network, names.Caffe2())))
    model = convert.load_checkpoint(path, "imagenet")
    assert model.backbone.get_layer("conv1").kernel.shape[0] == 5


def test_center_inflation_is_the_2d_network_on_clips(torchvision, network):
    model = convert.load_checkpoint(torchvision, "imagenet", inflation="center")
    assert model.backbone.describe().startswith("I3D")
    clip = w.clip(network)
    np.testing.assert_allclose(
        w.logits(model, clip), w.logits(network, clip), rtol=1e-4, atol=1e-5
    )


def test_the_former_spelling_of_center_works_and_warns(torchvision):
    with pytest.warns(DeprecationWarning, match="'center' now") as caught:
        old, _ = convert.convert(torchvision, "imagenet", inflation="centre")
    assert caught[0].filename == __file__
    new = convert.load_checkpoint(torchvision, "imagenet", inflation="center")
    for ours, theirs in zip(old.get_weights(), new.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("architecture", ["i3d", "i3d_3x3x3"])
def test_repeated_kernels_add_up_to_the_2d_kernel(
    torchvision, network, architecture
):
    model, report = convert.convert(
        torchvision, "imagenet", architecture=architecture
    )
    inflated = 0
    for layer in network.backbone.layers:
        if isinstance(layer, layers.Conv3D):
            kernel = np.asarray(model.backbone.get_layer(layer.name).kernel)
            inflated += kernel.shape[0] > 1
            np.testing.assert_allclose(
                kernel, kernel[:1].repeat(len(kernel), 0)
            )
            np.testing.assert_allclose(
                kernel.sum(0), np.asarray(layer.kernel)[0], rtol=1e-5
            )
    # The stem; all of res2, the even blocks of res3 and res4, all of res5.
    assert inflated == 5
    assert report.fresh == []


def test_new_blocks_and_a_new_classifier_are_fresh(torchvision):
    model, report = convert.convert(
        torchvision,
        "imagenet",
        non_local={"res3": (1,)},
        num_classes=9,
        pairwise="concatenation",
        family="gluoncv",
    )
    assert model.backbone.describe() == (
        "NL-I3D ResNet-17: 1 non-local block at res3[1]"
    )
    assert {name.split(".")[0] for name in report.fresh} == {
        "nonlocal_res3_1",
        "pred",
    }
    assert "nonlocal_res3_1.w_f" in report.fresh
    assert not any("trained non-local" in text for text in report.warnings)


def test_published_placement_by_number(tmp_path):
    network = w.network(**{**FLAT, "stage_blocks": (3, 4, 6, 3)})
    path = tmp_path / "resnet50.pth"
    tensors = w.tensors(network, names.TorchVision(), flat=True)
    path.write_bytes(w.torch_file(tensors))
    model = convert.load_checkpoint(path, "imagenet", non_local=5)
    assert model.backbone.non_local == {"res3": (1, 3), "res4": (1, 3, 5)}


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"architecture": "i2d"}, "`architecture` must be one of"),
        ({"inflation": "middle"}, "`inflation` must be 'repeat'"),
        ({"depth": 50}, "`depth` follows from the tensors"),
        ({"pairwise": "gaussian"}, "would change nothing"),
        ({"family": "vnl"}, "`family` of source 'imagenet' must be"),
    ],
)
def test_wrong_override_is_refused(torchvision, overrides, words):
    with pytest.raises(ConversionError) as caught:
        convert.load_checkpoint(torchvision, "imagenet", **overrides)
    assert words in str(caught.value)


# keras.applications.


def test_stem_of_keras_applications_sees_the_same_image():
    source = keras_resnet(48)
    model = convert.load_checkpoint(
        source, "imagenet", architecture="c2d", epsilon=1.001e-5
    )
    pixels = np.random.default_rng(0).integers(0, 256, (1, 48, 48, 3))
    bgr = pixels[..., ::-1] - np.array([103.939, 116.779, 123.68])
    rgb = (pixels / 255 - 0.45) / 0.225
    stem = keras.Model(source.input, source.get_layer("conv1_bn").output)
    backbone = model.backbone
    ours = keras.Model(backbone.input, backbone.get_layer("conv1_bn").output)
    expected = np.asarray(stem(bgr.astype("f4"), training=False))
    found = np.asarray(ours(rgb[:, None].astype("f4"), training=False))[:, 0]
    # Zeros around the image are other colours in the two.
    inner = (slice(None), slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(
        found[inner], expected[inner], rtol=1e-3, atol=2e-2
    )


def test_keras_model_and_file_give_the_same(tmp_path):
    source = keras_resnet()
    path = tmp_path / "resnet.h5"
    save_as_published(source, path)
    clip = np.random.default_rng(0).normal(size=(1, 4, 32, 32, 3)).astype("f4")
    found = []
    for given in (source, path):
        model, report = convert.convert(given, "imagenet")
        found.append(w.logits(model, clip))
        assert "stride of a stage" in report.warnings[-1]
        entries = {entry.name: entry for entry in report.entries}
        bias = entries["conv3_block2_3_conv/bias"]
        assert bias.status == "used"
        assert bias.note == "conv3_block2_3_bn/moving_mean, subtracted"
        assert entries["predictions/bias"].note == "pred.bias"
    np.testing.assert_array_equal(*found)


def test_file_with_links_is_refused(tmp_path):
    path = tmp_path / "links.h5"
    with h5py.File(path, "w") as file:
        file["conv1_conv"] = h5py.ExternalLink("/etc/passwd", "/")
    with pytest.raises(CheckpointError, match="found a link"):
        convert.load_checkpoint(path, "imagenet")


def test_absurd_shape_is_refused(tmp_path):
    path = tmp_path / "absurd.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a/b", (1 << 30, 1 << 20), "f4", chunks=(64, 64))
    with pytest.raises(CheckpointError, match="that the file can hold"):
        convert.load_checkpoint(path, "imagenet")


def test_damaged_hdf5_file_is_refused(tmp_path):
    path = tmp_path / "cut.h5"
    save_as_published(keras_resnet(), path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(CheckpointError, match="whole HDF5 file"):
        convert.load_checkpoint(path, "imagenet")


def test_other_sources_name_the_source_of_hdf5_files(tmp_path):
    path = tmp_path / "resnet.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(CheckpointError, match="source='imagenet'"):
        convert.load_checkpoint(path, "vnl")

"""Detectors are models of the zoo, with all that it promises of models."""

import hashlib
import json
import types

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

import zoo
from nonlocal_keras.cli.main import main
from nonlocal_keras.evaluation import coco_result
from nonlocal_keras.layers import initialization
from tests.support import checkpoint_writers as w
from tests.support import detector_pairs as pairs
from tests.support import detectors
from tests.support import servers
from tests.support import zoo_files
from tests.support.backends import numpy
from tests.support.marks import mostly_slow
from zoo import artifacts
from zoo import checksums
from zoo import proof
from zoo import record as records
from zoo.tasks import object_detection

NAME = "mask_rcnn_tiny_test.local"
SIZES = ((50, 80), (90, 60))
LABELS = {
    "mask": ("background", *"abcd"),
    "keypoint": ("background", "person"),
}
# The heads of the detectors that torchvision was run with.
HEADS = {
    "mask": {"mask_filters": [16] * 4},
    "keypoint": {"keypoint_filters": [16] * 8},
}
WIDTHS = {"width_per_group": 8, "fpn_filters": 16, "box_units": 48}
IMAGE = ("min_size", "max_size")


def pair(kind):
    return pairs.load(f"torchvision_{kind}rcnn_r50_drawn")


def file_bytes(kind):
    """A file of drawn weights, as torch.save writes it."""
    return w.torch_file(pairs.draw_tensors(pair(kind)), counters=False)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty zoo of the user."""
    monkeypatch.setenv("NONLOCAL_KERAS_HOME", str(tmp_path))
    return tmp_path / "zoo"


@pytest.fixture(scope="module")
def model():
    return detectors.small()


@pytest.fixture(scope="module")
def root_with_model(tmp_path_factory, model):
    root = tmp_path_factory.mktemp("zoo")
    with zoo_files.twin_alone():
        return root, zoo.register(model, detectors.record(), root)


# === Published files ===


def published(kind, url, digits):
    """The record of a file with the names of torchvision."""
    sizes = {key: pairs.SETTINGS[key] for key in IMAGE}
    others = {k: v for k, v in pairs.SETTINGS.items() if k not in IMAGE}
    fields = detectors.record(f"{kind}_rcnn_r50_fpn_test.torchvision")
    options = {**WIDTHS, **HEADS[kind], **others}
    return {
        **fields,
        "version": 1,
        "order": 1,
        "labels": list(LABELS[kind]),
        "input": {**fields["input"], **sizes},
        "architecture": {
            "model": f"{kind}_rcnn_r50_fpn",
            "options": options,
        },
        "download": {
            "url": url,
            "mirrors": [],
            "checksum": f"sha256:{digits}",
            "converter": "torchvision",
            "overrides": pairs.SETTINGS,
        },
    }


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Caches with records of files on a server, by kind, filled on demand."""
    with servers.serving() as server:
        caches = {}

        def installed(kind):
            if kind not in caches:
                root = tmp_path_factory.mktemp(kind)
                data = file_bytes(kind)
                digits = hashlib.sha256(data).hexdigest()[:8]
                path = f"/models/{kind}rcnn_resnet50_fpn_coco-{digits}.pth"
                server.files[path] = data
                fields = published(kind, server.url(path), digits)
                name = zoo_files.write(root, fields)
                with pytest.raises(ValueError, match="first 8 digits"):
                    zoo.download(name, cache_dir=root)
                with zoo_files.twin_alone():
                    zoo.download(name, cache_dir=root, accept_unverified=True)
                caches[kind] = root, name, server
            return caches[kind]

        yield installed


@mostly_slow(pytest.mark.parametrize("kind", list(HEADS)), 0)
def test_a_published_file_finds_what_torchvision_found(served, kind):
    root, name, server = served(kind)
    asked = len(server.requests)
    model = detectors.eager(zoo.load(name, cache_dir=root))
    assert len(server.requests) == asked
    assert model.labels == LABELS[kind]
    arrays = pair(kind)
    pairs.check(model.predict(pairs.images_of(arrays)), arrays)


def test_what_is_kept_of_a_published_file(served):
    root, name, _ = served("mask")
    folder = artifacts.folder_of(zoo.info(name, root), root)
    assert sorted(path.name for path in folder.iterdir()) == [
        "SHA256SUMS",
        "card.md",
        "model.keras",
        "record.json",
        "report.json",
    ]
    assert checksums.find_damage(folder) is None
    assert main(["verify", name, "--cache-dir", str(root)]) == 0
    with pytest.raises(ValueError, match="no SavedModel .* when detectors had"):
        zoo.path(name, root)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epsilon": 0.0}, "'epsilon' of the layer 'conv1_bn' is 1e-05, in "),
        ({"roi_aligned": True}, "'aligned' of the layer 'box_roi_align' is F"),
        ({"num_keypoints": 3}, "'filters' of the layer 'keypoint_deconv' is 2"),
        ({"masks": False}, "it has the layer 'mask_roi_align', the record"),
    ],
    ids=str,
)
def test_a_file_of_another_architecture_is_refused(
    model, home, monkeypatch, changes, words
):
    monkeypatch.setattr(
        object_detection,
        "convert",
        lambda record, file: (model, None),
        # A task may read files itself; this one leaves it to `convert`.
        raising=False,
    )
    fields = published("mask", "https://example.org/x-01234567.pth", "01234567")
    options = {**detectors.BACKBONE, **detectors.HEADS, **changes}
    for key in ("num_classes", *IMAGE):
        del options[key]
    fields["architecture"]["options"] = options
    fields |= {key: detectors.record()[key] for key in ("input", "labels")}
    name = zoo_files.write(home, fields)
    with pytest.raises(ValueError, match=words):
        zoo.load(name, weights="here")


# === Models of one's own ===


def test_a_detector_registers_and_loads_by_name(root_with_model, model):
    root, record = root_with_model
    assert NAME in zoo.list_models("mask_rcnn_*", root)
    loaded = detectors.eager(zoo.load(NAME, cache_dir=root))
    images = detectors.images(*SIZES)
    found, expected = loaded.predict(images), model.predict(images)
    assert expected["num_detections"].min() > 0
    detectors.assert_equal(found, expected, atol=1e-5)
    assert loaded.labels == record.labels == detectors.LABELS


@pytest.mark.usefixtures("twin_alone")
def test_measured_numbers_are_metrics_of_a_record(home, model):
    values = {"boxes": 12 * [0.5], "keypoints": [0.25, -1, *8 * [0.125]]}
    result = types.SimpleNamespace(
        numbers={k: coco_result.named(k, v) for k, v in values.items()},
        images=7,
    )
    metrics = {
        "dataset": "shapes",
        "protocol": "one view",
        "command": "python train.py",
        **object_detection.measures(result),
    }
    record = zoo.register(model, detectors.record(metrics=metrics))
    # What cannot be measured is left out.
    assert "keypoint_ap50" not in record.metrics
    assert record.metrics["box_ap"] == record.metrics["box_ar_large"] == 0.5
    assert record.metrics["keypoint_ap"] == 0.25
    assert zoo.info(NAME).metrics == record.metrics
    told = zoo.card(NAME)
    assert "Box AP 50.0%, AP50 50.0%, AP75 50.0%; keypoint AP 25.0%, " in told
    assert "on 7 images of shapes; one view." in told


def test_commands_tell_of_detectors(root_with_model, capsys):
    root = str(root_with_model[0])
    for command in (["list", "mask_rcnn_tiny*"], ["info", NAME]):
        assert main([*command, "--cache-dir", root]) == 0
    out = capsys.readouterr().out
    row = f"{NAME}  AP box 25.0%, keypoint 12.5%  64 px     Apache-2.0    here"
    assert row in out
    assert "task: object_detection" in out


def test_a_card_counts_the_classes_that_can_be_found():
    card = zoo.card("mask_rcnn_r50_fpn_coco.torchvision")
    assert "| classes | 80: person, bicycle, " in card
    assert "| multiply-adds of 800 x 800 pixels | 187,586,351,616 |" in card
    assert "Box AP 37.9%; mask AP 34.6% on COCO val2017; one view" in card


def test_features_come_without_the_heads(root_with_model, model):
    root, _ = root_with_model
    backbone = zoo.load(NAME, cache_dir=root, include_top=False)
    batch = backbone.preprocess(detectors.images(*SIZES))
    assert batch.shape == (2, 96, 96, 3)
    features = backbone(batch, training=False)
    expected = model.backbone(batch, training=False)
    assert list(features) == ["res2", "res3", "res4", "res5"]
    for stage in features:
        np.testing.assert_allclose(
            *map(numpy, (features[stage], expected[stage])), rtol=1e-5
        )


def test_other_classes_give_fresh_layers_and_say_so(
    root_with_model, model, caplog
):
    root, _ = root_with_model
    with caplog.at_level("WARNING"):
        other = zoo.load(NAME, cache_dir=root, num_classes=6)
    assert "layers that tell 6 classes with the background apart" in caplog.text
    assert other.labels is None
    kept, fresh = set(), set()
    for one, was in zip(other.weights, model.weights, strict=True):
        same = one.shape == was.shape and np.array_equal(one, was)
        (kept if same else fresh).add(one.path.split("/")[-2])
    assert fresh == {"box_class", "box_deltas", "mask_logits"}
    assert {"conv1", "fpn_inner_2", "mask_deconv", "keypoint_conv1"} <= kept


def test_no_weights_give_the_architecture(home):
    name = "faster_rcnn_r50_fpn_coco"
    with initialization.no_random_weights():
        model = zoo.load(name, weights=False)
    record = zoo.info(name)
    assert model.describe() == record.description
    assert model.labels == record.labels
    assert not home.exists()


# === What is checked ===


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": ("a", "b")}, "`labels` .* the 3 names of its model"),
        (
            {"input": {**detectors.record()["input"], "max_size": 97}},
            "`input` .* that of its model, whose max_size is 96",
        ),
        (
            {"input": {**detectors.record()["input"], "mean": [0, 0, 0]}},
            "`input` .* that of its model, whose mean is",
        ),
        ({"input": {"size": 8}}, "`input` .* a dictionary of .'min_size'"),
        (
            {"input": {**detectors.record()["input"], "min_size": "8"}},
            "`input` .* of positive integers",
        ),
        ({"views": {"crops": 1}}, "`views` .* empty"),
        ({"labels": ("background",)}, "`labels` .* a class"),
        (
            {"metrics": {"dataset": "x", "protocol": "y", "box_ap": 38.0}},
            "`metrics` .* from 0 to 1",
        ),
        (
            {"metrics": {"dataset": "x", "protocol": "y", "mask_ap50": "-"}},
            "`metrics` .* of numbers as AP",
        ),
    ],
    ids=str,
)
def test_a_record_that_is_not_of_the_model_is_refused(
    home, model, changes, words
):
    with pytest.raises(ValueError, match=words):
        zoo.register(model, detectors.record(**changes))
    assert not list(home.glob("records/*"))


def parts(model):
    """What is proven of a model."""
    record = records.Record(version=1, **detectors.record())
    inputs = object_detection.draw_inputs(model, record)
    return proof.as_arrays(object_detection.run(model, inputs))


def assert_changes(model, weight, before):
    """Another value of a weight is seen in some output by far."""
    was = keras.ops.convert_to_numpy(weight)
    weight.assign(was + 0.1)
    after = parts(model)
    weight.assign(was)
    assert after.keys() == before.keys()
    most = max(
        np.abs(after[k] - before[k]).max() / np.abs(before[k]).max()
        for k in before
    )
    assert most > 10 * proof.TOLERANCE, weight.path


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda value: st.lists(value) | st.dictionaries(st.text(), value),
    max_leaves=6,
)
OWN_FIELDS = ("input", "views", "labels", "metrics", "architecture")


@settings(max_examples=50)
@given(
    field=st.sampled_from(OWN_FIELDS),
    key=st.sampled_from(("min_size", "mean", "std", "box_ap", "model")),
    value=JSON,
    inside=st.booleans(),
)
def test_any_value_of_a_field_is_taken_or_refused_in_words(
    tmp_path_factory, field, key, value, inside
):
    fields = published("mask", "https://example.org/x-01234567.pth", "01234567")
    if inside and isinstance(fields[field], dict):
        value = {**fields[field], key: value}
    root = tmp_path_factory.mktemp("zoo")
    name = zoo_files.write(root, fields)
    text = json.dumps({**fields, field: value})
    (root / "records" / f"{name}.json").write_text(text)
    try:
        zoo.info(name, root)
    except ValueError as error:
        assert f"{name}.json is not a zoo record" in str(error)


@pytest.mark.parametrize("layer", ["conv1", "fpn_output_3", "mask_conv1"])
def test_a_part_that_differs_is_seen(model, layer):
    (weight,) = (w for w in model.weights if f"/{layer}/kernel" in f"/{w.path}")
    assert_changes(model, weight, parts(model))


@pytest.mark.slow
def test_every_weight_is_seen(model):
    before = parts(model)
    for weight in model.weights:
        assert_changes(model, weight, before)


@pytest.mark.usefixtures("twin_alone")
def test_a_file_of_other_weights_is_not_kept(home, model, monkeypatch):
    other = detectors.small()
    kernel = other.get_layer("box_head").get_layer("box_fc7").kernel
    kernel.assign(kernel + 0.1)
    monkeypatch.setattr(proof, "read", lambda file: other)
    with pytest.raises(RuntimeError, match="the outputs . of the box head dif"):
        zoo.register(model, detectors.record())
    assert not list(home.glob("artifacts/*"))


def test_a_checksum_of_six_digits_tells_other_files(tmp_path):
    file = tmp_path / "model_final_900150.pkl"
    file.write_bytes(b"abc")  # RFC 1321: 900150983cd24fb0d6963f7d28e17f72.
    assert checksums.matches(file, "md5:900150", 100)
    assert not checksums.matches(file, "md5:900151", 100)
    # MD5 vouches for nothing, even whole.
    assert not checksums.is_whole("md5:900150983cd24fb0d6963f7d28e17f72")

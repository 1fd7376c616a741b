"""Exported detectors find in their runtimes what the model finds."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from nonlocal_keras import export
from nonlocal_keras import models
from nonlocal_keras.export import detector_graph
from nonlocal_keras.export import detector_parity
from nonlocal_keras.export import image_pixels
from tests.support import detectors
from tests.support import small

LABELS = ("background", "cat", "N/A")
BLOCKS = {"non_local": {"res3": (0,)}}
SIZES = ((50, 80), (90, 60))


@pytest.fixture(scope="module")
def model():
    return detectors.small(BLOCKS, keypoint_non_local={}, labels=LABELS)


@pytest.fixture(scope="module")
def version(model, tmp_path_factory):
    """The folder of an export, which is compared by its two signatures."""
    root, said = tmp_path_factory.mktemp("serving"), []
    images = detectors.images(*SIZES)
    path = export.to_serving(
        model, root, name="d", images=images, say=said.append
    )
    assert len(said) == 2 and all("found by both" in line for line in said)
    return pathlib.Path(path)


@pytest.fixture(scope="module")
def signatures(version):
    """Those of the export. TensorFlow takes seconds to optimize each."""
    return tf.saved_model.load(str(version)).signatures


# === The graph ===


def test_the_graph_gives_what_predict_gives(model):
    images = detectors.images(*SIZES[:1])
    spec = image_pixels.ImageSpec.of(model)
    given = image_pixels.prepare(tf.constant(np.stack(images)), spec)
    found = detector_graph.detect(model, *given, spec.longest)
    expected = model.predict(images)
    masks = expected.pop("masks")
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=2e-3)
    number = len(masks[0])
    pasted = models.paste_masks(
        found["masks"].numpy()[0, :number],
        found["boxes"].numpy()[0, :number],
        *SIZES[0],
    )
    np.testing.assert_allclose(pasted, masks[0], atol=1e-3)


@pytest.mark.slow
def test_what_is_converted_is_a_copy(model):
    copy = detector_graph.prepare(model)
    name = "nonlocal_res3_0"
    assert copy.backbone.get_layer(name).implementation == "matrix"
    assert model.backbone.get_layer(name).implementation == "auto"
    for one, other in zip(copy.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_model_of_16_bits_becomes_one_of_float32(tmp_path):
    policy = "mixed_bfloat16"
    model = detectors.small({"dtype": policy}, dtype=policy)
    copy = detector_graph.prepare(model)
    assert {layer.compute_dtype for layer in copy._flatten_layers()} == {
        "float32"
    }


# === Serving ===


def test_boxes_alone_are_served_as_well(tmp_path):
    model = detectors.small(masks=False, num_keypoints=None)
    said = []
    path = export.to_serving(
        model,
        tmp_path,
        signatures=("serving_default",),
        images=detectors.images(SIZES[0]),
        warmup=False,
        say=said.append,
    )
    assert len(said) == 1 and "100.0% found by both" in said[0]
    labels = pathlib.Path(path, "assets/labels.txt").read_text().split("\n")
    assert labels == ["class 0", "class 1", "class 2", ""]


@pytest.mark.slow
def test_the_folder_is_what_serving_takes(version):
    files = {str(p.relative_to(version)) for p in version.rglob("*")}
    assert files >= {
        "saved_model.pb",
        "assets/labels.txt",
        "assets.extra/tf_serving_warmup_requests",
        "card.md",
    }
    labels = (version / "assets/labels.txt").read_text().splitlines()
    assert tuple(labels) == LABELS
    card = (version / "card.md").read_text()
    for words in ("NL Mask and Keypoint R-CNN", "`encoded`", "`keypoints`"):
        assert words in card


@pytest.mark.slow
def test_both_signatures_find_the_same_with_names(signatures):
    (image,) = detectors.images(SIZES[0])
    pixels = signatures["serving_default"](images=tf.constant(image[None]))
    file = tf.io.encode_png(image)
    decoded = signatures["encoded"](encoded=tf.stack([file]))
    assert set(pixels) == set(decoded)
    for name, values in pixels.items():
        np.testing.assert_array_equal(values, decoded[name])
    number = int(pixels["num_detections"][0])
    names = pixels["label_names"].numpy()[0]
    labels = pixels["labels"].numpy()[0]
    assert number > 0
    assert names[:number].tolist() == [
        LABELS[label].encode() for label in labels[:number]
    ]
    assert set(names[number:]) <= {b""} and set(labels[number:]) <= {-1}


@pytest.mark.slow
def test_encoded_images_of_several_sizes_go_in_one_batch(model, signatures):
    images = detectors.images(*SIZES)
    files = tf.stack([tf.io.encode_png(image) for image in images])
    found = signatures["encoded"](encoded=files)
    expected = model.predict(images)
    np.testing.assert_array_equal(found["labels"], expected["labels"])
    for name in ("boxes", "confidence", "keypoints"):
        np.testing.assert_allclose(found[name], expected[name], atol=2e-3)


@pytest.mark.slow
def test_the_requests_of_the_warm_up_are_answered(version, signatures):
    from tensorflow_serving.apis import prediction_log_pb2

    file = version / "assets.extra/tf_serving_warmup_requests"
    names = set()
    for record in tf.data.TFRecordDataset(str(file)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        inputs = {
            key: tf.make_ndarray(value) for key, value in request.inputs.items()
        }
        names.add(request.model_spec.signature_name)
        signature = signatures[request.model_spec.signature_name]
        assert "boxes" in signature(
            **{key: tf.constant(value) for key, value in inputs.items()}
        )
    assert names == {"serving_default", "encoded"}


@pytest.mark.slow
def test_a_wrong_request_is_refused(signatures):
    with pytest.raises(tf.errors.InvalidArgumentError, match="`encoded` must"):
        signatures["encoded"](encoded=tf.constant([b"GIF89a"]))


# === LiteRT and ONNX ===


@pytest.mark.slow
def test_a_litert_file_finds_the_same(model, tmp_path):
    path = tmp_path / "d.tflite"
    images = detectors.images(SIZES[0], SIZES[0])
    exported = export.to_litert(model, path, images=images)
    assert exported.parity.agreement == 1
    labels = (tmp_path / "d.labels.txt").read_text().splitlines()
    assert tuple(labels) == LABELS
    detect = export.load_detector(path)
    assert_finds(detect, model, images[0])
    with pytest.raises(ValueError, match="`image` must be of the shape"):
        detect(detectors.images(SIZES[1])[0])


@pytest.mark.slow
def test_an_onnx_file_finds_the_same_in_images_of_any_size(model, tmp_path):
    path = tmp_path / "d.onnx"
    exported = export.to_onnx(model, path, images=detectors.images(*SIZES))
    assert exported.parity.agreement == 1
    detect = export.load_detector(path)
    for size in (*SIZES, (300, 40)):
        assert_finds(detect, model, detectors.images(size)[0])
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path))
    told = session.get_modelmeta().custom_metadata_map
    assert tuple(json.loads(told["labels"])) == LABELS
    batch = np.stack(detectors.images(SIZES[0], SIZES[0]))
    (boxes,) = session.run(["boxes"], {"images": batch})
    expected = model.predict(list(batch))["boxes"]
    np.testing.assert_allclose(boxes, expected, atol=2e-3)


def assert_finds(detect, model, image):
    found, expected = detect(image), model.predict([image])
    masks = zip(found.pop("masks"), expected.pop("masks"), strict=True)
    for one, other in masks:
        np.testing.assert_allclose(one, other, atol=1e-3)
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, atol=2e-3)


# === What is refused ===


def test_what_would_change_nothing_is_refused(model, tmp_path):
    clips = np.zeros((1, 4, 32, 32, 3), "float32")
    images = detectors.images((40, 40))
    for make in (export.to_litert, export.to_onnx, export.to_serving):
        with pytest.raises(ValueError, match="`clips` is for classifiers"):
            make(model, tmp_path / "m", clips=clips)
        with pytest.raises(ValueError, match="`images` is for detectors"):
            make(small.classifier(), tmp_path / "m", images=images)
    with pytest.raises(ValueError, match="`quantization` is for classifiers"):
        export.to_litert(model, tmp_path / "m", "int8", shape=(9, 9))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options, message",
    [
        ({}, "`shape` must give the height and width"),
        ({"shape": (4, 32, 32)}, "`shape` must give the height and width"),
        ({"shape": (0, 32)}, "`shape` must give the height and width"),
        (
            {"shape": (40, 40), "images": detectors.images((40, 50))},
            "`images` must be of the shape of the file, 40 x 40",
        ),
        ({"images": [np.zeros((4, 4, 3))]}, "`images` must be of uint8"),
        ({"shape": (40, 40), "tolerance": -1}, "`tolerance` must be"),
    ],
)
def test_what_is_no_image_of_a_file_is_refused(
    model, tmp_path, options, message
):
    with pytest.raises(ValueError, match=message):
        export.to_litert(model, tmp_path / "m.tflite", **options)
    assert not list(tmp_path.iterdir())


def test_unknown_signatures_are_refused(model, tmp_path):
    with pytest.raises(export.ExportError, match="must be out of"):
        export.to_serving(model, tmp_path, signatures=("jpeg",), warmup=False)


@pytest.mark.slow
def test_a_detector_that_finds_otherwise_is_not_left(
    model, tmp_path, monkeypatch
):
    def shifted(*arguments, find=detector_graph.detect):
        found = find(*arguments)
        return {**found, "boxes": found["boxes"] + 1.0}

    monkeypatch.setattr(detector_graph, "detect", shifted)
    with pytest.raises(export.ExportError, match="must find what the model"):
        export.to_serving(
            model,
            tmp_path / "new",
            signatures=("serving_default",),
            images=detectors.images(SIZES[0]),
            warmup=False,
        )
    assert not list(tmp_path.iterdir())


def test_a_file_of_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"`path` must end in one of"):
        export.load_detector(tmp_path / "d.keras")


def test_drawn_images_differ():
    one, other = detector_parity.draw_images([(20, 30), (20, 30)])
    assert one.shape == (20, 30, 3) and one.dtype == "uint8"
    assert (one != other).mean() > 0.5

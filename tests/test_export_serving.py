"""A model for TensorFlow Serving, seen from the side that serves it."""

import contextlib
import http.client
import io
import json
import pathlib
import re
import shutil
import subprocess
import sys

import grpc
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

from nonlocal_keras import export
from nonlocal_keras import models
from nonlocal_keras.data import longrange
from nonlocal_keras.export import SIGNATURES
from tests import small

ROOT = pathlib.Path(__file__).parent.parent
NAME = "tiny"
PREPROCESSING = {
    key: value
    for key, value in small.record()["input"].items()
    if key != "channels"
}


def trained(**options):
    """A small classifier whose answers differ from video to video."""
    keras.utils.set_random_seed(1)
    model = small.classifier(
        labels=small.LABELS, preprocessing=PREPROCESSING, **options
    )
    kernel, bias = model.get_layer("pred").get_weights()
    model.get_layer("pred").set_weights([3 * kernel, bias])
    return model


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    root = tmp_path_factory.mktemp("serving")
    model = trained()
    return model, pathlib.Path(export.to_serving(model, root, name=NAME))


@pytest.fixture(scope="module")
def served(exported):
    return tf.saved_model.load(str(exported[1])).signatures


@pytest.fixture(scope="module")
def stand_in(exported):
    with serving(exported[1].parent.parent) as ports:
        yield ports


@contextlib.contextmanager
def serving(folder):
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "tests/serving_stand_in.py"), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()


def video(seed=0, height=50, width=70):
    frames, _ = longrange.draw_clip(seed)
    return tf.image.resize(frames, (height, width)).numpy().astype("uint8")


def jpegs(frames):
    """Encoded frames, and what another decoder makes of them."""
    images = [tf.io.encode_jpeg(x).numpy() for x in frames]
    decoded = [np.asarray(Image.open(io.BytesIO(x))) for x in images]
    return images, np.stack(decoded)


def expected(model, frames):
    return model.predict(model.preprocess(frames), verbose=0)


# === Folders ===


def test_the_folder_is_what_serving_takes(exported):
    path = exported[1]
    assert path.parts[-2:] == (NAME, "1")
    files = {str(p.relative_to(path)) for p in path.rglob("*") if p.is_file()}
    assert files >= {
        "saved_model.pb",
        "assets/labels.txt",
        "assets.extra/tf_serving_warmup_requests",
        "card.md",
    }
    text = (path / "assets/labels.txt").read_text()
    assert text.split() == list(small.LABELS)
    assert not list(path.parent.glob(".partial*"))


def test_the_card_tells_signatures_and_parity(exported):
    card = (exported[1] / "card.md").read_text()
    for words in (*SIGNATURES, "3: left, right, still", "parity: 4 clips"):
        assert words in card
    assert "NL-C2D ResNet-14" in card


def test_weights_are_stored_once(exported):
    model, path = exported
    stored = sum(f.stat().st_size for f in path.glob("variables/*data*"))
    assert stored < 1.2 * 4 * model.count_params()


def test_a_version_never_changes_and_none_takes_the_next(exported, tmp_path):
    model, path = exported
    shutil.copytree(path.parent, tmp_path / NAME)
    plain = {"signatures": ("serving_default",), "warmup": False}
    with pytest.raises(ValueError, match="`version` must be new.*version=1"):
        export.to_serving(model, tmp_path, name=NAME, **plain)
    second = export.to_serving(
        model, tmp_path, name=NAME, version=None, **plain
    )
    assert second == str(tmp_path / NAME / "2")


def test_what_predicts_otherwise_is_not_left(exported, tmp_path, capsys):
    with pytest.raises(export.ExportError, match="of the largest logit"):
        # No difference is that small.
        export.to_serving(exported[0], tmp_path / "new", tolerance=-1.0)
    assert not list(tmp_path.iterdir())


# === Signatures ===


def test_clips_give_logits_and_probabilities(exported, served):
    model, _ = exported
    clips = export.sample_clips(model, 3)
    outputs = served["serving_default"](clip=tf.constant(clips))
    logits = model.logits.predict(clips, verbose=0)
    np.testing.assert_allclose(outputs["logits"], logits, atol=1e-5)
    np.testing.assert_allclose(
        outputs["probabilities"], tf.nn.softmax(logits), atol=1e-5
    )


def test_frames_of_any_number_and_size_give_probabilities(exported, served):
    model, _ = exported
    for frames in (video(0), video(1, 90, 40)[:9], video(2, 20, 25)[:4]):
        outputs = served["video"](frames=tf.constant(frames[None]))
        np.testing.assert_allclose(
            outputs["probabilities"], expected(model, frames), atol=1e-5
        )


def test_the_best_labels_come_with_their_probabilities(exported, served):
    videos = np.stack([video(0), video(1)])
    outputs = served["video"](frames=tf.constant(videos))
    probabilities = outputs["probabilities"].numpy()
    order = np.argsort(-probabilities, axis=1)
    np.testing.assert_array_equal(
        outputs["top_labels"].numpy().astype(str),
        np.array(small.LABELS)[order],
    )
    np.testing.assert_array_equal(
        outputs["top_probabilities"],
        np.take_along_axis(probabilities, order, axis=1),
    )


def test_jpeg_frames_give_what_the_decoded_frames_give(exported, served):
    model, _ = exported
    images, decoded = jpegs(video(0))
    outputs = served["jpeg"](frames=tf.constant([images]))
    np.testing.assert_allclose(
        outputs["probabilities"], expected(model, decoded), atol=1e-4
    )


def test_features_are_res5_and_its_mean(exported, served):
    model, _ = exported
    clip = model.preprocess(video(0))
    outputs = served["features"](clip=tf.constant(clip))
    res5 = model.backbone.predict(clip, verbose=0)
    np.testing.assert_allclose(outputs["res5"], res5, atol=1e-5)
    mean = res5.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(outputs["features"], mean, atol=1e-5)
    outputs = served["video_features"](frames=tf.constant(video(0)[None]))
    np.testing.assert_allclose(outputs["features"], mean, atol=1e-5)


# === Models ===


PLAIN = {"signatures": ("serving_default",), "warmup": False}
KINDS = {
    **{
        pairwise: {"non_local_options": {"pairwise": pairwise}}
        for pairwise in (
            "gaussian",
            "embedded_gaussian",
            "dot_product",
            "concatenation",
        )
    },
    "shift": {"shift_div": 4},
    "3x3x3": {"architecture": "i3d_3x3x3"},
    "affine": {"normalization": "affine"},
    "bfloat16": {"dtype": "mixed_bfloat16"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_predicts_the_same(kind, tmp_path, capsys):
    options = {"stem_width": 4, "input_shape": (4, 32, 32, 3), **KINDS[kind]}
    name = f"nl_{options.pop('architecture', 'c2d')}_tiny"
    model = models.VideoClassifier(models.from_name(name, **options), 3)
    export.to_serving(model, tmp_path, **PLAIN)
    most = "5e-02" if kind == "bfloat16" else "1e-04"
    assert f"(at most {most})" in capsys.readouterr().out


def test_clips_of_any_size_are_served_where_the_model_takes_them(tmp_path):
    backbone = models.from_name(
        "nl_i3d_tiny", stem_width=4, input_shape=(None, None, None, 3)
    )
    model = models.VideoClassifier(
        backbone, 3, preprocessing=PREPROCESSING, labels=small.LABELS
    )
    path = export.to_serving(model, tmp_path, name=NAME)
    signature = tf.saved_model.load(path).signatures["serving_default"]
    for shape in ((2, 4, 32, 40, 3), (1, 9, 48, 32, 3)):
        clip = np.random.default_rng(0).normal(size=shape).astype("float32")
        np.testing.assert_allclose(
            signature(clip=tf.constant(clip))["logits"],
            model.logits.predict(clip, verbose=0),
            atol=1e-5,
        )


def test_a_model_without_preprocessing_says_what_to_leave_out(tmp_path):
    model = small.classifier()
    with pytest.raises(export.ExportError, match='=."serving_default", "feat'):
        export.to_serving(model, tmp_path)
    path = export.to_serving(
        model,
        tmp_path,
        signatures=("serving_default", "features"),
        warmup=False,
    )
    card = (pathlib.Path(path) / "card.md").read_text()
    assert "preprocessing | unknown" in card and "`video`" not in card
    labels = (pathlib.Path(path) / "assets/labels.txt").read_text()
    assert labels.splitlines() == ["class 0", "class 1", "class 2"]


def test_a_preprocessing_of_another_shape_is_refused(tmp_path):
    model = small.classifier(preprocessing={**PREPROCESSING, "frames": 8})
    with pytest.raises(
        export.ExportError, match="'clip'.*= .4, 32, 32.*gives .8, 32, 32"
    ):
        export.to_serving(model, tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_layer_for_which_the_clips_are_too_small_is_named(tmp_path):
    backbone = models.video_resnet(
        "c2d",
        14,
        family="vnl_8x8",
        stem_width=4,
        input_shape=(None,) * 3 + (3,),
    )
    small_clips = {**PREPROCESSING, "frames": 1}
    model = models.VideoClassifier(backbone, 3, preprocessing=small_clips)
    with pytest.raises(export.ExportError, match="1, 32, 32.*'pool2'"):
        export.to_serving(model, tmp_path)
    assert not list(tmp_path.iterdir())


class InNumpy(keras.layers.Layer):
    def call(self, x):
        return np.asarray(x)

    def compute_output_shape(self, input_shape):
        return input_shape


def test_a_layer_that_is_no_graph_is_named(tmp_path):
    inputs = keras.Input((4, 32, 32, 3))
    backbone = keras.Model(inputs, InNumpy(name="odd")(inputs))
    model = models.VideoClassifier(backbone, 3)
    with pytest.raises(export.ExportError, match="'odd' .InNumpy. must be"):
        export.to_serving(model, tmp_path, **PLAIN)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"signatures": ("video",)}, "with serving_default among them"),
        ({"signatures": ("serving_default", "x")}, "`signatures` must be out"),
        ({"name": "a/b"}, "`name` must be a name without slashes"),
        ({"version": 0}, "`version` must be"),
        ({"labels": ["a"]}, "`labels` must hold 3 names.*: 1"),
    ],
)
def test_a_wrong_argument_is_named(exported, tmp_path, options, words):
    with pytest.raises(ValueError, match=words):
        export.to_serving(exported[0], tmp_path, **options)


def test_a_backbone_is_refused(exported, tmp_path):
    with pytest.raises(export.ExportError, match="must be a VideoClassifier"):
        export.to_serving(exported[0].backbone, tmp_path)


def test_without_the_messages_of_serving_the_error_tells_both_ways_out(
    exported, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "tensorflow_serving", None)
    minor = ".".join(tf.__version__.split(".")[:2])
    with pytest.raises(
        export.ExportError, match=rf"api=={minor}\.\*.*warmup=False"
    ):
        export.to_serving(exported[0], tmp_path)
    assert not list(tmp_path.iterdir())


# === Programs that know nothing of Keras ===


def test_saved_model_cli_runs_the_video_signature(exported, tmp_path):
    model, path = exported
    np.save(tmp_path / "frames.npy", video(0)[None])
    done = subprocess.run(
        [
            pathlib.Path(sys.executable).with_name("saved_model_cli"),
            "run",
            f"--dir={path}",
            "--tag_set=serve",
            "--signature_def=video",
            f"--inputs=frames={tmp_path}/frames.npy",
            f"--outdir={tmp_path}",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(
        np.load(tmp_path / "probabilities.npy"),
        expected(model, video(0)),
        atol=1e-5,
    )


@pytest.fixture(scope="module")
def c_program(tmp_path_factory):
    if not shutil.which("gcc"):
        pytest.skip("no gcc on this machine to compile tests/c_api.c")
    library = tf.sysconfig.get_lib()
    program = tmp_path_factory.mktemp("c") / "c_api"
    done = subprocess.run(
        [
            "gcc",
            "-Wall",
            "-Werror",
            str(ROOT / "tests/c_api.c"),
            f"-I{tf.sysconfig.get_include()}",
            f"-L{library}",
            "-l:libtensorflow_cc.so.2",
            "-l:libtensorflow_framework.so.2",
            f"-Wl,-rpath,{library}",
            f"-o{program}",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return program


def definition(path, signature):
    """The names that a SignatureDef gives to inputs and outputs."""
    proto = saved_model_pb2.SavedModel()
    proto.ParseFromString((path / "saved_model.pb").read_bytes())
    return proto.meta_graphs[0].signature_def[signature]


@pytest.mark.parametrize(
    ("signature", "key"),
    [("serving_default", "clip"), ("video", "frames")],
)
def test_the_c_api_gives_the_same_probabilities(
    exported, c_program, signature, key
):
    model, path = exported
    frames = video(0)
    given = {"clip": model.preprocess(frames), "frames": frames[None]}[key]
    names = definition(path, signature)
    source = names.inputs[key].name.partition(":")[0]
    target, _, index = names.outputs["probabilities"].name.partition(":")
    shape = ",".join(map(str, given.shape))
    dtype = str(given.dtype).replace("float32", "float")
    done = subprocess.run(
        [c_program, path, source, dtype, shape, target, index],
        input=given.tobytes(),
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
    np.testing.assert_allclose(
        np.frombuffer(done.stdout, "float32"),
        expected(model, frames)[0],
        atol=1e-5,
    )


# === The protocol of Serving, spoken by a stand-in ===


def request(signature, **inputs):
    message = predict_pb2.PredictRequest()
    message.model_spec.name = NAME
    message.model_spec.signature_name = signature
    for key, value in inputs.items():
        message.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return message


def predict(ports, message):
    with grpc.insecure_channel(f"127.0.0.1:{ports['grpc']}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        return stub.Predict(message, timeout=60)


def test_the_warm_up_runs_every_signature(stand_in):
    assert stand_in["warmed"] == {NAME: list(SIGNATURES)}
    assert not stand_in["imported"]


@pytest.mark.parametrize("signature", ["video", "jpeg"])
def test_a_client_gets_labels_over_grpc(exported, stand_in, signature):
    model, _ = exported
    frames = video(0)
    given = frames[None]
    if signature == "jpeg":
        images, frames = jpegs(frames)
        given = [images]
    response = predict(stand_in, request(signature, frames=given))
    assert response.model_spec.version.value == 1
    probabilities = tf.make_ndarray(response.outputs["probabilities"])
    np.testing.assert_allclose(
        probabilities, expected(model, frames), atol=1e-4
    )
    best = small.LABELS[probabilities[0].argmax()]
    labels = tf.make_ndarray(response.outputs["top_labels"])
    assert labels[0, 0].decode() == best


def test_an_output_filter_leaves_the_rest_out(stand_in):
    message = request("video", frames=video(0)[None])
    message.output_filter.append("top_labels")
    assert set(predict(stand_in, message).outputs) == {"top_labels"}


def test_float_clips_outgrow_a_message_and_frames_do_not(stand_in):
    # 8 frames of 224 pixels: 4.8 MB as float32 and 1.2 MB as uint8.
    shape = (1, 8, 224, 224, 3)
    with pytest.raises(grpc.RpcError) as error:
        predict(
            stand_in, request("serving_default", clip=np.zeros(shape, "f4"))
        )
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    predict(stand_in, request("video", frames=np.zeros(shape, "u1")))


def test_a_broken_jpeg_is_an_error_of_the_client(stand_in):
    with pytest.raises(grpc.RpcError) as error:
        predict(stand_in, request("jpeg", frames=[[b"no image"] * 4]))
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_rest_answers_with_labels(exported, stand_in):
    model, _ = exported
    frames = video(0, 40, 40)
    connection = http.client.HTTPConnection("127.0.0.1", stand_in["rest"])
    body = {"signature_name": "video", "instances": [frames.tolist()]}
    connection.request("POST", f"/v1/models/{NAME}:predict", json.dumps(body))
    response = connection.getresponse()
    (row,) = json.loads(response.read())["predictions"]
    assert response.status == 200
    best = expected(model, frames)[0]
    np.testing.assert_allclose(row["probabilities"], best, atol=1e-5)
    assert row["top_labels"][0] == small.LABELS[best.argmax()]


# === The page ===


def clients():
    text = (ROOT / "docs/serving.md").read_text()
    found = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [block for block in found if "localhost:" in block]


def test_the_clients_of_the_page_run(tmp_path, monkeypatch, capsys):
    import zoo
    from tests import videos

    name = "nl_c2d_tiny_longrange"
    export.to_serving(zoo.load(name), tmp_path / "serving", name=name)
    videos.write_video(tmp_path / "clip.mp4", frames=12)
    monkeypatch.chdir(tmp_path)
    blocks = clients()
    assert len(blocks) == 2
    with serving(tmp_path / "serving") as ports:
        for block in blocks:
            block = block.replace(
                "localhost:8500", f"127.0.0.1:{ports['grpc']}"
            )
            block = block.replace(
                "localhost:8501", f"127.0.0.1:{ports['rest']}"
            )
            capsys.readouterr()
            exec(compile(block, "block", "exec"), {"__name__": "block"})
            assert re.search("same|different", capsys.readouterr().out)

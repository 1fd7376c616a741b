"""An exported model, run by programs that know nothing of Keras."""

import http.client
import json
import pathlib
import re
import shutil
import subprocess
import sys

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

import zoo
from nonlocal_keras import export
from nonlocal_keras.export import SIGNATURES
from tests.support import paths
from tests.support import served
from tests.support import small
from tests.support import videos
from tests.support.marks import mostly_slow


@pytest.fixture(scope="module")
def stand_in(exported):
    with served.serving(exported[1].parent.parent) as ports:
        yield ports


@pytest.mark.slow
def test_saved_model_cli_runs_the_video_signature(exported, tmp_path):
    model, path = exported
    np.save(tmp_path / "frames.npy", served.video(0)[None])
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
        served.expected(model, served.video(0)),
        atol=1e-5,
    )


@pytest.fixture(scope="module")
def c_program(tmp_path_factory):
    if not shutil.which("gcc"):
        pytest.skip("no gcc on this machine to compile tests/c_api.c")
    # The usual linker reads a library of 1 GB for many seconds.
    linker = ["-fuse-ld=gold"] if shutil.which("ld.gold") else []
    library = tf.sysconfig.get_lib()
    program = tmp_path_factory.mktemp("c") / "c_api"
    done = subprocess.run(
        [
            "gcc",
            "-Wall",
            "-Werror",
            str(paths.ROOT / "tests/c_api.c"),
            f"-I{tf.sysconfig.get_include()}",
            f"-L{library}",
            "-l:libtensorflow_cc.so.2",
            "-l:libtensorflow_framework.so.2",
            f"-Wl,-rpath,{library}",
            f"-o{program}",
            *linker,
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return program


def run_c_program(program, path, signature, key, given):
    names = definition(path, signature)
    source = names.inputs[key].name.partition(":")[0]
    target, _, index = names.outputs["probabilities"].name.partition(":")
    shape = ",".join(map(str, given.shape))
    dtype = str(given.dtype).replace("float32", "float")
    return subprocess.run(
        [program, path, source, dtype, shape, target, index],
        input=given.tobytes(),
        capture_output=True,
    )


def definition(path, signature):
    """The names that a SignatureDef gives to inputs and outputs."""
    proto = saved_model_pb2.SavedModel()
    proto.ParseFromString((path / "saved_model.pb").read_bytes())
    return proto.meta_graphs[0].signature_def[signature]


@mostly_slow(
    pytest.mark.parametrize(
        "signature, key",
        [("serving_default", "clip"), ("video", "frames")],
    ),
    1,
)
def test_the_c_api_gives_the_same_probabilities(
    exported, c_program, signature, key
):
    model, path = exported
    frames = served.video(0)
    given = {"clip": model.preprocess(frames), "frames": frames[None]}[key]
    done = run_c_program(c_program, path, signature, key, given)
    assert done.returncode == 0, done.stderr.decode()
    np.testing.assert_allclose(
        np.frombuffer(done.stdout, "float32"),
        served.expected(model, frames)[0],
        atol=1e-5,
    )


@pytest.mark.parametrize(
    ("signature", "key", "given"),
    [
        ("serving_default", "clip", np.zeros((1, 8, 32, 32, 3), "float32")),
        ("video", "frames", np.zeros((1, 0, 32, 32, 3), "uint8")),
    ],
)
def test_the_c_api_refuses_another_shape_with_the_rule(
    exported, c_program, signature, key, given
):
    done = run_c_program(c_program, exported[1], signature, key, given)
    assert done.returncode == 1 and not done.stdout
    assert f"`{key}` must be of the shape (batch, " in done.stderr.decode()


# === The protocol of Serving, spoken by a stand-in ===


def request(signature, **inputs):
    message = predict_pb2.PredictRequest()
    message.model_spec.name = served.NAME
    message.model_spec.signature_name = signature
    for key, value in inputs.items():
        message.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return message


def predict(ports, message):
    with grpc.insecure_channel(f"127.0.0.1:{ports['grpc']}") as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        return stub.Predict(message, timeout=60)


def test_the_warm_up_runs_every_signature(stand_in):
    assert stand_in["warmed"] == {served.NAME: list(SIGNATURES)}
    assert not stand_in["imported"]


@pytest.mark.parametrize("signature", ["video", "jpeg"])
def test_a_client_gets_labels_over_grpc(exported, stand_in, signature):
    model, _ = exported
    frames = served.video(0)
    given = frames[None]
    if signature == "jpeg":
        images, frames = served.jpegs(frames)
        given = [images]
    response = predict(stand_in, request(signature, frames=given))
    assert response.model_spec.version.value == 1
    probabilities = tf.make_ndarray(response.outputs["probabilities"])
    np.testing.assert_allclose(
        probabilities, served.expected(model, frames), atol=1e-4
    )
    best = small.LABELS[probabilities[0].argmax()]
    labels = tf.make_ndarray(response.outputs["top_labels"])
    assert labels[0, 0].decode() == best


def test_an_output_filter_leaves_the_rest_out(stand_in):
    message = request("video", frames=served.video(0)[None])
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


def test_a_clip_of_another_shape_is_an_error_of_the_client(stand_in):
    clip = np.zeros((1, 4, 32, 32, 6), "float32")
    with pytest.raises(grpc.RpcError) as error:
        predict(stand_in, request("serving_default", clip=clip))
    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "(batch, 4, 32, 32, 3)" in error.value.details()


def test_rest_answers_with_labels(exported, stand_in):
    model, _ = exported
    frames = served.video(0, 40, 40)
    connection = http.client.HTTPConnection("127.0.0.1", stand_in["rest"])
    body = {"signature_name": "video", "instances": [frames.tolist()]}
    connection.request(
        "POST", f"/v1/models/{served.NAME}:predict", json.dumps(body)
    )
    response = connection.getresponse()
    (row,) = json.loads(response.read())["predictions"]
    assert response.status == 200
    best = served.expected(model, frames)[0]
    np.testing.assert_allclose(row["probabilities"], best, atol=1e-5)
    assert row["top_labels"][0] == small.LABELS[best.argmax()]


# === The page ===


def clients():
    text = (paths.ROOT / "docs/serving.md").read_text()
    found = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [block for block in found if "localhost:" in block]


def test_the_clients_of_the_page_run(tmp_path, monkeypatch, capsys):
    name = "nl_c2d_tiny_longrange"
    export.to_serving(
        zoo.load(name),
        tmp_path / "serving",
        name=name,
        signatures=("serving_default", "video", "jpeg"),
        warmup=False,
    )
    videos.write_video(tmp_path / "clip.mp4", frames=12)
    monkeypatch.chdir(tmp_path)
    blocks = clients()
    assert len(blocks) == 2
    with served.serving(tmp_path / "serving") as ports:
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

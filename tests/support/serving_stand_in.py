"""Stands in for TensorFlow Serving, whose binary no package index has.

It speaks the genuine PredictionService over gRPC, with the messages and stubs
of tensorflow-serving-api, and the JSON of the REST interface in row format.
As Serving does, it takes the highest version of each model in a folder, runs
the warm-up requests before it answers, and obeys `output_filter`. It keeps the
4 MiB for one message that gRPC has by default. It never imports this package.
What it shows is that the exported folder fits the protocol; it is not Serving.

    python tests/support/serving_stand_in.py FOLDER

prints {"grpc": PORT, "rest": PORT}.
"""

import base64
import concurrent.futures
import http.server
import json
import pathlib
import sys
import threading

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2
from tensorflow_serving.apis import prediction_log_pb2
from tensorflow_serving.apis import prediction_service_pb2_grpc

WARMUP = "assets.extra/tf_serving_warmup_requests"


class Model:
    """The highest version of a model, warmed up."""

    def __init__(self, folder):
        versions = [p for p in folder.iterdir() if p.name.isdigit()]
        path = max(versions, key=lambda p: int(p.name))
        self.version = int(path.name)
        self.loaded = tf.saved_model.load(str(path))
        self.warmed = []
        if (path / WARMUP).is_file():
            for record in tf.data.TFRecordDataset(str(path / WARMUP)):
                log = prediction_log_pb2.PredictionLog()
                log.ParseFromString(record.numpy())
                request = log.predict_log.request
                self.run(request)
                self.warmed.append(request.model_spec.signature_name)

    def signature(self, name):
        return self.loaded.signatures[name or "serving_default"]

    def run(self, request):
        """`PredictRequest` to a dictionary of tensors."""
        function = self.signature(request.model_spec.signature_name)
        given = function.structured_input_signature[1]
        # By the C++ code that Serving makes tensors with.
        tensors = {
            key: tf.io.parse_tensor(
                request.inputs[key].SerializeToString(), given[key].dtype
            )
            for key in given
        }
        return function(**tensors)


class Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):
    """The service: only Predict."""

    def __init__(self, models):
        self.models = models

    def Predict(self, request, context):
        spec = request.model_spec
        if spec.name not in self.models:
            context.abort(
                grpc.StatusCode.NOT_FOUND, f"Servable not found: {spec.name}"
            )
        model = self.models[spec.name]
        try:
            outputs = model.run(request)
        except (KeyError, tf.errors.OpError, ValueError) as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        response = predict_pb2.PredictResponse()
        response.model_spec.CopyFrom(spec)
        response.model_spec.version.value = model.version
        for key in request.output_filter or outputs:
            tensor = tf.make_tensor_proto(outputs[key].numpy())
            response.outputs[key].CopyFrom(tensor)
        return response


class Rest(http.server.BaseHTTPRequestHandler):
    """`POST /v1/models/NAME:predict` with one entry of `instances` per clip."""

    models = {}

    def do_POST(self):
        name = self.path.removeprefix("/v1/models/").removesuffix(":predict")
        body = json.loads(
            self.rfile.read(int(self.headers["Content-Length"])),
            object_hook=lambda x: (
                base64.b64decode(x["b64"]) if set(x) == {"b64"} else x
            ),
        )
        try:
            status, answer = 200, self.predict(self.models[name], body)
        except (KeyError, tf.errors.OpError, ValueError) as error:
            status, answer = 400, {"error": str(error)}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def predict(self, model, body):
        function = model.signature(body.get("signature_name"))
        ((key, spec),) = function.structured_input_signature[1].items()
        rows = [
            row[key] if isinstance(row, dict) else row
            for row in body["instances"]
        ]
        outputs = function(**{key: tf.constant(rows, spec.dtype)})
        outputs = {
            key: [_plain(x) for x in tensor.numpy()]
            for key, tensor in outputs.items()
        }
        if len(outputs) == 1:
            (only,) = outputs.values()
            return {"predictions": only}
        rows = [
            {key: column[i] for key, column in outputs.items()}
            for i in range(len(rows))
        ]
        return {"predictions": rows}

    def log_message(self, *arguments):
        pass


def _plain(values):
    values = values.tolist()
    if isinstance(values, list) and values and isinstance(values[0], bytes):
        return [value.decode() for value in values]
    return values


def main(folder):
    models = {
        path.name: Model(path)
        for path in sorted(pathlib.Path(folder).iterdir())
    }
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        Predictions(models), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    Rest.models = models
    rest = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Rest)
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    status = {
        "grpc": port,
        "rest": rest.server_port,
        "warmed": {name: model.warmed for name, model in models.items()},
        "imported": "nonlocal_keras" in sys.modules,
    }
    print(json.dumps(status), flush=True)
    # Until who started it closes its end.
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1])

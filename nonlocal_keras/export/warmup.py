"""Requests that TensorFlow Serving runs before it answers the first client."""

import importlib.util

from nonlocal_keras.export import pixels
from nonlocal_keras.export.parity import ExportError
from nonlocal_keras.export.parity import sizes_of_clips
from nonlocal_keras.export.signatures import OF_PIXELS
from nonlocal_keras.export.signatures import SIGNATURES
from nonlocal_keras.export.signatures import clip_spec

FILE = "assets.extra/tf_serving_warmup_requests"


def check():
    """Raises `ExportError` if the messages of Serving are not installed."""
    import tensorflow as tf

    if importlib.util.find_spec("tensorflow_serving") is None:
        minor = ".".join(tf.__version__.split(".")[:2])
        raise ExportError(
            "The requests for the warm-up need a package of the same minor "
            "version as TensorFlow: pip install "
            f'"tensorflow-serving-api=={minor}.*". Or go without them: '
            "warmup=False, --no-warmup. Received: no module "
            "tensorflow_serving"
        )


def write(model, folder, name, signatures):
    """Writes one request for each signature, with a grey clip.

    Args:
        model: A `nonlocal_keras.models.VideoClassifier`.
        folder: `pathlib.Path` of the SavedModel.
        name: String, the name of the model at the server.
        signatures: Sequence of names of `export.signatures`.
    """
    write_requests(
        folder,
        name,
        {
            signature: (SIGNATURES[signature][0], _tensor(model, signature))
            for signature in signatures
        },
    )


def write_requests(folder, name, requests):
    """Writes one request for each signature.

    Args:
        folder: `pathlib.Path` of the SavedModel.
        name: String, the name of the model at the server.
        requests: Dictionary from the name of a signature to the name of its
            input and a `TensorProto`.
    """
    import tensorflow as tf
    from tensorflow_serving.apis import model_pb2
    from tensorflow_serving.apis import predict_pb2
    from tensorflow_serving.apis import prediction_log_pb2

    file = folder / FILE
    file.parent.mkdir()
    with tf.io.TFRecordWriter(str(file)) as records:
        for signature, (key, tensor) in requests.items():
            request = predict_pb2.PredictRequest(
                model_spec=model_pb2.ModelSpec(
                    name=name, signature_name=signature
                ),
                inputs={key: tensor},
            )
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            records.write(log.SerializeToString())


def _tensor(model, signature):
    """Returns a `TensorProto`; a value that is given once stands for all."""
    import tensorflow as tf

    if signature not in OF_PIXELS:
        shape = (1, *sizes_of_clips(model), 3)
        return tf.make_tensor_proto(0.0, "float32", shape)
    spec = clip_spec(model)
    size = pixels.sizes_of_a_video(spec)
    if signature == "jpeg":
        grey = tf.fill((*size, 3), tf.constant(128, "uint8"))
        image = tf.io.encode_jpeg(grey).numpy()
        return tf.make_tensor_proto([[image] * spec.frames])
    return tf.make_tensor_proto(128, "uint8", (1, spec.frames, *size, 3))

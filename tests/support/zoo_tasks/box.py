"""A task of a test: one box and one class in a picture."""

import dataclasses
import json

from zoo import checks


def rules(record):
    same = checks.has_fields(record.input, ("size",))
    yield "input", same, "a dictionary of ('size',)"
    yield "input", checks.are_sizes(record.input.values()), "of a size"
    yield "views", record.views == {}, "empty"
    found = record.metrics.get("box_ap", 0)
    yield "metrics", checks.is_number(found), "of a number at box_ap"


def build(record):
    import keras

    image = keras.Input((None, None, 3), name="image")
    features = keras.layers.GlobalMaxPooling2D(name="features")(image)
    classes = len(record.labels)
    outputs = {
        "boxes": keras.layers.Dense(4, name="boxes")(features),
        "scores": keras.layers.Dense(classes, name="scores")(features),
    }
    return keras.Model(image, outputs)


@dataclasses.dataclass
class Report:
    sha256: str

    def to_json(self):
        return json.dumps(dataclasses.asdict(self))


def convert(record, file):
    import numpy as np

    model = build(record)
    with np.load(file) as arrays:
        model.set_weights([arrays[name] for name in arrays])
    return model, Report(64 * "0")


def equip(model, record):
    model.labels = record.labels
    model.size = record.input["size"]
    return model


def choose_head(model, record, num_classes, include_top):
    if not include_top:
        return model.get_layer("features")
    if num_classes not in (None, len(record.labels)):
        raise ValueError("`num_classes` of a box must be that of its record")
    return model


def write_saved_model(model, record, folder):
    import tensorflow as tf

    module = tf.Module()
    module.weights = [weight.value for weight in model.variables]
    image = tf.TensorSpec((None, None, None, 3), "float32", "image")
    serve = tf.function(model, input_signature=[image], autograph=False)
    path = folder / str(record.version)
    tf.saved_model.save(module, str(path), serve.get_concrete_function())
    return path


def draw_inputs(model, record):
    import numpy as np

    image = np.random.default_rng(0).normal(size=(1, *input_shape(record)))
    return {"image": image.astype("float32")}


def run(model, inputs):
    return model(inputs["image"], training=False)


def input_shape(record):
    return record.input["size"], record.input["size"], 3


def tell_fields(record):
    return {"picture": "{size} x {size} pixels".format(**record.input)}


def tell_accuracy(record):
    return f"AP {record.metrics['box_ap']} on {record.metrics['dataset']}."


def short_input(record):
    return "{size} px".format(**record.input)


def short_accuracy(record):
    return f"AP {record.metrics['box_ap']}"

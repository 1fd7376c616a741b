"""What every layer of the package promises, beyond Keras' own layer test.

Keras compares configurations with each other, so an argument that never got
into `get_config()` goes unnoticed. This walks the signature instead.
"""

import functools
import inspect

import keras
import numpy as np

from tests.support.backends import numpy


def parameters(*classes):
    """`{name: default}` of the constructors, without `self` and `**kwargs`."""
    found = {}
    for cls in reversed(classes):
        for name, parameter in inspect.signature(cls).parameters.items():
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                found[name] = parameter.default
    return found


def check_table(table, *classes, fixed=()):
    """Every parameter has, in some row, a value that is not its default.

    Args:
        table: List of dictionaries of constructor arguments.
        *classes: The class, and those its `**kwargs` go on to.
        fixed: Names of parameters that the class gives itself.
    """
    defaults = parameters(*classes)
    for name in set(defaults) - set(fixed):
        values = [row[name] for row in table if name in row]
        assert any(different(v, defaults[name]) for v in values), (
            f"`{name}` of {classes[0].__name__} has no value in the table of "
            "the test that differs from its default; add one."
        )
    for row in table:
        assert set(row) <= set(defaults) - set(fixed)


def different(value, default):
    return default is inspect.Parameter.empty or plain(value) != plain(default)


def plain(value):
    """Objects of Keras as what they serialize to, sequences as tuples."""
    if isinstance(value, list | tuple):
        return tuple(map(plain, value))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if inspect.isfunction(value):  # an activation
        return keras.activations.serialize(value)
    if hasattr(value, "get_config"):
        return plain(keras.saving.serialize_keras_object(value))
    return value


def check_config(cls, options):
    """Attribute, `get_config()` and `from_config()` keep every argument."""
    layer = cls(**options)
    config = layer.get_config()
    for name, value in options.items():
        assert plain(getattr(layer, name)) == plain(value), name
        kept = plain(config[name])
        assert kept == plain(value), f"`{name}` in get_config(): {kept}"
    again = cls.from_config(config)
    assert plain(again.get_config()) == plain(config)
    keys = keras.saving.serialize_keras_object(layer)
    assert keys["registered_name"] == f"nonlocal_keras>{cls.__name__}"
    copy = keras.saving.deserialize_keras_object(keys)
    assert type(copy) is cls
    assert plain(copy.get_config()) == plain(config)


def random_model(cls, options, input_shape):
    """A functional model of the layer with random weights, and an input."""
    inputs = keras.Input(input_shape[1:])
    model = keras.Model(inputs, cls(**options)(inputs))
    rng = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign(rng.uniform(0.5, 1.5, size=weight.shape))
    return model, rng.normal(size=input_shape).astype("float32")


def check_saving(cls, options, input_shape, path):
    """A `.keras` file gives the same layer, weights and output."""
    model, x = random_model(cls, options, input_shape)
    model.save(path)
    check_same(model, keras.models.load_model(path), x)


def check_clone(cls, options, input_shape):
    model, x = random_model(cls, options, input_shape)
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    check_same(model, clone, x)


def check_same(model, other, x):
    layer, copy = model.layers[-1], other.layers[-1]
    assert copy is not layer and type(copy) is type(layer)
    assert plain(copy.get_config()) == plain(layer.get_config())
    assert len(model.weights) == len(other.weights)
    for weight, again in zip(model.weights, other.weights):
        np.testing.assert_array_equal(numpy(again), numpy(weight))
        assert again.trainable == weight.trainable
    np.testing.assert_array_equal(numpy(other(x)), numpy(model(x)))


def check_saved_model(cls, options, input_shape, path):
    """TensorFlow alone serves the exported layer, for any batch."""
    import tensorflow as tf

    model, x = random_model(cls, options, input_shape)
    model.export(path, verbose=False)
    served = tf.saved_model.load(path)
    want = numpy(model(x))
    close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5)
    close(numpy(served.serve(x)), want)
    close(numpy(served.serve(x[:1])), want[:1])

"""A classifier of clips on a video backbone."""

import keras
from keras import layers

from nonlocal_keras.layers import arguments


@keras.saving.register_keras_serializable("nonlocal_keras")
class VideoClassifier(keras.Model):
    """Pooling, dropout and one dense layer on the features of a backbone.

    With `pool_size=None` the features of the whole clip are averaged, and any
    number and size of frames gives one prediction. With a window, such as
    `(4, 7, 7)`, the window slides over the features, every place predicts,
    and the predictions are averaged: the fully convolutional test of the
    authors' release and of PySlowFast.

    Example:

    >>> backbone = nonlocal_keras.models.from_name("nl_c2d_tiny")
    >>> model = nonlocal_keras.models.VideoClassifier(backbone, num_classes=5)
    >>> model(np.zeros((1, 4, 32, 32, 3))).shape
    TensorShape([1, 5])
    >>> model.logits(np.zeros((1, 4, 32, 32, 3))).shape
    TensorShape([1, 5])

    Args:
        backbone: A functional model from clips to features
            `(batch, frames, height, width, channels)`, for example a
            `nonlocal_keras.models.VideoResNet`.
        num_classes: Integer, the number of classes.
        pool_size: Tuple of 3 Integers, window of the average pooling in
            frames, rows and columns of the features. Defaults to `None`, all
            of them.
        dropout: Float between 0 and 1, rate before the dense layer. Defaults
            to `0.5`.
        activation: String, the activation of the predictions: `"softmax"`,
            `"sigmoid"` for several labels per clip, or `None` for logits.
            Defaults to `"softmax"`.
        labels: Sequence of class names, in the order of the outputs, to be
            saved with the model. Defaults to `None`.
        preprocessing: Dictionary of what `preprocess` does, to be saved with
            the model: `frames`, `stride`, `size`, `short_side`, `mean`,
            `std`, and where they are of use `resize` and `fps` of
            `nonlocal_keras.data.ClipSpec`. Defaults to `None`.
        name: String. Defaults to `None`, a name made by Keras.
        trainable: Boolean, whether the weights may change in training.
            Defaults to `True`.

    Returns:
        A functional model from clips to predictions `(batch, num_classes)` in
        float32, whatever the dtype policy.

    Reference:

    - [Wang et al., 2018, section 4.1](https://arxiv.org/abs/1711.07971)
    """

    def __init__(
        self,
        backbone,
        num_classes,
        pool_size=None,
        dropout=0.5,
        activation="softmax",
        labels=None,
        preprocessing=None,
        name=None,
        trainable=True,
    ):
        arguments.check_positive_int("num_classes", num_classes)
        if not 0.0 <= dropout < 1.0:
            raise ValueError(
                "`dropout` must be at least 0 and below 1. "
                f"Received: dropout={dropout}"
            )
        if labels is not None and len(labels) != num_classes:
            raise ValueError(
                f"`labels` must hold {num_classes} names, one per class, or "
                f"be None. Received: {len(labels)} names"
            )
        # === Layers ===
        # In the dtype of the features, whatever the policy when it is loaded.
        common = {"dtype": backbone.output.dtype}
        pooling = {"data_format": "channels_last", "name": "pool5", **common}
        pool = (
            layers.GlobalAveragePooling3D(keepdims=True, **pooling)
            if pool_size is None
            else layers.AveragePooling3D(tuple(pool_size), strides=1, **pooling)
        )
        # === Functional model ===
        inputs = keras.Input(shape=backbone.input_shape[1:], name="clip")
        x = pool(backbone(inputs))
        if dropout:
            x = layers.Dropout(dropout, name="dropout", **common)(x)
        # (B, T', H', W', classes), one prediction per place of the window.
        x = layers.Dense(num_classes, dtype="float32", name="pred")(x)
        logits = _MeanOverPlaces(name="logits", dtype="float32")(x)
        x = layers.Activation(activation, dtype="float32", name="act")(x)
        outputs = _MeanOverPlaces(name="predictions", dtype="float32")(x)
        super().__init__(
            inputs=inputs, outputs=outputs, name=name, trainable=trainable
        )
        # === Config ===
        self.backbone = backbone
        self.num_classes = num_classes
        self.pool_size = None if pool_size is None else tuple(pool_size)
        self.dropout = dropout
        self.activation = keras.activations.get(activation)
        self.labels = None if labels is None else tuple(labels)
        self.preprocessing = preprocessing
        self._logits = keras.Model(inputs, logits, name="logits")

    @property
    def logits(self):
        """The model up to the logits: it shares layers and weights."""
        return self._logits

    def with_head(self, **changes):
        """Makes a classifier with other arguments on the same backbone.

        Example:

        >>> model = zoo.load("nl_c2d_tiny_longrange")
        >>> tuned = model.with_head(num_classes=51, labels=None)
        >>> tuned.backbone is model.backbone
        True

        Args:
            **changes: Arguments of `VideoClassifier`.

        Returns:
            A `VideoClassifier` that shares the layers of the backbone; its
            dense layer is fresh.
        """
        config = {**self.get_config(), **changes}
        del config["backbone"]
        return type(self)(self.backbone, **config)

    def preprocess(self, frames, fps=None):
        """Turns the frames of a video into a clip for this model.

        Example:

        >>> model = zoo.load("nl_c2d_tiny_longrange")
        >>> frames = nonlocal_keras.data.read_frames("clip.mp4", range(64))
        >>> model.preprocess(frames).shape
        (1, 4, 32, 32, 3)

        Args:
            frames: uint8 RGB frames `(frames, height, width, 3)`: a whole
                video, of which the clip in the middle is taken, or as many
                frames as the model takes, which are taken as they are.
            fps: Float, the frames per second of that video, for a model
                whose clips count time (`preprocessing["fps"]`). Defaults to
                `None`, that of the model.

        Returns:
            float32 array `(1, frames, size, size, 3)`.

        Raises:
            ValueError: If the model has no `preprocessing`, or `frames` are
                of another type or shape.
        """
        from nonlocal_keras.data import ClipSpec

        if self.preprocessing is None:
            raise ValueError(
                "`preprocessing` of this model is None, so that it does not "
                "know how to turn frames into a clip. Set it, as the models "
                "of the zoo have it: model.preprocessing = dict(frames=8, "
                "stride=8, size=224, short_side=256, mean=3 * [0.45], "
                "std=3 * [0.225])"
            )
        spec = ClipSpec.from_config(self.preprocessing)
        return spec.preprocess(frames, fps)

    def get_config(self):
        return {
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "num_classes": self.num_classes,
            "pool_size": self.pool_size,
            "dropout": self.dropout,
            "activation": keras.activations.serialize(self.activation),
            "labels": self.labels,
            "preprocessing": self.preprocessing and dict(self.preprocessing),
            "name": self.name,
            "trainable": self.trainable,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        config["backbone"] = keras.saving.deserialize_keras_object(
            config["backbone"], custom_objects=custom_objects
        )
        return cls(**config)


@keras.saving.register_keras_serializable("nonlocal_keras")
class _MeanOverPlaces(layers.Layer):
    def call(self, inputs):
        return keras.ops.mean(inputs, axis=(1, 2, 3))

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])

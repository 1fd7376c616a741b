"""How a detector is compiled, and learns by `fit`."""

import keras

from nonlocal_keras.models.detection import sampling
from nonlocal_keras.models.detection import training_step
from nonlocal_keras.ops.backend import replicas

# What `compile` of Keras takes for models that leave their losses open.
_OF_OPEN_LOSSES = ("loss", "loss_weights", "metrics", "weighted_metrics")
_DEFAULTS = sampling.OPTIONS


class _LossMeans:
    """The means of the losses of an epoch, in no layer and in no file."""

    def __init__(self, names):
        self.metrics = [keras.metrics.Mean(name) for name in names]

    def update(self, losses, batch):
        for metric in self.metrics:
            metric.update_state(losses[metric.name], sample_weight=batch)


class TrainableDetector(keras.Model):
    """A `keras.Model` whose losses are those of a detector.

    Its subclass sets `backbone` and `_config` and calls `_prepare_training`.
    """

    def _prepare_training(self):
        self._sampling = dict(_DEFAULTS)
        self._seed_generator = keras.random.SeedGenerator()
        self._loss_means = _LossMeans(training_step.names(self._config))
        # By which Keras knows that float16 needs a scale for its losses.
        self.dtype_policy = keras.dtype_policies.get(self._config["dtype"])

    def compile(
        self,
        optimizer="rmsprop",
        rpn_iou_thresholds=_DEFAULTS["rpn_iou_thresholds"],
        rpn_samples=_DEFAULTS["rpn_samples"],
        rpn_positive_fraction=_DEFAULTS["rpn_positive_fraction"],
        pre_nms_top_n=_DEFAULTS["pre_nms_top_n"],
        post_nms_top_n=_DEFAULTS["post_nms_top_n"],
        roi_iou_threshold=_DEFAULTS["roi_iou_threshold"],
        roi_samples=_DEFAULTS["roi_samples"],
        roi_positive_fraction=_DEFAULTS["roi_positive_fraction"],
        seed=None,
        jit_compile="auto",
        **kwargs,
    ):
        """Sets how the model is trained; its losses are its own.

        Args:
            optimizer: As for `keras.Model.compile`. Defaults to `"rmsprop"`.
            rpn_iou_thresholds: Tuple of 2 Floats: an anchor that overlaps
                every object less than by the first is background, one that
                overlaps an object by the second is positive. Defaults to
                `(0.3, 0.7)`.
            rpn_samples: Integer, anchors of an image that are learned from.
                Defaults to `256`.
            rpn_positive_fraction: Float, the part of them that is positive at
                most. Defaults to `0.5`.
            pre_nms_top_n: Integer, anchors of each level that may become
                proposals, in training. Defaults to `2000`.
            post_nms_top_n: Integer, proposals of an image, in training.
                Defaults to `2000`.
            roi_iou_threshold: Float, the overlap with an object from which a
                proposal is positive. Defaults to `0.5`.
            roi_samples: Integer, proposals of an image that are learned from.
                Defaults to `512`.
            roi_positive_fraction: Float, the part of them that is positive at
                most; masks and keypoints are learned from these. Defaults to
                `0.25`.
            seed: Integer, of the choice of anchors and proposals. Defaults to
                `None`, an arbitrary one.
            jit_compile: As for `keras.Model.compile`; `"auto"` is `True` on
                JAX alone, since XLA compiles again for every size of images.
                Defaults to `"auto"`.
            **kwargs: As for `keras.Model.compile`, but no losses and metrics.

        Raises:
            ValueError: If an argument is outside its rule.
        """
        given = [name for name in _OF_OPEN_LOSSES if kwargs.get(name)]
        if given:
            raise ValueError(
                "A detector has its own losses, and logs each of them; "
                "nonlocal_keras.evaluation.CocoEvaluator measures it. Leave "
                f"out `{given[0]}`. Received: {given[0]}={kwargs[given[0]]!r}"
            )
        options = {
            "rpn_iou_thresholds": rpn_iou_thresholds,
            "rpn_samples": rpn_samples,
            "rpn_positive_fraction": rpn_positive_fraction,
            "pre_nms_top_n": pre_nms_top_n,
            "post_nms_top_n": post_nms_top_n,
            "roi_iou_threshold": roi_iou_threshold,
            "roi_samples": roi_samples,
            "roi_positive_fraction": roi_positive_fraction,
        }
        self._sampling = sampling.standardize(options)
        if seed is not None:
            self._seed_generator.state.assign([seed, 0])
        self._seed = seed
        if jit_compile == "auto":
            eager = kwargs.get("run_eagerly", False)
            jit_compile = keras.backend.backend() == "jax" and not eager
        super().compile(optimizer, jit_compile=jit_compile, **kwargs)

    def get_compile_config(self):
        config = super().get_compile_config()
        if not config:
            return config
        return {**config, **self._sampling, "seed": self._seed}

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def losses_of(self, inputs, targets, training=True):
        """Returns the losses of a batch, for a training loop of one's own.

        What is minimized is their sum, plus that of `model.losses`, the
        regularization of the weights. On JAX, `model.stateless_call` of
        `{**inputs, "targets": targets}` returns them.

        Args:
            inputs: Dictionary, as of `preprocess`.
            targets: Dictionary of the objects, in rows that are filled up to
                one number `n`:

                - `boxes`: float32 `(batch, n, 4)`, left, top, right and
                  bottom in pixels of the resized image. One without an area
                  counts as filling.
                - `labels`: int32 `(batch, n)`, classes from 1; 0 is filling.
                  One that is no class is an error, or a loss that is no
                  number in a step that XLA compiles.
                - `masks`, with a mask head: uint8 `(batch, n, size, size)`,
                  1 or more where in its box the object is, else 0. One that
                  is 0 everywhere teaches no mask.
                - `keypoints`, with a keypoint head: float32 `(batch, n,
                  keypoints, 3)`, x and y in pixels of the resized image and
                  visibility, above 0 where the place is known.
            training: Boolean, how layers such as batch normalizations
                behave. Defaults to `True`.

        Returns:
            Dictionary of float32 scalars: `rpn_objectness_loss`,
            `rpn_box_loss`, `class_loss`, `box_loss`, and with such heads
            `mask_loss` and `keypoint_loss`.

        Raises:
            ValueError: If a target is missing or of another shape, or a
                label is no class of the model.
        """
        return training_step.losses_of(
            self,
            self._config,
            self._sampling,
            inputs,
            targets,
            self._seed_generator,
            training,
        )

    def call(self, inputs, training=None, mask=None):
        if not isinstance(inputs, dict) or "targets" not in inputs:
            return super().call(inputs, training=training, mask=mask)
        return self.losses_of(inputs, inputs["targets"], bool(training))

    # Every backend gives its step other arguments, and the batch as the last.
    def train_step(self, *args):
        return super().train_step(*args[:-1], _join(args[-1]))

    def test_step(self, *args):
        return super().test_step(*args[:-1], _join(args[-1]))

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        # A call with targets returns losses, in place of predictions.
        losses = [*y_pred.values(), *self.losses]
        return sum(losses) / replicas()

    @property
    def metrics(self):
        means = getattr(self, "_loss_means", None)
        if means is None or not self.compiled:
            return super().metrics
        return [*super().metrics, *means.metrics]

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        batch = keras.ops.shape(x["image_sizes"])[0]
        self._loss_means.update(y_pred, batch)
        return self.get_metrics_result()


def _join(data):
    """Returns inputs and targets as one dictionary, which a call takes."""
    inputs, targets, weights = keras.utils.unpack_x_y_sample_weight(data)
    if not isinstance(targets, dict) or weights is not None:
        raise ValueError(
            "A detector is trained with batches of two dictionaries, (inputs, "
            "targets), and without weights of samples. See "
            f"`MaskRCNN.losses_of`. Received: a batch of {_kinds(data)}"
        )
    return ({**inputs, "targets": targets},)


def _kinds(data):
    data = data if isinstance(data, (tuple, list)) else (data,)
    return ", ".join(type(part).__name__ for part in data)

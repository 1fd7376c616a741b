"""Non-local blocks in the models of tf-models-official, Model Garden.

Importing this module registers, which is what it is for: the backbone
`nl_resnet`, and its options in Model Garden's `Backbone` config, so that
every experiment takes them. Model Garden is Keras 2 (`tf_keras`). A layer of
Keras 3 inside a model of Keras 2 has no weights there and is never trained,
without a word; hence a layer of Keras 2 that owns the weights and leaves the
computing to `nonlocal_keras.NonLocal2D`.
"""

import dataclasses
import itertools
from typing import Any

import keras

from nonlocal_keras import layers
from nonlocal_keras import optional
from nonlocal_keras.models.backbones import placement

_USER = "`nonlocal_keras.integrations.model_garden`"
if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"{_USER} computes by TensorFlow. Set KERAS_BACKEND=tensorflow before "
        f"Keras is imported. Received: {keras.backend.backend()}"
    )

tf = optional.load("tensorflow", _USER)
tf_keras = optional.load("tf_keras", _USER)
hyperparams = optional.load("official.modeling.hyperparams", _USER)
configs = optional.load("official.vision.configs.backbones", _USER)
factory = optional.load("official.vision.modeling.backbones.factory", _USER)
resnet = optional.load("official.vision.modeling.backbones.resnet", _USER)


@tf_keras.saving.register_keras_serializable("nonlocal_keras")
class TfKerasNonLocal2D(tf_keras.layers.Layer):
    """`nonlocal_keras.NonLocal2D` as a layer of Keras 2.

    Weights, their order and the results are those of `NonLocal2D`, so that
    `get_weights()` of one fit `set_weights()` of the other.

    Example:

    >>> from nonlocal_keras.integrations import model_garden
    >>> block = model_garden.TfKerasNonLocal2D(pool_size=2)
    >>> block(np.ones((1, 8, 8, 16), "float32")).shape
    TensorShape([1, 8, 8, 16])
    >>> len(block.trainable_variables)
    10

    Args:
        kernel_regularizer: A `tf_keras.regularizers.Regularizer` of the
            kernels. Defaults to `None`.
        name: String. Defaults to `None`.
        trainable: Boolean. Defaults to `True`.
        dtype: String or policy of Keras 2. Defaults to `None`, the policy of
            Keras 2.
        **options: Arguments of `nonlocal_keras.NonLocal2D`, as values that
            JSON knows; `data_format`, regularizers and constraints excepted.

    Input shape:
        `(batch, height, width, channels)`.

    Output shape:
        Same as the input.

    Raises:
        ValueError: If an option is outside its rule.

    Reference:

    - [Wang et al., 2018](https://arxiv.org/abs/1711.07971)
    """

    def __init__(
        self,
        kernel_regularizer=None,
        name=None,
        trainable=True,
        dtype=None,
        **options,
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.kernel_regularizer = tf_keras.regularizers.get(kernel_regularizer)
        block = layers.NonLocal2D(
            data_format="channels_last",
            dtype=self.dtype_policy.name,
            **options,
        )
        # Past the tracking of Keras 2: checkpoints must not hold the weights
        # of `block`, which are only the first values of those here.
        object.__setattr__(self, "_block", block)
        object.__setattr__(self, "_options", options)

    def build(self, input_shape):
        self._block.build(tuple(input_shape))
        for variable in self._block.trainable_variables:
            is_kernel = variable.name in ("kernel", "w_f")
            regularizer = self.kernel_regularizer if is_kernel else None
            self._add(variable, trainable=True, regularizer=regularizer)
        for variable in self._block.non_trainable_variables:
            self._add(
                variable,
                trainable=False,
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.MEAN,
            )
        super().build(input_shape)

    def _add(self, variable, **kwargs):
        value = keras.ops.convert_to_numpy(variable)
        self.add_weight(
            # "theta_kernel" of "non_local2d/theta/kernel".
            name=variable.path.partition("/")[2].replace("/", "_"),
            shape=value.shape,
            dtype=variable.dtype,
            initializer=tf_keras.initializers.Constant(value),
            # The block casts them, by the rules of Keras 3.
            experimental_autocast=False,
            **kwargs,
        )

    @tf.autograph.experimental.do_not_convert
    def call(self, inputs, training=None):
        if not tf.is_tensor(training):
            return self._compute(inputs, bool(training))
        return tf.cond(
            training,
            lambda: self._compute(inputs, True),
            lambda: self._compute(inputs, False),
        )

    def _compute(self, inputs, training):
        # A frozen layer keeps its statistics, as batch normalization does.
        training = training and self.trainable
        trained = self._block.trainable_variables
        moved = self._block.non_trainable_variables
        values = map(tf.convert_to_tensor, self.weights)
        mapping = list(zip(trained + moved, values, strict=True))
        # Not `stateless_call`: it leaves out the casts of a call.
        with keras.StatelessScope(mapping) as scope:
            outputs = self._block(inputs, training=training)
        if training:
            statistics = self.weights[len(trained) :]
            for weight, variable in zip(statistics, moved, strict=True):
                weight.assign(scope.get_current_value(variable))
        return outputs

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            **self._options,
            "kernel_regularizer": tf_keras.regularizers.serialize(
                self.kernel_regularizer
            ),
        }


@tf_keras.saving.register_keras_serializable("nonlocal_keras")
class NonLocalResNet(resnet.ResNet):
    """Model Garden's `ResNet` with non-local blocks.

    New blocks are the identity: with the weights of a plain `ResNet`, see
    `restore_backbone`, it computes what that one does.

    Example:

    >>> from nonlocal_keras.integrations import model_garden
    >>> backbone = model_garden.NonLocalResNet(
    ...     18, non_local={"res4": (0,)}, non_local_options={"pool_size": 2}
    ... )
    >>> backbone.get_layer("nonlocal_res4_0").name
    'nonlocal_res4_0'

    Args:
        model_id: Integer, the depth: 10 to 420, as of `ResNet`.
        non_local: Dictionary of stage to indices of the residual blocks after
            which a non-local block stands, e.g. `{"res4": (4,)}`. `res2` is
            Model Garden's `block_group_l2`. Defaults to `None`, no such block.
        non_local_options: Dictionary of arguments of `TfKerasNonLocal2D` for
            all blocks; under the name of a stage, for that stage only.
            Defaults to `None`.
        **kwargs: Arguments of `ResNet`. Momentum, epsilon, synchronization and
            the regularizer of kernels hold for the blocks as well.

    Raises:
        ValueError: If a placement or option is outside its rule or would
            change nothing.

    Reference:

    - [Wang et al., 2018, section 6](https://arxiv.org/abs/1711.07971)
    """

    def __init__(
        self, model_id, non_local=None, non_local_options=None, **kwargs
    ):
        stage_blocks = [number for *_, number in resnet.RESNET_SPECS[model_id]]
        placed = placement.check_placement(non_local, stage_blocks)
        # `ResNet` makes its layers before Keras 2 may track attributes.
        object.__setattr__(self, "_non_local", placed)
        object.__setattr__(self, "_non_local_options", non_local_options)
        super().__init__(model_id, **kwargs)

    def _block_group(self, *, block_fn, name, **kwargs):
        stage = f"res{name[-1]}"
        numbers = itertools.count()

        def with_non_local(**options):
            block, index = block_fn(**options), next(numbers)
            if index not in self._non_local.get(stage, ()):
                return block
            non_local = self._make_non_local(stage, index)
            return lambda x: non_local(block(x))

        return super()._block_group(
            block_fn=with_non_local, name=name, **kwargs
        )

    def _make_non_local(self, stage, index):
        options = placement.check_options(
            self._non_local_options, self._non_local
        )
        return TfKerasNonLocal2D(
            name=f"nonlocal_{stage}_{index}",
            kernel_regularizer=self._kernel_regularizer,
            **{
                "momentum": self._norm_momentum,
                "epsilon": self._norm_epsilon,
                "synchronized": self._use_sync_bn,
                **options[stage],
            },
        )

    def plain_config(self):
        """Returns the arguments of the `ResNet` without the blocks."""
        return {**super().get_config(), "input_specs": self._input_specs}

    def get_config(self):
        return {
            **super().get_config(),
            "non_local": self._non_local or None,
            "non_local_options": self._non_local_options,
        }


def restore_backbone(backbone, checkpoint):
    """Restores a plain `ResNet`; non-local blocks stay as they are.

    `init_checkpoint` of a task cannot do so, since blocks shift the numbers
    of the layers in a checkpoint. What this function restores, a checkpoint
    for `init_checkpoint` can be written of:

    ```python
    backbone = model_garden.NonLocalResNet(50, non_local={"res4": (4,)})
    model_garden.restore_backbone(backbone, "resnet50_imagenet/ckpt-28080")
    tf.train.Checkpoint(backbone=backbone).write("nl_resnet50_imagenet")
    ```

    Args:
        backbone: A `NonLocalResNet`, such as `task.build_model().backbone`.
        checkpoint: String, the path of a checkpoint of Model Garden with a
            plain `ResNet` of the same options as `backbone`, or a folder,
            whose latest checkpoint is taken.

    Raises:
        ValueError: If the checkpoint does not hold that `ResNet`.
    """
    if tf.io.gfile.isdir(checkpoint):
        checkpoint = tf.train.latest_checkpoint(checkpoint)
    plain = resnet.ResNet(**backbone.plain_config())
    try:
        status = tf.train.Checkpoint(backbone=plain).read(checkpoint)
        status.expect_partial().assert_existing_objects_matched()
    # Of names that differ and of shapes that do.
    except (AssertionError, ValueError) as error:
        raise ValueError(
            "`checkpoint` must hold, as `backbone`, a plain ResNet of Model "
            "Garden with the options of `backbone`; one with the same blocks "
            "restores by tf.train.Checkpoint(backbone=backbone). "
            f"Received: checkpoint={checkpoint!r}"
        ) from error
    of_blocks = {
        id(weight)
        for layer in backbone.layers
        if isinstance(layer, TfKerasNonLocal2D)
        for weight in layer.weights
    }
    shared = [w for w in backbone.weights if id(w) not in of_blocks]
    for weight, value in zip(shared, plain.weights, strict=True):
        weight.assign(value)


# === The backbone in configs ===


@dataclasses.dataclass
class Placement(hyperparams.Config):
    """Indices of the residual blocks after which a non-local block stands."""

    res2: list[int] = dataclasses.field(default_factory=list)
    res3: list[int] = dataclasses.field(default_factory=list)
    res4: list[int] = dataclasses.field(default_factory=list)
    res5: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class NonLocalOptions(hyperparams.Config):
    """Arguments of `nonlocal_keras.NonLocal2D`, with its defaults."""

    intermediate_dim: int | None = None
    pairwise: str = "embedded_gaussian"
    scale: float | None = None
    pool_size: Any = None
    pool_first: bool = False
    attend_axes: list[int] | None = None
    frame_groups: int = 1
    normalization: str | None = "batch"
    use_bias: bool = True
    output_bias: bool = True
    implementation: str = "auto"
    kernel_initializer: str = "he_normal"
    bias_initializer: str = "zeros"


@dataclasses.dataclass
class NonLocalResNetConfig(configs.ResNet):
    """Options of the backbone `nl_resnet`: those of `resnet`, and blocks."""

    non_local: Placement = dataclasses.field(default_factory=Placement)
    non_local_options: NonLocalOptions = dataclasses.field(
        default_factory=NonLocalOptions
    )


@dataclasses.dataclass
class Backbone(configs.Backbone):
    """Model Garden's config of backbones, with `nl_resnet`."""

    nl_resnet: NonLocalResNetConfig = dataclasses.field(
        default_factory=NonLocalResNetConfig
    )


# Experiments look it up when they are made, so that all of them have the new
# field; without it a YAML file could not set it.
configs.Backbone = Backbone


@factory.register_backbone_builder("nl_resnet")
def build_nl_resnet(
    input_specs, backbone_config, norm_activation_config, l2_regularizer=None
):
    """Builds a `NonLocalResNet`; Model Garden calls it by `nl_resnet`."""
    config = backbone_config.get().as_dict()
    config["init_stochastic_depth_rate"] = config.pop(
        "stochastic_depth_drop_rate"
    )
    placed = config.pop("non_local")
    return NonLocalResNet(
        **config,
        non_local={stage: where for stage, where in placed.items() if where},
        input_specs=input_specs,
        kernel_regularizer=l2_regularizer,
        **norm_activation_config.as_dict(),
    )

"""The ResNet and ResNeXt of images, with non-local blocks."""

import keras
from keras import layers

from nonlocal_keras.layers import GlobalContext2D
from nonlocal_keras.layers import NonLocal2D
from nonlocal_keras.layers import arguments
from nonlocal_keras.layers import initialization
from nonlocal_keras.layers.batch_norm import BatchNormalization
from nonlocal_keras.layers.batch_norm import FrozenBatchNormalization
from nonlocal_keras.models.backbones import placement
from nonlocal_keras.models.backbones import resnet_config
from nonlocal_keras.models.backbones.placement import STAGES

NORMALIZATIONS = ("frozen", "batch")
STRIDED = ("3x3", "1x1")
# Of every published one.
STEM_WIDTH = 64


@keras.saving.register_keras_serializable("nonlocal_keras")
class ImageResNet(keras.Model):
    """Bottleneck ResNet or ResNeXt on images, with features of each stage.

    The layers have the names of `nonlocal_keras.models.VideoResNet`:
    `conv1`, `res{2..5}_{i}_branch{1,2a,2b,2c}`, each with its `_bn`,
    `nonlocal_res{2..5}_{i}` and `global_context_res{2..5}_{i}`. All padding
    is symmetric, as in the published checkpoints.

    Example:

    >>> backbone = nonlocal_keras.models.ImageResNet(
    ...     width_per_group=8, non_local={"res4": (4,)}
    ... )
    >>> features = backbone(np.zeros((1, 64, 96, 3)))
    >>> features["res4"].shape
    TensorShape([1, 4, 6, 1024])

    Args:
        input_shape: Tuple `(height, width, channels)`; height and width may
            be `None`. Defaults to `(None, None, 3)`.
        stage_blocks: Tuple of 4 Integers, residual blocks in res2 to res5.
            Defaults to `(3, 4, 6, 3)`, a ResNet-50.
        groups: Integer, groups of the 3x3 convolutions. Defaults to `1`.
        width_per_group: Integer, channels of each group in res2; later stages
            double it. Defaults to `64`. A ResNeXt 32x8d has 32 groups of 8.
        stem_width: Integer, channels of the first convolution; res2 has four
            times as many, and later stages double them. Defaults to `64`.
        strided: String, the convolution of a block that has the stride:
            `"3x3"`, or `"1x1"` for the first one, as in Caffe. Defaults to
            `"3x3"`.
        non_local: Dictionary of stage to indices of the residual blocks after
            which a non-local block stands, e.g. `{"res4": (4,)}`. Defaults to
            `None`, no such block.
        non_local_options: Dictionary of arguments of
            `nonlocal_keras.NonLocal2D` for all blocks; under the name of a
            stage, a dictionary of arguments for that stage only. Defaults to
            `None`.
        global_context: Tuple of Strings, the stages of which every residual
            block has a `nonlocal_keras.GlobalContext2D` after its third
            convolution, e.g. `("res3", "res4", "res5")`. Defaults to `None`,
            no such block.
        global_context_options: Dictionary of arguments of
            `nonlocal_keras.GlobalContext2D`. Defaults to `None`.
        normalization: String, `"frozen"` for batch normalizations that keep
            their statistics and weights, as is usual where a device holds
            few images, or `"batch"`. Defaults to `"frozen"`.
        momentum: Float, momentum of the batch normalizations. Defaults to
            `0.9`.
        epsilon: Float, epsilon of the batch normalizations. Defaults to
            `1e-5`.
        synchronized: Boolean, whether replicas share batch statistics.
            Defaults to `False`.
        kernel_initializer: Initializer of the convolutions. Defaults to
            `"he_normal"`.
        kernel_regularizer: Regularizer of the convolutions. Defaults to
            `None`.
        dtype: String or `keras.DTypePolicy`. Defaults to `None`, the policy
            of Keras.
        name: String. Defaults to `None`, a name made by Keras.
        trainable: Boolean, whether the weights may change in training.
            Defaults to `True`.

    Returns:
        A functional model from images `(batch, height, width, channels)` to a
        dictionary of the features of `"res2"` to `"res5"`.

    Raises:
        ValueError: If a placement or option is outside its rule or would
            change nothing.

    Reference:

    - [He et al., 2016](https://arxiv.org/abs/1512.03385)
    - [Xie et al., 2017](https://arxiv.org/abs/1611.05431)
    - [Wang et al., 2018, section 6](https://arxiv.org/abs/1711.07971)
    - [Cao et al., 2019](https://arxiv.org/abs/1904.11492)
    """

    def __init__(
        self,
        input_shape=(None, None, 3),
        stage_blocks=(3, 4, 6, 3),
        groups=1,
        width_per_group=64,
        stem_width=STEM_WIDTH,
        strided="3x3",
        non_local=None,
        non_local_options=None,
        global_context=None,
        global_context_options=None,
        normalization="frozen",
        momentum=0.9,
        epsilon=1e-5,
        synchronized=False,
        kernel_initializer="he_normal",
        kernel_regularizer=None,
        dtype=None,
        name=None,
        trainable=True,
    ):
        # Long, as its arguments are many.
        config = _standardize(
            {
                "input_shape": input_shape,
                "stage_blocks": stage_blocks,
                "groups": groups,
                "width_per_group": width_per_group,
                "stem_width": stem_width,
                "strided": strided,
                "non_local": non_local,
                "non_local_options": non_local_options,
                "global_context": global_context,
                "global_context_options": global_context_options,
                "normalization": normalization,
                "momentum": momentum,
                "epsilon": epsilon,
                "synchronized": synchronized,
                "kernel_initializer": kernel_initializer,
                "kernel_regularizer": kernel_regularizer,
                "dtype": dtype,
            }
        )
        inputs = keras.Input(shape=config["input_shape"], name="image")
        super().__init__(
            inputs=inputs,
            outputs=_Layers(config)(inputs),
            name=name,
            trainable=trainable,
        )
        self._config = config

    @property
    def non_local(self):
        """The placement of the non-local blocks, e.g. `{"res4": (4,)}`."""
        return self._config["non_local"]

    @property
    def global_context(self):
        """The stages with global context blocks, e.g. `("res4", "res5")`."""
        return self._config["global_context"]

    def describe(self):
        """Returns architecture, depth and blocks in one line."""
        config = self._config
        depth = 3 * sum(config["stage_blocks"]) + 2
        name = f"ResNet-{depth}"
        if config["groups"] > 1:
            width = config["width_per_group"]
            name = f"ResNeXt-{depth}-{config['groups']}x{width}d"
        places = [placement.describe(config["non_local"])]
        if config["global_context"]:
            blocks = dict(zip(STAGES, config["stage_blocks"]))
            number = sum(blocks[stage] for stage in config["global_context"])
            stages = " ".join(config["global_context"])
            plural = "" if number == 1 else "s"
            places.append(f"{number} global context block{plural} in {stages}")
            if not config["non_local"]:
                places = places[1:]
        return f"{name}: {' and '.join(places)}"

    def get_config(self):
        config = resnet_config.serialize(self._config)
        return {**config, "name": self.name, "trainable": self.trainable}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


def _standardize(config):
    """Checks the arguments and brings each into one form."""
    arguments.check_choice("strided", config["strided"], STRIDED)
    arguments.check_choice(
        "normalization", config["normalization"], NORMALIZATIONS
    )
    for name in ("groups", "width_per_group", "stem_width"):
        arguments.check_positive_int(name, config[name])
    shape = tuple(config["input_shape"])
    if len(shape) != 3 or shape[-1] is None:
        raise ValueError(
            "`input_shape` must be (height, width, channels), of which height "
            f"and width may be None. Received: input_shape={shape}"
        )
    if config["synchronized"] and config["normalization"] == "frozen":
        raise ValueError(
            "`synchronized` shares batch statistics, and frozen normalizations "
            'take none. Set normalization="batch", or leave it out. Received: '
            'synchronized=True, normalization="frozen"'
        )
    shared = resnet_config.standardize_shared(config)
    return {
        **config,
        **shared,
        "input_shape": shape,
        "global_context": _check_stages(config["global_context"]),
        "global_context_options": _check_context_options(config),
    }


def _check_stages(stages):
    """Returns the stages of `global_context` as a tuple in order."""
    given = () if stages is None else stages
    listed = isinstance(given, (tuple, list))
    if not listed or set(given) - set(STAGES) or len(set(given)) < len(given):
        raise ValueError(
            f"`global_context` must be None or a tuple of stages out of "
            f'{STAGES}, e.g. ("res3", "res4", "res5"). '
            f"Received: global_context={stages!r}"
        )
    return tuple(stage for stage in STAGES if stage in given)


def _check_context_options(config):
    options = dict(config["global_context_options"] or {})
    if options and not config["global_context"]:
        raise ValueError(
            "`global_context_options` without `global_context` would change "
            f"nothing. Received: global_context_options={options}"
        )
    return options


class _Layers:
    """Connects the layers of an `ImageResNet`."""

    def __init__(self, config):
        self.config = config
        self.options = placement.check_options(
            config["non_local_options"], config["non_local"]
        )
        self.common = {"dtype": config["dtype"]}
        self.map = {"data_format": "channels_last", **self.common}

    def __call__(self, x):
        x = self._conv(x, self.config["stem_width"], 7, 2, "conv1")
        # What went through a ReLU is not below the zeros of the padding.
        x = layers.ZeroPadding2D(1, name="pool1_pad", **self.map)(x)
        x = layers.MaxPooling2D(3, 2, name="pool1", **self.map)(x)
        outputs = {}
        for stage, blocks in zip(STAGES, self.config["stage_blocks"]):
            for index in range(blocks):
                x = self._residual_block(x, stage, index)
                if index in self.config["non_local"].get(stage, ()):
                    x = self._non_local(x, stage, index)
            x = layers.Identity(name=stage, **self.common)(x)
            outputs[stage] = x
        return outputs

    def _residual_block(self, x, stage, index):
        config, position = self.config, STAGES.index(stage)
        name = f"{stage}_{index}"
        width = config["groups"] * config["width_per_group"] * 2**position
        filters = 4 * config["stem_width"] * 2**position
        stride = 2 if index == 0 and position > 0 else 1
        first, second = (
            (stride, 1) if config["strided"] == "1x1" else (1, stride)
        )
        shortcut = x
        if index == 0:
            shortcut = self._conv(
                x, filters, 1, stride, f"{name}_branch1", relu=False
            )
        x = self._conv(x, width, 1, first, f"{name}_branch2a")
        x = self._conv(
            x, width, 3, second, f"{name}_branch2b", groups=config["groups"]
        )
        x = self._conv(x, filters, 1, 1, f"{name}_branch2c", relu=False)
        if stage in config["global_context"]:
            x = self._global_context(x, name)
        x = layers.Add(name=f"{name}_sum", **self.common)([x, shortcut])
        return layers.ReLU(name=f"{name}_relu", **self.common)(x)

    def _conv(self, x, filters, size, stride, name, groups=1, relu=True):
        """Adds convolution, normalization and, with `relu`, the activation."""
        config, padding = self.config, "same"
        if stride > 1 and size > 1:
            # `same` of Keras pads one side more.
            x = layers.ZeroPadding2D(size // 2, name=f"{name}_pad", **self.map)(
                x
            )
            padding = "valid"
        x = layers.Conv2D(
            filters,
            size,
            stride,
            padding,
            groups=groups,
            use_bias=False,
            kernel_initializer=initialization.resolve(
                initialization.clone(config["kernel_initializer"])
            ),
            kernel_regularizer=config["kernel_regularizer"],
            name=name,
            **self.map,
        )(x)
        frozen = config["normalization"] == "frozen"
        norm = FrozenBatchNormalization if frozen else BatchNormalization
        x = norm(
            momentum=config["momentum"],
            epsilon=config["epsilon"],
            synchronized=config["synchronized"],
            name=f"{name}_bn",
            **self.common,
        )(x)
        return layers.ReLU(name=f"{name}_relu", **self.common)(x) if relu else x

    def _non_local(self, x, stage, index):
        options = {
            **resnet_config.of_blocks(self.config),
            **self.options[stage],
        }
        return NonLocal2D(name=f"nonlocal_{stage}_{index}", **options)(x)

    def _global_context(self, x, name):
        options = {
            "kernel_regularizer": self.config["kernel_regularizer"],
            **self.map,
            **self.config["global_context_options"],
        }
        return GlobalContext2D(name=f"global_context_{name}", **options)(x)

"""The video ResNet of the paper and of its published re-implementations."""

import keras
from absl import logging
from keras import layers

from nonlocal_keras.layers import BatchNormalization
from nonlocal_keras.layers import FrozenAffine
from nonlocal_keras.layers import NonLocal3D
from nonlocal_keras.layers import TemporalShift
from nonlocal_keras.layers import arguments
from nonlocal_keras.layers.video_conv import VideoConv3D
from nonlocal_keras.layers.video_conv import VideoMaxPool3D
from nonlocal_keras.models.backbones import placement
from nonlocal_keras.models.backbones import remat as remat_segments

STAGES = placement.STAGES


@keras.saving.register_keras_serializable("nonlocal_keras")
class VideoResNet(keras.Model):
    """Bottleneck ResNet on clips: C2D, I3D and their non-local variants.

    The defaults are the C2D ResNet-50 of table 1 of the paper. Every
    published model is this class with other arguments, which
    `nonlocal_keras.models.video_resnet` fills in by name.

    Layers are named after the authors' release: `conv1`, `pool1`,
    `res{2..5}_{i}_branch{1,2a,2b,2c}`, each with its `_bn`, `pool2` and
    `nonlocal_res{2..5}_{i}`; shifts are `res{2..5}_{i}_shift`. The outputs of
    the stages are the layers `res2`, `res3`, `res4` and `res5`.

    Example:

    >>> backbone = nonlocal_keras.models.VideoResNet(
    ...     input_shape=(8, 64, 64, 3),
    ...     stem_width=8,
    ...     non_local={"res4": (4,)},
    ... )
    >>> backbone.stages["res4"].shape
    (None, 1, 4, 4, 128)

    Args:
        input_shape: Tuple `(frames, height, width, channels)`; any but the
            channels may be `None`.
        stage_blocks: Tuple of 4 integers, residual blocks in res2 to res5.
        stem_width: Integer, channels of `conv1` and of the bottlenecks of
            res2; later stages double it.
        stem_kernel: Tuple of 3 integers, the kernel of `conv1`.
        stem_strides: Tuple of 3 integers, the strides of `conv1`.
        pool1: Tuple `(size, strides, padding)` of 3 integers each. `None` for
            no pooling.
        pool2: The same for the pooling between res2 and res3.
        stage_strides: Tuple of 4 integers, spatial stride of each stage, on
            the 3x3 convolution of its first block.
        stage_dilations: Tuple of 4 integers, spatial dilation of the 3x3
            convolutions of each stage.
        temporal_kernels: Dictionary of stage to one integer per block, the
            extent in time of the inflated convolution. `None` for C2D.
        inflate: `"3x1x1"` if the first 1x1 convolution of a block is
            inflated, `"3x3x3"` if the 3x3 convolution is.
        shift_div: Integer: at the start of each residual branch, one part in
            `shift_div` of the channels moves one frame forward and as many
            one frame back, see `nonlocal_keras.layers.TemporalShift`. `None`
            for no shift.
        non_local: Dictionary of stage to indices of the residual blocks after
            which a non-local block stands, e.g.
            `{"res3": (1, 3), "res4": (1, 3, 5)}`. `None` for no such block.
        non_local_options: Dictionary of arguments of
            `nonlocal_keras.NonLocal3D` for all blocks; under the name of a
            stage, a dictionary of arguments for that stage only.
        normalization: `"batch"`, `"affine"` for the frozen scale and offset
            of the long-clip models, or `None` for convolutions with a bias in
            its place, see `nonlocal_keras.optimize_for_inference`.
        momentum: Float, momentum of the batch normalizations.
        epsilon: Float, epsilon of the batch normalizations.
        synchronized: Boolean, whether replicas share batch statistics.
        zero_init_residual: Boolean, whether the last normalization of each
            residual branch starts with a gamma of zero.
        kernel_initializer: Initializer of the convolutions.
        kernel_regularizer: Regularizer of the convolutions.
        implementation: `"2d"`, `"3d"` or `"auto"`: how convolutions and
            poolings are computed, see `nonlocal_keras.layers.VideoConv3D`.
        remat: Boolean, whether training keeps the outputs of the residual
            and non-local blocks only, and computes what is inside them again
            in the backward pass: less memory for more time. Weights and
            statistics are updated as without it. It holds for calls of this
            model, not for models made from its `stages`. Gradients of
            gradients need `remat=False` on TensorFlow, which raises an error.
        name: String. Defaults to a name made by Keras.
        trainable: Boolean, whether the weights may change in training.

    Returns:
        A functional model from clips `(batch, frames, height, width,
        channels)` to the features of res5.

    Raises:
        ValueError: If a placement or option is outside its rule or would
            change nothing.

    Reference:

    - [Wang et al., 2018, section 4](https://arxiv.org/abs/1711.07971)
    - [Lin et al., 2019, section 4](https://arxiv.org/abs/1811.08383), for
      `shift_div`
    """

    def __init__(
        self,
        input_shape=(None, None, None, 3),
        stage_blocks=(3, 4, 6, 3),
        stem_width=64,
        stem_kernel=(1, 7, 7),
        stem_strides=(2, 2, 2),
        pool1=((3, 3, 3), (2, 2, 2), (1, 1, 1)),
        pool2=((3, 1, 1), (2, 1, 1), (1, 0, 0)),
        stage_strides=(1, 2, 2, 2),
        stage_dilations=(1, 1, 1, 1),
        temporal_kernels=None,
        inflate="3x1x1",
        shift_div=None,
        non_local=None,
        non_local_options=None,
        normalization="batch",
        momentum=0.9,
        epsilon=1e-5,
        synchronized=False,
        zero_init_residual=True,
        kernel_initializer="he_normal",
        kernel_regularizer=None,
        implementation="auto",
        remat=False,
        dtype=None,
        name=None,
        trainable=True,
    ):
        arguments.check_choice("inflate", inflate, ("3x1x1", "3x3x3"))
        arguments.check_choice(
            "normalization", normalization, ("batch", "affine", None)
        )
        arguments.check_positive_int("stem_width", stem_width)
        _check_sizes(input_shape, stage_blocks)
        _check_dilations(stage_dilations, stage_strides)
        config = {
            "input_shape": tuple(input_shape),
            "stage_blocks": tuple(stage_blocks),
            "stem_width": stem_width,
            "stem_kernel": tuple(stem_kernel),
            "stem_strides": tuple(stem_strides),
            "pool1": _pool(pool1),
            "pool2": _pool(pool2),
            "stage_strides": tuple(stage_strides),
            "stage_dilations": tuple(stage_dilations),
            "temporal_kernels": check_temporal_kernels(
                temporal_kernels, stage_blocks
            ),
            "inflate": inflate,
            "shift_div": shift_div,
            "non_local": placement.check_placement(non_local, stage_blocks),
            "non_local_options": dict(non_local_options or {}),
            "normalization": normalization,
            "momentum": momentum,
            "epsilon": epsilon,
            "synchronized": synchronized,
            "zero_init_residual": zero_init_residual,
            "kernel_initializer": keras.initializers.get(kernel_initializer),
            "kernel_regularizer": keras.regularizers.get(kernel_regularizer),
            "implementation": implementation,
            "remat": bool(remat),
            # By name: `Identity` cannot serialize a policy. Never None: a
            # model that is loaded elsewhere keeps the policy of today.
            "dtype": keras.dtype_policies.get(dtype).name,
        }
        if inflate == "3x3x3" and not config["temporal_kernels"]:
            raise ValueError(
                '`inflate="3x3x3"` without `temporal_kernels` would change '
                "nothing. Name the kernels, or leave it out. "
                f"Received: temporal_kernels={temporal_kernels}"
            )
        inputs = keras.Input(shape=config["input_shape"], name="clip")
        super().__init__(
            inputs=inputs,
            outputs=_Builder(config)(inputs),
            name=name,
            trainable=trainable,
        )
        self._config = config
        self._segments = None
        if remat:
            self._segments = remat_segments.Segments(self, self._block_names())
        logging.info("%s", self.describe())

    def call(self, inputs, training=None, mask=None):
        if self._segments is None or not training:
            return super().call(inputs, training=training, mask=mask)
        return self._segments(inputs, training)

    def _block_names(self):
        """The layers that end a block, in order."""
        plain = self._config["normalization"] is None
        names = ["conv1" if plain else "conv1_relu"]
        for stage, blocks in zip(STAGES, self._config["stage_blocks"]):
            for index in range(blocks):
                names.append(f"{stage}_{index}_relu")
                if index in self.non_local.get(stage, ()):
                    names.append(f"nonlocal_{stage}_{index}")
        return names

    @property
    def stages(self):
        """Outputs of res2 to res5 by name, for `keras.Model(outputs=)`."""
        return {stage: self.get_layer(stage).output for stage in STAGES}

    @property
    def non_local(self):
        """The placement of the non-local blocks, e.g. `{"res4": (4,)}`."""
        return self._config["non_local"]

    def describe(self):
        """One line: architecture, depth, shift, places of non-local blocks."""
        config = self._config
        name = "C2D" if is_c2d(config) else "I3D"
        if config["inflate"] == "3x3x3":
            name += "-3x3x3"
        if config["non_local"]:
            name = "NL-" + name
        depth = 3 * sum(config["stage_blocks"]) + 2
        shift = "" if config["shift_div"] is None else " with temporal shift"
        places = placement.describe(config["non_local"])
        return f"{name} ResNet-{depth}{shift}: {places}"

    def get_config(self):
        config = dict(self._config)
        config["non_local"] = config["non_local"] or None
        config["non_local_options"] = config["non_local_options"] or None
        config["temporal_kernels"] = config["temporal_kernels"] or None
        config["kernel_initializer"] = keras.initializers.serialize(
            config["kernel_initializer"]
        )
        config["kernel_regularizer"] = keras.regularizers.serialize(
            config["kernel_regularizer"]
        )
        return {**config, "name": self.name, "trainable": self.trainable}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


def _check_sizes(input_shape, stage_blocks):
    if len(input_shape) != 4 or input_shape[-1] is None:
        raise ValueError(
            "`input_shape` must be (frames, height, width, channels), of "
            "which all but the channels may be None. "
            f"Received: input_shape={tuple(input_shape)}"
        )
    if len(stage_blocks) != len(STAGES):
        raise ValueError(
            f"`stage_blocks` must hold one integer for each of {STAGES}. "
            f"Received: stage_blocks={tuple(stage_blocks)}"
        )
    for blocks in stage_blocks:
        arguments.check_positive_int("stage_blocks", blocks)


def _check_dilations(dilations, strides):
    for stage, dilation, stride in zip(STAGES, dilations, strides, strict=True):
        arguments.check_positive_int("stage_dilations", dilation)
        if dilation > 1 and stride > 1:
            raise ValueError(
                "`stage_dilations` must be 1 for a stage with a stride: a "
                "dilated stage keeps the size that a stride would halve. Set "
                f"the stride of {stage} to 1. Received: stage_dilations="
                f"{tuple(dilations)}, stage_strides={tuple(strides)}"
            )


def _pool(pool):
    return None if pool is None else tuple(map(tuple, pool))


def is_c2d(config):
    return config["stem_kernel"][0] == 1 and not config["temporal_kernels"]


def check_temporal_kernels(kernels, stage_blocks):
    """Gives `{stage: kernel per block}`, empty for a C2D."""
    kernels = {s: tuple(k) for s, k in (kernels or {}).items()}
    for stage, sizes in kernels.items():
        if stage not in STAGES:
            raise ValueError(
                f"`temporal_kernels` must name stages out of {STAGES}. "
                f"Received: {stage!r}"
            )
        if len(sizes) != stage_blocks[STAGES.index(stage)]:
            raise ValueError(
                "`temporal_kernels` must hold one integer per block of "
                f"{stage}, {stage_blocks[STAGES.index(stage)]}. "
                f"Received: {sizes}"
            )
    return {s: k for s, k in kernels.items() if any(t != 1 for t in k)}


class _Builder:
    """Connects the layers of a `VideoResNet`."""

    def __init__(self, config):
        self.config = config
        self.options = placement.check_options(
            config["non_local_options"], config["non_local"]
        )

    def __call__(self, x):
        config = self.config
        x = self._conv(
            x,
            config["stem_width"],
            config["stem_kernel"],
            config["stem_strides"],
            "conv1",
        )
        x = self._pool(x, "pool1")
        for stage, blocks in zip(STAGES, config["stage_blocks"]):
            if stage == "res3":
                x = self._pool(x, "pool2")
            for index in range(blocks):
                x = self._residual_block(x, stage, index)
                if index in config["non_local"].get(stage, ()):
                    x = self._non_local(x, stage, index)
            x = layers.Identity(name=stage, **self._dtype)(x)
        return x

    @property
    def _dtype(self):
        return {"dtype": self.config["dtype"]}

    def _residual_block(self, x, stage, index):
        config, position = self.config, STAGES.index(stage)
        name = f"{stage}_{index}"
        width = config["stem_width"] * 2**position
        stride = config["stage_strides"][position] if index == 0 else 1
        dilation = config["stage_dilations"][position]
        kernel = config["temporal_kernels"].get(stage)
        kernel = kernel[index] if kernel else 1
        t_a, t_b = (kernel, 1) if config["inflate"] == "3x1x1" else (1, kernel)
        strides = (1, stride, stride)

        shortcut = x
        if index == 0:
            shortcut = self._conv(
                x, 4 * width, (1, 1, 1), strides, f"{name}_branch1", relu=False
            )
        if config["shift_div"] is not None:
            x = TemporalShift(
                config["shift_div"], name=f"{name}_shift", **self._dtype
            )(x)
        x = self._conv(x, width, (t_a, 1, 1), 1, f"{name}_branch2a")
        x = self._conv(
            x,
            width,
            (t_b, 3, 3),
            strides,
            f"{name}_branch2b",
            dilation=(1, dilation, dilation),
        )
        gamma = "zeros" if config["zero_init_residual"] else "ones"
        x = self._conv(
            x,
            4 * width,
            (1, 1, 1),
            1,
            f"{name}_branch2c",
            gamma=gamma,
            relu=False,
        )
        x = layers.Add(name=f"{name}_sum", **self._dtype)([x, shortcut])
        return layers.ReLU(name=f"{name}_relu", **self._dtype)(x)

    def _conv(
        self,
        x,
        filters,
        kernel,
        strides,
        name,
        gamma="ones",
        dilation=1,
        relu=True,
    ):
        """Convolution, normalization and, with `relu`, the activation."""
        config = self.config
        initializer = config["kernel_initializer"]
        plain = config["normalization"] is None
        x = VideoConv3D(
            filters,
            kernel,
            strides,
            implementation=config["implementation"],
            dilation_rate=dilation,
            use_bias=plain,
            activation="relu" if plain and relu else None,
            kernel_initializer=initializer.__class__.from_config(
                initializer.get_config()
            ),
            kernel_regularizer=config["kernel_regularizer"],
            name=name,
            **self._dtype,
        )(x)
        if plain:
            return x
        x = self._norm(f"{name}_bn", gamma)(x)
        return layers.ReLU(name=f"{name}_relu", **self._dtype)(x) if relu else x

    def _norm(self, name, gamma):
        config = self.config
        if config["normalization"] == "affine":
            return FrozenAffine(name=name, **self._dtype)
        return BatchNormalization(
            momentum=config["momentum"],
            epsilon=config["epsilon"],
            gamma_initializer=gamma,
            synchronized=config["synchronized"],
            name=name,
            **self._dtype,
        )

    def _pool(self, x, name):
        if self.config[name] is None:
            return x
        size, strides, padding = self.config[name]
        return VideoMaxPool3D(
            size,
            strides,
            padding,
            implementation=self.config["implementation"],
            name=name,
            **self._dtype,
        )(x)

    def _non_local(self, x, stage, index):
        config = self.config
        options = {
            "momentum": config["momentum"],
            "epsilon": config["epsilon"],
            "synchronized": config["synchronized"],
            "kernel_regularizer": config["kernel_regularizer"],
            "data_format": "channels_last",
            **self._dtype,
            **self.options[stage],
        }
        return NonLocal3D(name=f"nonlocal_{stage}_{index}", **options)(x)

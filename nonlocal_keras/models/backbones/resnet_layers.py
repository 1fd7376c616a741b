"""The layers of the video ResNet: stem, poolings, residual blocks."""

from keras import layers

from nonlocal_keras.layers import BatchNormalization
from nonlocal_keras.layers import FrozenAffine
from nonlocal_keras.layers import NonLocal3D
from nonlocal_keras.layers import TemporalShift
from nonlocal_keras.layers import VideoConv3D
from nonlocal_keras.layers import VideoMaxPool3D
from nonlocal_keras.layers import initialization
from nonlocal_keras.models.backbones import placement
from nonlocal_keras.models.backbones import resnet_config
from nonlocal_keras.models.backbones.placement import STAGES


def block_ends(config):
    """Returns the names of the layers that end a block, in order.

    Args:
        config: Dictionary of `resnet_config.standardize`.

    Returns:
        List of strings.
    """
    names = ["conv1" if config["normalization"] is None else "conv1_relu"]
    for stage, blocks in zip(STAGES, config["stage_blocks"]):
        for index in range(blocks):
            names.append(f"{stage}_{index}_relu")
            if index in config["non_local"].get(stage, ()):
                names.append(f"nonlocal_{stage}_{index}")
    return names


class ResNetLayers:
    """Connects the layers of a `VideoResNet`.

    Args:
        config: Dictionary of `resnet_config.standardize`.
    """

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
        """Adds convolution, normalization and, with `relu`, the activation."""
        config = self.config
        plain = config["normalization"] is None
        x = VideoConv3D(
            filters,
            kernel,
            strides,
            implementation=config["implementation"],
            dilation_rate=dilation,
            use_bias=plain,
            activation="relu" if plain and relu else None,
            kernel_initializer=initialization.clone(
                config["kernel_initializer"]
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
        options = {
            **resnet_config.of_blocks(self.config),
            **self.options[stage],
        }
        return NonLocal3D(name=f"nonlocal_{stage}_{index}", **options)(x)

"""The video ResNet of the paper and of its published re-implementations."""

import keras
from absl import logging

from nonlocal_keras.models.backbones import resnet_config
from nonlocal_keras.models.backbones.placement import STAGES
from nonlocal_keras.models.backbones.remat import Segments
from nonlocal_keras.models.backbones.resnet_layers import ResNetLayers
from nonlocal_keras.models.backbones.resnet_layers import block_ends


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
            channels may be `None`. Defaults to `(None, None, None, 3)`.
        stage_blocks: Tuple of 4 Integers, residual blocks in res2 to res5.
            Defaults to `(3, 4, 6, 3)`.
        stem_width: Integer, channels of `conv1` and of the bottlenecks of
            res2; later stages double it. Defaults to `64`.
        stem_kernel: Tuple of 3 Integers, the kernel of `conv1`. Defaults to
            `(1, 7, 7)`.
        stem_strides: Tuple of 3 Integers, the strides of `conv1`. Defaults to
            `(2, 2, 2)`.
        pool1: Tuple `(size, strides, padding)` of 3 Integers each, or `None`
            for no pooling. Defaults to `((3, 3, 3), (2, 2, 2), (1, 1, 1))`.
        pool2: The same for the pooling between res2 and res3. Defaults to
            `((3, 1, 1), (2, 1, 1), (1, 0, 0))`.
        stage_strides: Tuple of 4 Integers, spatial stride of each stage, on
            the 3x3 convolution of its first block. Defaults to
            `(1, 2, 2, 2)`.
        stage_dilations: Tuple of 4 Integers, spatial dilation of the 3x3
            convolutions of each stage. Defaults to `(1, 1, 1, 1)`.
        temporal_kernels: Dictionary of stage to one Integer per block, the
            extent in time of the inflated convolution. Defaults to `None`, a
            C2D.
        inflate: String, `"3x1x1"` if the first 1x1 convolution of a block is
            inflated, `"3x3x3"` if the 3x3 convolution is. Defaults to
            `"3x1x1"`.
        shift_div: Integer: at the start of each residual branch, one part in
            `shift_div` of the channels moves one frame forward and as many
            one frame back, see `nonlocal_keras.layers.TemporalShift`.
            Defaults to `None`, no shift.
        non_local: Dictionary of stage to indices of the residual blocks after
            which a non-local block stands, e.g.
            `{"res3": (1, 3), "res4": (1, 3, 5)}`. Defaults to `None`, no such
            block.
        non_local_options: Dictionary of arguments of
            `nonlocal_keras.NonLocal3D` for all blocks; under the name of a
            stage, a dictionary of arguments for that stage only. Defaults to
            `None`.
        normalization: String, `"batch"`, `"affine"` for the frozen scale and
            offset of the long-clip models, or `None` for convolutions with a
            bias in its place, see `nonlocal_keras.optimize_for_inference`.
            Defaults to `"batch"`.
        momentum: Float, momentum of the batch normalizations. Defaults to
            `0.9`.
        epsilon: Float, epsilon of the batch normalizations. Defaults to
            `1e-5`.
        synchronized: Boolean, whether replicas share batch statistics.
            Defaults to `False`.
        zero_init_residual: Boolean, whether the last normalization of each
            residual branch starts with a gamma of zero. Defaults to `True`.
        kernel_initializer: Initializer of the convolutions. Defaults to
            `"he_normal"`.
        kernel_regularizer: Regularizer of the convolutions. Defaults to
            `None`.
        implementation: String, `"2d"`, `"3d"` or `"auto"`: how convolutions
            and poolings are computed, see
            `nonlocal_keras.layers.VideoConv3D`. Defaults to `"auto"`.
        remat: Boolean, whether training keeps the outputs of the residual
            and non-local blocks only, and computes what is inside them again
            in the backward pass: less memory for more time. Weights and
            statistics are updated as without it. It holds for calls of this
            model, not for models made from its `stages`. Gradients of
            gradients need `remat=False` on TensorFlow, which raises an error.
            Defaults to `False`.
        dtype: String or `keras.DTypePolicy`. Defaults to `None`, the policy
            of Keras.
        name: String. Defaults to `None`, a name made by Keras.
        trainable: Boolean, whether the weights may change in training.
            Defaults to `True`.

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
        # Long, as its arguments are many.
        config = resnet_config.standardize(
            {
                "input_shape": input_shape,
                "stage_blocks": stage_blocks,
                "stem_width": stem_width,
                "stem_kernel": stem_kernel,
                "stem_strides": stem_strides,
                "pool1": pool1,
                "pool2": pool2,
                "stage_strides": stage_strides,
                "stage_dilations": stage_dilations,
                "temporal_kernels": temporal_kernels,
                "inflate": inflate,
                "shift_div": shift_div,
                "non_local": non_local,
                "non_local_options": non_local_options,
                "normalization": normalization,
                "momentum": momentum,
                "epsilon": epsilon,
                "synchronized": synchronized,
                "zero_init_residual": zero_init_residual,
                "kernel_initializer": kernel_initializer,
                "kernel_regularizer": kernel_regularizer,
                "implementation": implementation,
                "remat": remat,
                "dtype": dtype,
            }
        )
        inputs = keras.Input(shape=config["input_shape"], name="clip")
        super().__init__(
            inputs=inputs,
            outputs=ResNetLayers(config)(inputs),
            name=name,
            trainable=trainable,
        )
        self._config = config
        self._segments = None
        if remat:
            self._segments = Segments(self, block_ends(config))
        logging.info("%s", self.describe())

    def call(self, inputs, training=None, mask=None):
        if self._segments is None or not training:
            return super().call(inputs, training=training, mask=mask)
        return self._segments(inputs, training)

    @property
    def stages(self):
        """Outputs of res2 to res5 by name, for `keras.Model(outputs=)`."""
        return {stage: self.get_layer(stage).output for stage in STAGES}

    @property
    def non_local(self):
        """The placement of the non-local blocks, e.g. `{"res4": (4,)}`."""
        return self._config["non_local"]

    def describe(self):
        """Returns architecture, depth and non-local blocks in one line."""
        return resnet_config.describe(self._config)

    def get_config(self):
        config = resnet_config.serialize(self._config)
        return {**config, "name": self.name, "trainable": self.trainable}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)

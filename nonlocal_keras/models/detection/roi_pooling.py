"""The layer around `roi_align`: features of boxes of a whole batch."""

import keras
from keras import layers

from nonlocal_keras.models.detection.fpn import STRIDES
from nonlocal_keras.ops.roi_align import roi_align


@keras.saving.register_keras_serializable("nonlocal_keras")
class RoIAlign(layers.Layer):
    """Features of boxes from the pyramid, all images of a batch in one row.

    Args:
        output_size: Integer, rows and columns.
        sampling_ratio: Integer or `None`, see `nonlocal_keras.ops.roi_align`.
            Defaults to `2`.
        aligned: Boolean, see `nonlocal_keras.ops.roi_align`. Defaults to
            `False`.
        shrink: Float, see `nonlocal_keras.ops.roi_align`. Defaults to `0.0`.
        **kwargs: `name` and `dtype`, as in every Keras layer.

    Returns:
        Tensor `(batch * n, output_size, output_size, channels)`, from a list
        of maps `(batch, height, width, channels)` and boxes `(batch, n, 4)`.
    """

    def __init__(
        self,
        output_size,
        sampling_ratio=2,
        aligned=False,
        shrink=0.0,
        **kwargs,
    ):
        # Pixels of boxes do not fit into the sixteen bits of features.
        super().__init__(**{**kwargs, "autocast": False})
        self.output_size = output_size
        self.sampling_ratio = sampling_ratio
        self.aligned = aligned
        self.shrink = shrink

    def call(self, features, boxes):
        return roi_align(
            features,
            boxes,
            STRIDES[: len(features)],
            self.output_size,
            self.sampling_ratio,
            self.aligned,
            self.shrink,
        )

    def compute_output_spec(self, features, boxes):
        size, channels = self.output_size, features[0].shape[-1]
        batch, n = boxes.shape[:2]
        rows = None if batch is None else batch * n
        return keras.KerasTensor(
            (rows, size, size, channels), features[0].dtype
        )

    def get_config(self):
        return {
            **super().get_config(),
            "output_size": self.output_size,
            "sampling_ratio": self.sampling_ratio,
            "aligned": self.aligned,
            "shrink": self.shrink,
        }

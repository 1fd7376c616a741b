from nonlocal_keras.layers.batch_norm import BatchNormalization
from nonlocal_keras.layers.batch_norm import FrozenBatchNormalization
from nonlocal_keras.layers.frozen_affine import FrozenAffine
from nonlocal_keras.layers.global_context import GlobalContext2D
from nonlocal_keras.layers.non_local import NonLocal1D
from nonlocal_keras.layers.non_local import NonLocal2D
from nonlocal_keras.layers.non_local import NonLocal3D
from nonlocal_keras.layers.temporal_shift import TemporalShift
from nonlocal_keras.layers.video_conv import VideoConv3D
from nonlocal_keras.layers.video_conv import VideoMaxPool3D

__all__ = [
    "BatchNormalization",
    "FrozenAffine",
    "FrozenBatchNormalization",
    "GlobalContext2D",
    "NonLocal1D",
    "NonLocal2D",
    "NonLocal3D",
    "TemporalShift",
    "VideoConv3D",
    "VideoMaxPool3D",
]

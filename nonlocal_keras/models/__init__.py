from nonlocal_keras.models.backbones.video_resnet import VideoResNet
from nonlocal_keras.models.insert import insert_non_local
from nonlocal_keras.models.video.variants import from_name
from nonlocal_keras.models.video.variants import video_resnet
from nonlocal_keras.models.video.video_classifier import VideoClassifier

__all__ = [
    "VideoClassifier",
    "VideoResNet",
    "from_name",
    "insert_non_local",
    "video_resnet",
]

from nonlocal_keras.models.insert import insert_non_local
from nonlocal_keras.models.variants import from_name
from nonlocal_keras.models.variants import video_resnet
from nonlocal_keras.models.video_classifier import VideoClassifier
from nonlocal_keras.models.video_resnet import VideoResNet

__all__ = [
    "VideoClassifier",
    "VideoResNet",
    "from_name",
    "insert_non_local",
    "video_resnet",
]

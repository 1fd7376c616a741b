from nonlocal_keras.models.backbones.image_resnet import ImageResNet
from nonlocal_keras.models.backbones.video_resnet import VideoResNet
from nonlocal_keras.models.detection.mask_rcnn import MaskRCNN
from nonlocal_keras.models.detection.postprocessing import paste_masks
from nonlocal_keras.models.insert import insert_non_local
from nonlocal_keras.models.names import from_name
from nonlocal_keras.models.take_weights import take_weights
from nonlocal_keras.models.video.variants import video_resnet
from nonlocal_keras.models.video.video_classifier import VideoClassifier
from nonlocal_keras.models.weight_names import NamedWeights

__all__ = [
    "ImageResNet",
    "MaskRCNN",
    "NamedWeights",
    "VideoClassifier",
    "VideoResNet",
    "from_name",
    "insert_non_local",
    "paste_masks",
    "take_weights",
    "video_resnet",
]

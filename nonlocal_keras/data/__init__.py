from nonlocal_keras.data.clip_spec import ClipSpec
from nonlocal_keras.data.clips import ClipReader
from nonlocal_keras.data.coco_file import read_coco
from nonlocal_keras.data.coco_records import read_records
from nonlocal_keras.data.coco_records import write_records
from nonlocal_keras.data.dataset import detection_dataset
from nonlocal_keras.data.dataset import training_dataset
from nonlocal_keras.data.decode import VideoInfo
from nonlocal_keras.data.decode import count_frames
from nonlocal_keras.data.decode import read_frames
from nonlocal_keras.data.decode import video_info
from nonlocal_keras.data.detection_reader import DetectionReader
from nonlocal_keras.data.detection_spec import DetectionSpec
from nonlocal_keras.data.image_file import ImageError
from nonlocal_keras.data.image_file import read_image
from nonlocal_keras.data.sampling import clip_indices
from nonlocal_keras.data.sampling import crop_offsets
from nonlocal_keras.data.sampling import random_start
from nonlocal_keras.data.video_file import VideoError
from nonlocal_keras.data.video_list import VideoList
from nonlocal_keras.data.video_list import list_videos
from nonlocal_keras.data.views import VIEW_RULES
from nonlocal_keras.data.views import view_corners
from nonlocal_keras.data.views import view_indices

__all__ = [
    "ClipReader",
    "ClipSpec",
    "DetectionReader",
    "DetectionSpec",
    "ImageError",
    "VIEW_RULES",
    "VideoError",
    "VideoInfo",
    "VideoList",
    "clip_indices",
    "count_frames",
    "crop_offsets",
    "detection_dataset",
    "list_videos",
    "random_start",
    "read_coco",
    "read_frames",
    "read_image",
    "read_records",
    "training_dataset",
    "video_info",
    "view_corners",
    "view_indices",
    "write_records",
]

from nonlocal_keras.data.clips import ClipReader
from nonlocal_keras.data.clips import ClipSpec
from nonlocal_keras.data.dataset import training_dataset
from nonlocal_keras.data.sampling import clip_indices
from nonlocal_keras.data.sampling import crop_offsets
from nonlocal_keras.data.sampling import random_start
from nonlocal_keras.data.sampling import view_starts
from nonlocal_keras.data.video import VideoError
from nonlocal_keras.data.video import count_frames
from nonlocal_keras.data.video import read_frames
from nonlocal_keras.data.video_list import VideoList
from nonlocal_keras.data.video_list import list_videos

__all__ = [
    "ClipReader",
    "ClipSpec",
    "VideoError",
    "VideoList",
    "clip_indices",
    "count_frames",
    "crop_offsets",
    "list_videos",
    "random_start",
    "read_frames",
    "training_dataset",
    "view_starts",
]

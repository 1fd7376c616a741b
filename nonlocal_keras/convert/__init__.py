from nonlocal_keras.convert.backbone import read_backbone
from nonlocal_keras.convert.files.read import CheckpointError
from nonlocal_keras.convert.files.read import read_tensors
from nonlocal_keras.convert.load import convert
from nonlocal_keras.convert.load import load_checkpoint
from nonlocal_keras.convert.name_map import ConversionError
from nonlocal_keras.convert.report import Report

__all__ = [
    "CheckpointError",
    "ConversionError",
    "Report",
    "convert",
    "load_checkpoint",
    "read_backbone",
    "read_tensors",
]

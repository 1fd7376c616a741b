from nonlocal_keras.convert.load import convert
from nonlocal_keras.convert.load import load_checkpoint
from nonlocal_keras.convert.readers import CheckpointError
from nonlocal_keras.convert.readers import read_tensors
from nonlocal_keras.convert.report import Report
from nonlocal_keras.convert.rules import ConversionError

__all__ = [
    "CheckpointError",
    "ConversionError",
    "Report",
    "convert",
    "load_checkpoint",
    "read_tensors",
]

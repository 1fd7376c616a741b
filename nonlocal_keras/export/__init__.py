"""From a Keras model to a file that runs elsewhere, compared at the end."""

from nonlocal_keras.export.detector_files import load_detector
from nonlocal_keras.export.litert import to_litert
from nonlocal_keras.export.onnx import to_onnx
from nonlocal_keras.export.parity import ExportError
from nonlocal_keras.export.parity import sample_clips
from nonlocal_keras.export.saved_model import to_saved_model
from nonlocal_keras.export.serving import to_serving
from nonlocal_keras.export.signatures import SIGNATURES

__all__ = [
    "SIGNATURES",
    "ExportError",
    "load_detector",
    "sample_clips",
    "to_litert",
    "to_onnx",
    "to_saved_model",
    "to_serving",
]

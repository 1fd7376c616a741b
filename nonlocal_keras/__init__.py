"""Non-local neural networks for video and images, in Keras 3."""

import sys

import zoo
from nonlocal_keras import convert
from nonlocal_keras import data
from nonlocal_keras import export
from nonlocal_keras import layers
from nonlocal_keras import models
from nonlocal_keras import visualize
from nonlocal_keras.analysis import macs
from nonlocal_keras.analysis.memory import memory_estimate
from nonlocal_keras.evaluation import Evaluation
from nonlocal_keras.evaluation import evaluate
from nonlocal_keras.evaluation import predict_video
from nonlocal_keras.layers import GlobalContext2D
from nonlocal_keras.layers import NonLocal1D
from nonlocal_keras.layers import NonLocal2D
from nonlocal_keras.layers import NonLocal3D
from nonlocal_keras.models import insert_non_local
from nonlocal_keras.models.video.optimize import optimize_for_inference
from nonlocal_keras.version import __version__

# `zoo` is a package of its own; `import nonlocal_keras.zoo` is the same one.
sys.modules[f"{__name__}.zoo"] = zoo

__all__ = [
    "Evaluation",
    "GlobalContext2D",
    "NonLocal1D",
    "NonLocal2D",
    "NonLocal3D",
    "__version__",
    "convert",
    "data",
    "evaluate",
    "export",
    "insert_non_local",
    "layers",
    "macs",
    "memory_estimate",
    "models",
    "optimize_for_inference",
    "predict_video",
    "visualize",
    "zoo",
]

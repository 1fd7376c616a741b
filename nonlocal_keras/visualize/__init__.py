"""Where a model looks and what it finds, in numbers and pictures."""

from nonlocal_keras.visualize.animation import animate
from nonlocal_keras.visualize.clip import Clip
from nonlocal_keras.visualize.curves import plot_run
from nonlocal_keras.visualize.detections import draw_detections
from nonlocal_keras.visualize.figures import figure
from nonlocal_keras.visualize.ground_truth import ground_truth
from nonlocal_keras.visualize.maps import Attention
from nonlocal_keras.visualize.maps import attention
from nonlocal_keras.visualize.maps import list_blocks
from nonlocal_keras.visualize.measures import Measures
from nonlocal_keras.visualize.measures import measure
from nonlocal_keras.visualize.reading import read_clip

__all__ = [
    "Attention",
    "Clip",
    "Measures",
    "animate",
    "attention",
    "draw_detections",
    "figure",
    "ground_truth",
    "list_blocks",
    "measure",
    "plot_run",
    "read_clip",
]

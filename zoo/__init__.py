"""Models by name, with weights: `zoo.load("nl_i3d_r101_kinetics")`."""

from zoo.loading import download
from zoo.loading import load
from zoo.loading import path
from zoo.record import Record
from zoo.registration import register
from zoo.registry import card
from zoo.registry import info
from zoo.registry import list_models

__all__ = [
    "Record",
    "card",
    "download",
    "info",
    "list_models",
    "load",
    "path",
    "register",
]

"""Models by name, with weights: `zoo.load("nl_c2d_tiny_longrange")`."""

from zoo.record import Record
from zoo.registry import info
from zoo.registry import list_models
from zoo.registry import load
from zoo.registry import path
from zoo.registry import register

__all__ = ["Record", "info", "list_models", "load", "path", "register"]

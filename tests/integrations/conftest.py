"""Leaves out what is about libraries that are not installed."""

import importlib.util

missing = importlib.util.find_spec("official") is None
collect_ignore = ["test_model_garden.py"] if missing else []

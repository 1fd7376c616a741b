"""From a Keras model to a file that runs elsewhere, compared at the end."""

from nonlocal_keras.export.serving import to_saved_model

__all__ = ["to_saved_model"]

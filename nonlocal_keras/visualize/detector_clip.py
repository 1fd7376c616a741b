"""An image as the backbone of a detector takes it."""

from nonlocal_keras.models import MaskRCNN
from nonlocal_keras.visualize.clip import Clip


def part_to_look_at(model):
    """Returns the backbone of a detector, and any other model as it is."""
    return model.backbone if isinstance(model, MaskRCNN) else model


def clip_of(model, image, name="array"):
    """Makes what `attention` takes of an image, for a detector.

    The image is normalized and resized as `model.predict` does it, without the
    padding on the right and at the bottom.

    Args:
        model: A `nonlocal_keras.models.MaskRCNN`.
        image: RGB array `(height, width, 3)`, uint8, or floats from 0 to 1.
        name: String, what it was taken from. Defaults to `"array"`.

    Returns:
        A `Clip`.

    Raises:
        ValueError: If it is no such image.
    """
    given = model.preprocess([image])
    height, width = given["image_sizes"][0].tolist()
    pictures = image if image.dtype == "uint8" else (255 * image + 0.5)
    return Clip(
        inputs=given["images"][:, :height, :width],
        pictures=pictures.astype("uint8"),
        scale=(image.shape[0] / height, image.shape[1] / width),
        offset=(0.0, 0.0),
        source_size=image.shape[:2],
        name=name,
    )

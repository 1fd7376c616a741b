"""A detector as one function, from pixels to objects in pixels.

What `MaskRCNN.predict` does on the host is a part of the graph here, but for
masks of the size of the image: those have a shape of their own for each image,
and are drawn by `nonlocal_keras.models.paste_masks`.
"""

import keras
from keras import ops

from nonlocal_keras.layers import NonLocal2D
from nonlocal_keras.layers import initialization
from nonlocal_keras.models import ImageResNet
from nonlocal_keras.models import MaskRCNN
from nonlocal_keras.models.detection import keypoint_search
from nonlocal_keras.models.detection.detections import PADDING


def prepare(model):
    """Returns a copy of a detector in the form that converts.

    Args:
        model: A `nonlocal_keras.models.MaskRCNN`.

    Returns:
        A model of the same kind in float32, whose non-local blocks build
        their matrix: other runtimes loop over tiles slowly.

    Raises:
        ValueError: If its backbone computes in 16 bits and is of a kind that
            cannot be built again in 32.
    """
    config, backbone = model.get_config(), model.backbone
    del config["backbone"]
    with initialization.no_random_weights():
        if isinstance(backbone, ImageResNet):
            twin = ImageResNet.from_config(
                {**backbone.get_config(), "dtype": "float32"}
            )
        elif all(x.dtype == "float32" for x in backbone.outputs):
            twin = keras.models.clone_model(backbone)
        else:
            raise ValueError(
                "`model.backbone` must be an ImageResNet, or compute in "
                f"float32. Received: {type(backbone).__name__} with outputs "
                f"in {backbone.outputs[0].dtype}"
            )
        copy = MaskRCNN(twin, **{**config, "dtype": "float32"})
    copy.set_weights(model.get_weights())
    for layer in copy._flatten_layers():
        if isinstance(layer, NonLocal2D):
            layer.implementation = "matrix"
    return copy


def detect(model, images, sizes, original, longest):
    """Finds the objects in a batch.

    Args:
        model: A `nonlocal_keras.models.MaskRCNN`.
        images: float32 tensor `(batch, height, width, 3)`.
        sizes: int32 tensor `(batch, 2)`, heights and widths without padding.
        original: int32 tensor `(batch, 2)`, those of the images as they were
            given.
        longest: Integer, the longest side of the batch, in pixels.

    Returns:
        Dictionary of tensors, as `MaskRCNN.predict` gives them for the images
        as they were given, but for `masks`: float32
        `(batch, detections, 28, 28)`, each within its box.
    """
    found = dict(model({"images": images, "image_sizes": sizes}))
    factors = ops.cast(original, "float32") / ops.cast(sizes, "float32")
    factors = ops.flip(factors, axis=-1)[:, None]  # (batch, 1, 2) of x and y
    there = (found["labels"] != PADDING)[..., None]
    boxes = found["boxes"]
    found["boxes"] = ops.where(there, boxes * ops.tile(factors, 2), PADDING)
    maps = found.pop("keypoint_maps", None)
    if maps is not None:
        points, scores = keypoint_search.find_keypoints(maps, boxes, longest)
        points = points * factors[:, :, None]
        points = ops.concatenate([points, ops.ones_like(points[..., :1])], -1)
        found["keypoints"] = ops.where(there[..., None], points, PADDING)
        found["keypoint_scores"] = ops.where(there, scores, PADDING)
    return found

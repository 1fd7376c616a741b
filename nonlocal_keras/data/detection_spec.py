"""What a detector takes in training: sizes, augmentation, targets."""

import dataclasses

from nonlocal_keras.images.batches import DIVISOR


@dataclasses.dataclass(frozen=True)
class DetectionSpec:
    """What a detector takes in training: sizes, augmentation, targets.

    Example:

    >>> spec = nonlocal_keras.data.DetectionSpec(keypoints=True)
    >>> spec.short_sides
    (640, 672, 704, 736, 768, 800)

    Attributes:
        short_sides: Tuple of integers, of which one is drawn for each image:
            its shorter side in pixels. `range(640, 801)` takes any between.
            Defaults to the six of `range(640, 801, 32)`.
        max_size: Integer, the longest that the longer side may become; the
            shorter one is less then. Defaults to `1333`.
        flip: Boolean, whether half of the images are mirrored. Defaults to
            `True`.
        masks: Boolean, whether targets have masks. Defaults to `True`.
        keypoints: Boolean, whether targets have keypoints. Defaults to
            `False`.
        mean: Tuple of 3 Floats, of RGB values from 0 to 1. Defaults to that
            of ImageNet, `(0.485, 0.456, 0.406)`.
        std: Tuple of 3 Floats. Defaults to `(0.229, 0.224, 0.225)`.
        size: Tuple `(height, width)` of integers, to which all batches are
            padded, for compilers that want one shape. `None` pads each batch
            to the smallest multiples of 32 pixels that hold it. Defaults to
            `None`.
        max_objects: Integer, rows of all targets; of an image with more
            objects the first ones are taken. `None` takes all. Defaults to
            `None`.
        object_multiple: Integer, without `max_objects`: the number of rows is
            a multiple of it, so that compilers meet few shapes. Defaults to
            `8`.
    """

    short_sides: tuple = tuple(range(640, 801, 32))
    max_size: int = 1333
    flip: bool = True
    masks: bool = True
    keypoints: bool = False
    mean: tuple = (0.485, 0.456, 0.406)
    std: tuple = (0.229, 0.224, 0.225)
    size: tuple | None = None
    max_objects: int | None = None
    object_multiple: int = 8

    def __post_init__(self):
        sides = tuple(self.short_sides)
        # A range is a short way to write many sides.
        object.__setattr__(self, "short_sides", sides)
        if not sides or not 1 <= min(sides) <= max(sides) <= self.max_size:
            raise ValueError(
                "`short_sides` must be lengths in pixels from 1 to `max_size`, "
                f"e.g. (640, 800). Received: short_sides={sides}, "
                f"max_size={self.max_size}"
            )
        if self.size is not None and (
            len(self.size) != 2 or any(n < 1 or n % DIVISOR for n in self.size)
        ):
            raise ValueError(
                f"`size` must be (height, width), multiples of {DIVISOR} "
                f"pixels, or None. Received: size={self.size}"
            )
        if self.object_multiple < 1 or (
            self.max_objects is not None and self.max_objects < 1
        ):
            raise ValueError(
                "`max_objects` and `object_multiple` must be at least 1. "
                f"Received: max_objects={self.max_objects}, "
                f"object_multiple={self.object_multiple}"
            )

    @classmethod
    def for_model(cls, model, **fields):
        """Returns what a detector was made for.

        Sizes, normalization and heads are those of the model: images have the
        size that they have in predictions.

        Args:
            model: A `nonlocal_keras.models.MaskRCNN`.
            **fields: Other fields, such as `short_sides`.
        """
        config = model.get_config()
        return cls(
            **{
                "short_sides": (config["min_size"],),
                "max_size": config["max_size"],
                "masks": config["masks"],
                "keypoints": config["num_keypoints"] is not None,
                "mean": config["mean"],
                "std": config["std"],
                **fields,
            }
        )

"""Which exports are those of a detector, and what is said of it."""

from nonlocal_keras.export import labels as class_names
from nonlocal_keras.models import MaskRCNN
from nonlocal_keras.models.detection import preprocessing


def is_detector(model, clips, images, **of_classifiers):
    """Tells a detector from a classifier, and refuses what is for the other.

    Args:
        model: What is exported.
        clips: As given, for the comparison of a classifier.
        images: As given, for that of a detector.
        **of_classifiers: What else is for classifiers alone.

    Raises:
        ValueError: If something was given that would change nothing, or an
            image is none.
    """
    detector = isinstance(model, MaskRCNN)
    others = (
        {"clips": clips, **of_classifiers} if detector else {"images": images}
    )
    for name, given in others.items():
        if given is not None:
            kinds = (
                ("classifiers", "detector")
                if detector
                else ("detectors", "classifier")
            )
            raise ValueError(
                f"`{name}` is for {kinds[0]} and would change nothing for a "
                f"{kinds[1]}. Received: {name} with a {type(model).__name__}"
            )
    if detector and images is not None:
        for place, image in enumerate(preprocessing.check_images(images)):
            if image.dtype != "uint8":
                raise ValueError(
                    "`images` must be of uint8. Received: "
                    f"images[{place}] of {image.dtype}"
                )
    return detector


def check_labels(model, labels=None):
    """Returns the names of the classes of a detector, the background first.

    Args:
        model: A `nonlocal_keras.models.MaskRCNN`.
        labels: Sequence of names. Defaults to `None`, those of the model, or
            `"class 0"` and so on.
    """
    classes = model.get_config()["num_classes"]
    if labels is None:
        labels = model.labels or [f"class {i}" for i in range(classes)]
    return class_names.check(labels, classes, distinct=False)

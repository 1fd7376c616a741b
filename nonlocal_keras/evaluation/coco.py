"""Average precision of boxes, masks and keypoints, by the rules of COCO.

faster-coco-eval computes it; what it is given and what comes back are in the
words of this package.
"""

import keras
import numpy as np

from nonlocal_keras import optional
from nonlocal_keras.evaluation import coco_checks
from nonlocal_keras.evaluation import coco_entries
from nonlocal_keras.evaluation import coco_result

# What can be measured, and the word of the library for it.
_KINDS = {"boxes": "bbox", "masks": "segm", "keypoints": "keypoints"}


class CocoEvaluator:
    """Measures detections by the rules of COCO.

    Images are given batch by batch, and those that were given count.

    Example:

    >>> dataset = nonlocal_keras.data.read_coco("coco.json", "images")
    >>> evaluator = nonlocal_keras.evaluation.CocoEvaluator(dataset)
    >>> for image, pixels in dataset.readable():
    ...     detections = {
    ...         "boxes": image.boxes[None],
    ...         "labels": image.labels[None],
    ...         "confidence": np.ones((1, len(image.labels))),
    ...     }
    ...     evaluator.update([image], detections)
    >>> evaluator.result().numbers["boxes"]["AP75"]
    1.0

    Args:
        dataset: A `nonlocal_keras.data.coco.CocoDataset`.
        kinds: Tuple of strings, what is measured: `"boxes"`, `"masks"`,
            `"keypoints"`. Defaults to `("boxes",)`.
        class_names: Sequence of strings, the classes by the labels of the
            detections. They are those of the data set by name; detections of
            other names do not count. `None` for the labels of the data set.
            Defaults to `None`.
        sigmas: Sequence of floats, one per joint, how far apart two people
            place it, relative to the object. Needed for other joints than the
            17 of COCO. Defaults to `None`.

    Raises:
        ValueError: If the data set has not what is to be measured, or no
            class has the name of one of its classes.
        ImportError: If faster-coco-eval is not installed.
    """

    def __init__(
        self, dataset, kinds=("boxes",), class_names=None, sigmas=None
    ):
        self._library = optional.load("faster_coco_eval", "`CocoEvaluator`")
        coco_checks.require_kinds(dataset, kinds, sigmas)
        self._dataset, self._sigmas = dataset, sigmas
        self._labels = _match(class_names, dataset.class_names)
        self._places = {image.id: n for n, image in enumerate(dataset.images)}
        self._given = set()
        self._found = {kind: [] for kind in kinds}

    def update(self, images, detections):
        """Takes the detections of a batch of images.

        Args:
            images: Sequence of the `nonlocal_keras.data.coco.CocoImage`. Each
                is given once.
            detections: Dictionary of arrays or lists of an item per image,
                each with a row per detection: `"boxes"` `(n, 4)` of left, top,
                right and bottom in pixels; `"labels"` `(n,)`; `"confidence"`
                `(n,)`; `"masks"` `(n, height, width)`, booleans or
                probabilities; `"keypoints"` `(n, joints, 3)`, of which x and y
                count. Pixels are those of the image file.
                `"num_detections"`, one integer per image, says how many rows
                count; without it all of them do.

        Raises:
            ValueError: If an image is none of the data set or was given
                before, or an array is missing or of a wrong shape.
            FloatingPointError: If a number is not finite.
        """
        wanted = ("labels", "confidence", *self._found)
        absent = [key for key in wanted if key not in detections]
        if absent:
            raise ValueError(
                f"`detections` must hold {', '.join(wanted)}. Received: a "
                f"dictionary without {', '.join(absent)}"
            )
        for position, image in enumerate(images):
            place = self._places.get(image.id)
            if place is None or place in self._given:
                raise ValueError(
                    "`images` must be of the data set, each given once. "
                    f"Received: image {image.id!r}"
                )
            counts = detections.get("num_detections")
            rows = None if counts is None else int(counts[position])
            values = (
                keras.ops.convert_to_numpy(detections[key][position])
                for key in wanted
            )
            found = {key: v[:rows] for key, v in zip(wanted, values)}
            coco_checks.require_detections(
                found,
                image,
                joints=len(self._dataset.keypoint_names),
                classes=len(self._labels),
            )
            self._given.add(place)
            self._add(found, place)

    def result(self):
        """Computes the numbers of all images that were given so far.

        Returns:
            A `nonlocal_keras.evaluation.coco_result.CocoResult`.

        Raises:
            ValueError: If no image was given.
        """
        if not self._given:
            raise ValueError(
                "Not one image was given, so there is no average precision. "
                "The faults of the data set say why images were left out."
            )
        numbers, by_class = {}, {}
        for kind in self._found:
            numbers[kind], by_class[kind] = self._measure(kind)
        return coco_result.CocoResult(numbers, len(self._given), by_class)

    def _measure(self, kind):
        labels = range(len(self._dataset.class_names))
        if kind == "keypoints":
            labels = self._dataset.keypoint_labels
        truth = self._library.COCO(
            coco_entries.ground_truth(self._dataset, sorted(self._given), kind)
        )
        evaluation = self._library.COCOeval_faster(
            truth,
            # Copies, since the library writes into what it is given.
            truth.loadRes([dict(entry) for entry in self._found[kind]]),
            _KINDS[kind],
            kpt_oks_sigmas=self._sigmas,
        )
        evaluation.params.catIds = list(labels)
        evaluation.run()
        names = [self._dataset.class_names[label] for label in labels]
        return (
            coco_result.named(kind, evaluation.stats),
            coco_result.named_by_class(names, evaluation.eval["precision"]),
        )

    def _add(self, found, place):
        labels = self._labels[found["labels"].astype(int)]
        known = np.flatnonzero(labels >= 0)
        for kind, entries in self._found.items():
            values = coco_entries.detections(found[kind][known], kind)
            for row, value in zip(known, values, strict=True):
                entries.append(
                    {
                        "image_id": place,
                        "category_id": int(labels[row]),
                        "score": float(found["confidence"][row]),
                        **value,
                    }
                )


def _match(class_names, names):
    """Returns the label of the data set by label of the detections.

    -1 stands for a class that the data set does not have.
    """
    if class_names is None:
        return np.arange(len(names))
    labels = {name: label for label, name in enumerate(names)}
    found = [labels.get(name, -1) for name in class_names]
    if max(found, default=-1) < 0:
        raise ValueError(
            "`class_names` must share names with the data set, whose classes "
            f"are {list(names)[:5]} and so on. Received: "
            f"{list(class_names)[:5]} and so on"
        )
    return np.array(found)

"""Batches of images with objects, a pure function of seed and number.

Batch number `k` of a run is decided by `(seed, k)` alone: which images, of
which size, which of them mirrored. There is no state of the pipeline to save.
"""

import functools
import threading

import numpy as np
from absl import logging

from nonlocal_keras.data import aspect_batches
from nonlocal_keras.data import coco
from nonlocal_keras.data import detection_checks
from nonlocal_keras.data import joint_pairs
from nonlocal_keras.data import object_targets
from nonlocal_keras.data.detection_spec import DetectionSpec
from nonlocal_keras.data.faults import Faults
from nonlocal_keras.data.image_file import ImageError
from nonlocal_keras.images import batches

# Generators of different things are seeded by different numbers.
_ORDER, _IMAGE = 0, 1


class DetectionReader:
    """Reads batches of a data set to train a detector.

    Crowds, and boxes that have no area within the image, are left out and
    counted. Images that cannot be read are skipped, counted and named.

    Example:

    >>> dataset = nonlocal_keras.data.read_coco("coco.json", "images")
    >>> reader = nonlocal_keras.data.DetectionReader(dataset, seed=1)
    >>> inputs, targets = reader.training_batch(0, batch_size=1)
    >>> targets["labels"].shape, targets["masks"].shape
    ((1, 8), (1, 8, 112, 112))
    >>> reader.class_names
    ('background', 'person', 'kite')

    Args:
        dataset: A `nonlocal_keras.data.coco.CocoDataset`, read with the
            folder of its images.
        spec: A `DetectionSpec`. Defaults to `None`, for one of defaults.
        seed: Integer, of order, sizes and flips. Defaults to `0`.
        labels: String, the labels of the model: `"class"`, the place among
            the classes of the data set and one more, since 0 is the
            background; or `"category_id"`, the id in the file, as for models
            with the 91 classes of COCO. Defaults to `"class"`.
        keep_empty: Boolean, whether images without objects are trained on.
            Defaults to `False`.

    Attributes:
        class_names: Tuple of strings by label, the background first: the
            `labels` of a `MaskRCNN`.
        left_out: A `nonlocal_keras.data.faults.Faults`: objects and images
            that are not trained on, by reason.
        skipped: Dictionary of the paths of broken images to the reasons.

    Raises:
        ValueError: If no image is left or can be read, or an argument is
            outside its rule.
    """

    def __init__(
        self, dataset, spec=None, seed=0, labels="class", keep_empty=False
    ):
        self.dataset, self.seed = dataset, seed
        self.spec = spec = spec or DetectionSpec()
        detection_checks.require_targets(dataset, spec)
        self._labels, self.class_names = name_labels(dataset, labels)
        self._mirrored = None
        if spec.keypoints and spec.flip:
            self._mirrored = joint_pairs.mirrored_order(dataset.keypoint_names)
        self.left_out, self.skipped = Faults(), {}
        self._images, self._rows = self._choose(keep_empty)
        detection_checks.require_room(self._images, spec)
        self._wide = np.array([i.width >= i.height for i in self._images], bool)
        self._lock = threading.Lock()
        self._epoch = functools.lru_cache(maxsize=2)(self._arrange)
        if all(self._read(n) is None for n in range(len(self))):
            reasons = [fault.what for fault in self.left_out]
            first = next(
                iter([*self.skipped.values(), *reasons]), "it is empty"
            )
            raise ValueError(f"No image of the data set can be used: {first}")

    def __len__(self):
        """Returns the number of images; an epoch has a batch for as many."""
        return len(self._images)

    def training_batch(self, step, batch_size):
        """Returns a batch of a run.

        In an epoch of `len(reader) // batch_size` batches no image comes
        twice. Wide and tall images fill batches of their own, but for one in
        an epoch. An image that cannot be read is replaced by another one.

        Args:
            step: Integer, number of the batch in the run.
            batch_size: Integer, images per batch.

        Returns:
            Tuple of two dictionaries of arrays, for `b = batch_size` and `n`
            objects:

            - `images`: float32 `(b, height, width, 3)`, as of
              `MaskRCNN.preprocess`.
            - `image_sizes`: int32 `(b, 2)`, heights and widths without
              padding.

            and, of which the last two are there if `spec` asks for them:

            - `boxes`: float32 `(b, n, 4)`, left, top, right and bottom in
              pixels of the resized image.
            - `labels`: int32 `(b, n)`, from 1; 0 where a row is padding.
            - `masks`: uint8 `(b, n, 112, 112)`, the object within its box;
              zeros for an object without a mask.
            - `keypoints`: float32 `(b, n, joints, 3)`, x and y in pixels of
              the resized image, and visibility: 0, 1 or 2.

        Raises:
            ValueError: If there are fewer images than `batch_size`, or not
                one of them can be read any more.
        """
        self.require_batch_size(batch_size)
        epoch, position = divmod(int(step), len(self) // batch_size)
        numbers = self._epoch(epoch, batch_size)[position]
        found = [
            self._example(number, (self.seed, _IMAGE, int(step), place))
            for place, number in enumerate(numbers)
        ]
        pixels, targets = zip(*found)
        images, sizes = batches.pad(pixels, self.spec.size)
        targets = object_targets.stack(
            targets, self.spec.max_objects, self.spec.object_multiple
        )
        return {"images": images, "image_sizes": sizes}, targets

    def require_batch_size(self, batch_size):
        """Raises an error if a batch would be empty or have too many images.

        Args:
            batch_size: Integer, images per batch.

        Raises:
            ValueError: If it is not from 1 to the number of images.
        """
        if not 1 <= batch_size <= len(self):
            raise ValueError(
                f"`batch_size` must be from 1 to {len(self)}, the number of "
                f"images. Received: batch_size={batch_size}"
            )

    def _choose(self, keep_empty):
        """Returns the images, and the objects of each that are learned."""
        images, chosen = [], []
        for image in self.dataset.images:
            boxes = image.boxes
            area = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
            rows = np.flatnonzero(area & ~image.crowd)
            most = self.spec.max_objects
            for what, number in (
                ("object is a crowd", image.crowd.sum()),
                ("box has no area", (~area & ~image.crowd).sum()),
                ("object beyond `max_objects`", len(rows) - len(rows[:most])),
            ):
                for _ in range(number):
                    self.left_out.add(what, "left out", f"image {image.id}")
            if len(rows) or keep_empty:
                images.append(image)
                chosen.append(rows[:most])
            else:
                what = "image has no object"
                self.left_out.add(what, "left out", f"image {image.id}")
        return images, chosen

    def _arrange(self, epoch, batch_size):
        rng = np.random.default_rng([self.seed, _ORDER, epoch])
        return aspect_batches.arrange(self._wide, batch_size, rng)

    def _example(self, number, seed):
        """Returns the resized pixels of an image, and its targets."""
        spec, rng = self.spec, np.random.default_rng(seed)
        side = int(rng.choice(spec.short_sides))
        mirrored = spec.flip and bool(rng.integers(2))
        number, pixels = self._find(number, rng)
        image, rows = self._images[number], self._rows[number]
        size = batches.target_size(pixels.shape[:2], side, spec.max_size)
        if mirrored:
            pixels = pixels[:, ::-1]
        targets = {
            "boxes": object_targets.boxes(image, rows, size, mirrored),
            "labels": self._labels[image.labels[rows]],
        }
        if spec.masks:
            targets["masks"] = object_targets.masks(image, rows, mirrored)
        if spec.keypoints:
            order = self._mirrored if mirrored else None
            targets["keypoints"] = object_targets.keypoints(
                image, rows, size, order
            )
        return batches.resize(pixels, size, spec.mean, spec.std), targets

    def _find(self, number, rng):
        """Returns an image that can be read: this one, or one of its kind."""
        pixels = self._read(number)
        if pixels is not None:
            return number, pixels
        like = self._wide == self._wide[number]
        for group in (like, ~like):
            for other in rng.permutation(np.flatnonzero(group)):
                pixels = self._read(other)
                if pixels is not None:
                    return other, pixels
        raise ValueError("Not one of the images can be read any more")

    def _read(self, number):
        image = self._images[number]
        # Also if it failed before: a batch must not depend on those that were
        # read before it.
        try:
            return coco.read_pixels(image)
        except ImageError as error:
            with self._lock:
                if image.path not in self.skipped:
                    self.skipped[image.path] = str(error)
                    logging.warning(
                        "Skipping image %d of %d so far: %s",
                        len(self.skipped),
                        len(self),
                        error,
                    )
            return None


def name_labels(dataset, labels):
    """Names the labels of a detector of a data set.

    Args:
        dataset: A `nonlocal_keras.data.coco.CocoDataset`.
        labels: String, see `DetectionReader`.

    Returns:
        Tuple of an int32 array, the label of the detector by that of the data
        set, and a tuple of names by the labels of the detector, the
        background first.

    Raises:
        ValueError: If `labels` is outside its rule.
    """
    if labels == "class":
        numbers = range(1, len(dataset.class_names) + 1)
    elif labels == "category_id":
        numbers = dataset.category_ids
        wrong = [n for n in numbers if type(n) is not int or n < 1]
        if wrong:
            raise ValueError(
                "`labels` must be 'class' for a data set whose category ids "
                "are not integers from 1. Received: labels='category_id' "
                f"with the id {wrong[0]!r}"
            )
    else:
        raise ValueError(
            "`labels` must be 'class' or 'category_id'. "
            f"Received: labels={labels!r}"
        )
    # Some numbers of COCO are of no category.
    names = ["background", *["N/A"] * max(numbers)]
    for number, name in zip(numbers, dataset.class_names):
        names[number] = name
    return np.array(numbers, np.int32), tuple(names)

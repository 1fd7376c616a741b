"""Images with boxes, masks and keypoints, as files in COCO's format hold them.

`nonlocal_keras.data.coco_file` reads such a file.
"""

import dataclasses
import pathlib

import numpy as np

from nonlocal_keras.data import image_file
from nonlocal_keras.data import segments
from nonlocal_keras.data.faults import Faults


@dataclasses.dataclass(frozen=True, eq=False)
class CocoImage:
    """An image and the objects in it, one row of each array per object.

    Attributes:
        id: Integer or string, as in the file.
        path: Path of the image file; `None` if no folder was given.
        height: Integer, in pixels, as in the file.
        width: Integer.
        labels: int32 array `(objects,)`, indices of classes.
        xywh: float64 array `(objects, 4)`, boxes as in the file: left, top,
            width and height in pixels.
        areas: float64 array `(objects,)`, in square pixels.
        crowd: Boolean array `(objects,)`, whether it is many objects at once.
        keypoints: float64 array `(objects, joints, 3)` of x, y and visibility:
            0 not labeled, 1 hidden, 2 seen.
        segments: Tuple, polygons or run-length codes; `None` for an object
            without a mask. See `mask`.
    """

    id: object
    path: pathlib.Path
    height: int
    width: int
    labels: np.ndarray
    xywh: np.ndarray
    areas: np.ndarray
    crowd: np.ndarray
    keypoints: np.ndarray
    segments: tuple

    @property
    def boxes(self):
        """The boxes within the image.

        float32 array `(objects, 4)` of left, top, right and bottom in pixels.
        """
        low, size = self.xywh[:, :2], self.xywh[:, 2:]
        corners = np.concatenate([low, low + size], axis=1)
        sides = (self.width, self.height) * 2
        return np.clip(corners, 0, sides).astype(np.float32)

    def mask(self, index):
        """Draws the mask of an object.

        Args:
            index: Integer, row of the object.

        Returns:
            Boolean array `(height, width)`; `None` if it has no mask.

        Raises:
            ImportError: If faster-coco-eval is not installed.
        """
        segment = self.segments[index]
        if segment is None:
            return None
        return segments.to_mask(segment, self.height, self.width)


def make_image(key, path, height, width, objects, joints):
    """Makes a `CocoImage` of its objects.

    Args:
        key: Integer or string, the id of the image.
        path: Path of the image file; `None` if there is none.
        height: Integer, in pixels.
        width: Integer.
        objects: List of `nonlocal_keras.data.coco_objects.CocoObject`.
        joints: Integer, number of joints of an object.
    """
    keypoints = np.array([o.keypoints for o in objects], np.float64)
    return CocoImage(
        id=key,
        path=path,
        height=height,
        width=width,
        labels=np.array([o.label for o in objects], np.int32),
        xywh=np.array([o.xywh for o in objects], np.float64).reshape(-1, 4),
        areas=np.array([o.area for o in objects], np.float64),
        crowd=np.array([o.crowd for o in objects], bool),
        keypoints=keypoints.reshape(len(objects), joints, 3),
        segments=tuple(o.segment for o in objects),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class CocoDataset:
    """Images with boxes, masks and keypoints.

    Attributes:
        images: List of `CocoImage`, in the order of their ids.
        class_names: Tuple of strings, by label.
        category_ids: Tuple, the id in the file by label. Those of COCO have
            gaps: 80 classes are numbered from 1 to 90.
        keypoint_names: Tuple of strings, the joints; empty if there are none.
        keypoint_labels: Tuple of integers, the classes that have joints.
        faults: A `nonlocal_keras.data.faults.Faults`, what was wrong with the
            file and, as far as they were read, with the images.
        skipped: Dictionary of the ids of images that could not be read, as far
            as it was tried, to the reasons.
    """

    images: list
    class_names: tuple
    category_ids: tuple
    keypoint_names: tuple
    keypoint_labels: tuple
    faults: Faults
    skipped: dict = dataclasses.field(default_factory=dict)

    @property
    def has_masks(self):
        """Boolean, whether any object has a mask."""
        return any(
            segment is not None
            for image in self.images
            for segment in image.segments
        )

    def readable(self):
        """Yields the images that can be read, and counts the others.

        Yields:
            Tuples of a `CocoImage` and its pixels, as `read_pixels`.
        """
        for image in self.images:
            try:
                pixels = read_pixels(image)
            except image_file.ImageError as error:
                # A data set is read more than once.
                if image.id not in self.skipped:
                    self.skipped[image.id] = str(error)
                    what = "image cannot be used"
                    self.faults.add(what, "image skipped", error)
            else:
                yield image, pixels


def read_pixels(image):
    """Reads the pixels of an image of a data set.

    Args:
        image: A `CocoImage`.

    Returns:
        uint8 array `(height, width, 3)`.

    Raises:
        ImageError: As `read_image`, or if the image is not as large as its
            annotations say, so that boxes would lie elsewhere.
    """
    pixels = image_file.read_image(image.path)
    height, width, _ = pixels.shape
    if (height, width) != (image.height, image.width):
        raise image_file.ImageError(
            f"{image.path}: must be of {image.width} x {image.height} pixels, "
            f"as its annotations say. Received: {width} x {height}"
        )
    return pixels

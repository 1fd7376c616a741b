"""Whether an exported detector finds what the Keras model finds."""

import dataclasses

import numpy as np
from keras import ops

from nonlocal_keras.export.parity import ExportError
from nonlocal_keras.models.detection import postprocessing

# Pixels of the image by which a box and a keypoint may lie elsewhere.
BOX, POINT = 0.1, 0.5
# The share of detections and of keypoints that must be found again: of two
# whose scores are equal up to rounding, another one may suppress the other.
LEAST = 0.98
# A probability may differ by as much.
TOLERANCE = 1e-3
# Sizes of the images that are drawn.
SIZES = ((120, 160), (150, 110))


class NothingFound(ExportError):
    """There is nothing to compare, since the model finds nothing."""


@dataclasses.dataclass(frozen=True)
class DetectionParity:
    """What a comparison of detectors gave.

    Attributes:
        images: Integer, the number of images.
        detections: Integer, what the model finds in them.
        agreement: Float, the share of detections that both find, in pairs of
            one class whose boxes lie at most 0.1 pixels from each other.
        box: Float, the largest difference of the sides of a pair, in pixels.
        confidence: Float, the largest difference of probabilities of pairs.
        mask: Float, the largest difference of probabilities within masks;
            `None` if the model has none.
        keypoints: Float, the share of keypoints that lie at most half a pixel
            from each other; `None` if the model has none.
        tolerance: Float, the most that `confidence` and `mask` may be.
    """

    images: int
    detections: int
    agreement: float
    box: float
    confidence: float
    mask: float | None
    keypoints: float | None
    tolerance: float

    def __str__(self):
        told = (
            f"parity: {self.images} images, {self.detections} detections, "
            f"{self.agreement:.1%} found by both, largest difference "
            f"{self.box:.1e} pixels, {self.confidence:.1e} of a confidence"
        )
        if self.mask is not None:
            told += f", {self.mask:.1e} of a mask"
        told += f" (at most {self.tolerance:.2g})"
        if self.keypoints is not None:
            told += f", {self.keypoints:.1%} of the keypoints"
        return told


def compare(model, run, images, tolerance=TOLERANCE):
    """Runs an exported detector on images and compares it with the model.

    Args:
        model: A `nonlocal_keras.models.MaskRCNN`.
        run: Function from a uint8 array `(1, height, width, 3)` to a
            dictionary of arrays, see `export.detector_graph.detect`.
        images: List of uint8 arrays `(height, width, 3)`.
        tolerance: Float, the most that a probability may differ. Defaults to
            `1e-3`.

    Returns:
        A `DetectionParity`.

    Raises:
        NothingFound: If the model finds nothing.
        ExportError: If it finds otherwise.
    """
    counts, differences = np.zeros(3, int), []
    for image in images:
        expected = _of_first(find(model, image))
        received = _of_first(run(image[None]))
        pairs = _pairs(expected, received)
        counts += len(expected["boxes"]), len(received["boxes"]), len(pairs)
        differences += [_difference(expected, received, *p) for p in pairs]
    if not counts[:2].any():
        raise NothingFound(
            "`images` must hold objects that the model finds, or there is "
            "nothing to compare. Give images of its kind: images=, --images. "
            f"Received: {len(images)} images without a detection"
        )
    values = list(zip(*differences)) or [(np.inf,)] * 2 + [()] * 2
    box, confidence = (float(np.max(x)) for x in values[:2])
    mask, near = ([x for x in part if x is not None] for part in values[2:])
    parity = DetectionParity(
        images=len(images),
        detections=int(counts[0]),
        agreement=2 * int(counts[2]) / int(counts[0] + counts[1]),
        box=box,
        confidence=confidence,
        mask=float(np.max(mask)) if mask else None,
        keypoints=float(np.mean(near)) if near else None,
        tolerance=tolerance,
    )
    # Written so that a NaN fails.
    fits = parity.agreement >= LEAST and parity.confidence <= tolerance
    fits = fits and (parity.mask is None or parity.mask <= tolerance)
    fits = fits and (parity.keypoints is None or parity.keypoints >= LEAST)
    if not fits:
        raise ExportError(
            "The exported detector must find what the model finds. "
            f"Received: {parity}"
        )
    return parity


def find(model, image):
    """Returns what a detector finds, with masks within their boxes.

    Args:
        model: A `nonlocal_keras.models.MaskRCNN`.
        image: uint8 array `(height, width, 3)`.

    Returns:
        Dictionary of arrays, as `export.detector_graph.detect`.
    """
    inputs = model.preprocess([image])
    # To compile it takes longer than a few images.
    outputs = {
        name: ops.convert_to_numpy(tensor)
        for name, tensor in model(inputs, training=False).items()
    }
    masks = outputs.pop("masks", None)
    found = postprocessing.postprocess(
        outputs, inputs["image_sizes"], np.array([image.shape[:2]])
    )
    return found if masks is None else {**found, "masks": masks}


def draw_images(sizes=SIZES):
    """Draws images of colored tiles and noise.

    Args:
        sizes: Sequence of tuples of height and width.

    Returns:
        List of uint8 arrays `(height, width, 3)`.
    """
    images = []
    for seed, (height, width) in enumerate(sizes):
        rng = np.random.default_rng(seed)
        tiles = rng.integers(0, 200, (5, 7, 3))
        rows, columns = np.arange(height) * 5, np.arange(width) * 7
        image = tiles[rows // height][:, columns // width]
        noise = rng.integers(0, 56, (height, width, 3))
        images.append((image + noise).astype("uint8"))
    return images


def _of_first(found):
    number = int(found["num_detections"][0])
    return {
        name: np.asarray(values)[0, :number]
        for name, values in found.items()
        if name != "num_detections"
    }


def _pairs(expected, received):
    """Returns the pairs of rows that are the same detection."""
    if not len(expected["boxes"]) or not len(received["boxes"]):
        return []
    apart = np.abs(expected["boxes"][:, None] - received["boxes"]).max(axis=2)
    other = expected["labels"][:, None] != received["labels"]
    apart = np.where(other, np.inf, apart)
    pairs, taken = [], set()
    for row, distances in enumerate(apart):
        order = np.argsort(distances, kind="stable").tolist()
        nearest = next((k for k in order if k not in taken), None)
        if nearest is not None and distances[nearest] <= BOX:
            taken.add(nearest)
            pairs.append((row, nearest))
    return pairs


def _difference(expected, received, row, other):
    """Returns box, confidence, mask, and the share of near keypoints."""

    def apart(name):
        return np.abs(expected[name][row] - received[name][other])

    mask = near = None
    if "masks" in expected:
        mask = apart("masks").max()
    if "keypoints" in expected:
        near = (apart("keypoints")[:, :2].max(axis=1) <= POINT).mean()
    return apart("boxes").max(), apart("confidence").max(), mask, near

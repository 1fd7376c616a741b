"""The cases of the benchmark of detectors, and what both sides see."""

import numpy as np

CLASSES = 91
# Images at a time of each size, the short side in pixels.
WORK = {
    "inference": {512: (1, 2), 800: (1,)},
    "training": {512: (2,), 800: (2,)},
}
# Rows and columns of a photo before it is resized.
PHOTO = (480, 640)
OBJECTS = 8
# Pixels of a side of every object, and cells of its mask: one of the other.
SIDE = 112
# Samples of a training step, and so many that all anchors and proposals take
# part: nothing is left to chance, and the losses of both sides are the same.
SAMPLES = {
    "usual": {
        "rpn_samples": 256,
        "roi_samples": 512,
        "roi_positive_fraction": 0.25,
        "post_nms_top_n": 2000,
    },
    "all": {
        "rpn_samples": 1 << 17,
        "roi_samples": 2048,
        "roi_positive_fraction": 0.5,
        "post_nms_top_n": 2000,
    },
}


def cases():
    """Returns all cases, as dictionaries; `work` says what is done."""
    return [
        {"work": work, "size": size, "batch": batch}
        for work, sizes in WORK.items()
        for size, batches in sizes.items()
        for batch in batches
    ]


def images(case):
    """Returns a list of uint8 images `(height, width, 3)`.

    Those of training have the size at which the network sees them: nothing is
    resized, neither images nor masks.
    """
    return [_photo(shape(case), seed) for seed in range(case["batch"])]


def shape(case):
    """Returns the rows and columns of the images of a case."""
    if case["work"] == "training":
        return case["size"], case["size"] * PHOTO[1] // PHOTO[0]
    return PHOTO


def targets(case):
    """Returns the objects of the images of a training step.

    Returns:
        Dictionary of `boxes` `(batch, OBJECTS, 4)` in float32, `labels`
        `(batch, OBJECTS)` in int32 and `masks` `(batch, OBJECTS, SIDE, SIDE)`
        in uint8, each in its box.
    """
    rng = np.random.default_rng(1)
    height, width = shape(case)
    some = case["batch"], OBJECTS
    x = rng.integers(1, width - SIDE, some)
    y = rng.integers(1, height - SIDE, some)
    boxes = np.stack([x, y, x + SIDE, y + SIDE], axis=-1)
    return {
        "boxes": boxes.astype("float32"),
        "labels": rng.integers(1, CLASSES, some).astype("int32"),
        "masks": (rng.uniform(size=(*some, SIDE, SIDE)) < 0.6).astype("uint8"),
    }


def _photo(shape, seed):
    """Draws an image whose frequencies are as strong as those of photos.

    Their amplitudes fall with the frequency, so that there are large areas,
    edges and textures.
    """
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(*map(np.fft.fftfreq, shape), indexing="ij")
    frequency = np.hypot(y, x)
    frequency[0, 0] = 1.0
    channels = []
    for _ in range(3):
        waves = np.fft.fft2(rng.standard_normal(shape)) / frequency
        waves[0, 0] = 0.0
        channel = np.fft.ifft2(waves).real
        channels.append(127.5 + 55.0 * channel / channel.std())
    return np.clip(np.stack(channels, axis=-1), 0, 255).astype("uint8")

"""What a detector of another project finds, in the form that is compared.

A dictionary per image: `boxes` `(n, 4)`, `labels` from 1 on, `scores`, and
where there are such heads `masks` `(n, height, width)` of probabilities and
`keypoints` `(n, points, 2)`.
"""

import pathlib

import numpy as np


def write(path, images, found):
    """Writes images and what was found, as one file.

    Args:
        path: Path of the file.
        images: List of uint8 arrays `(height, width, 3)`.
        found: List of dictionaries of tensors, one per image.
    """
    arrays = {}
    for index, (image, one) in enumerate(zip(images, found)):
        arrays[f"{index}/image"] = image
        for name, values in one.items():
            values = np.asarray(values)
            # 16 bits hold probabilities to 2.4e-4.
            kind = "float16" if name == "masks" else values.dtype
            arrays[f"{index}/{name}"] = values.astype(kind)
    np.savez(pathlib.Path(path), **arrays)


def read(path):
    """Returns the images of a file, and a list of dictionaries of arrays."""
    images, found = [], []
    with np.load(path) as arrays:
        for key in arrays.files:
            index, name = key.split("/")
            if name == "image":
                images.append(arrays[key])
                found.append({})
            else:
                found[int(index)][name] = arrays[key]
    return images, found

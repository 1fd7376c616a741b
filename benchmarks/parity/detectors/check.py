"""Converts the detectors of a folder and compares all that they find.

    python check.py FOLDER [NAME...]

It prints a table, and exits with 1 if a detector finds anything else than its
own program: another object, one more or less, another order, or a difference
above the tolerance. Where scores are as good as equal, either order is right
("ties"). torchvision draws masks into whole pixels: where the side of a box is
as good as one, the mask may be drawn a pixel further, and is not compared
("edges"). Of masks, what the difference of their boxes explains is taken off.

A second table tells what is found in the photos themselves, where the project
resizes in its own way before the network: how much the pixels differ, of 255
levels; how many of its objects are found with an IoU of at least 0.5 and 0.9,
in the same class; and how far apart the former are. Nothing is required of it.
"""

import argparse
import json
import pathlib
import sys
import time

import comparison
import found
import numpy as np
from comparison import TOLERANCE

from nonlocal_keras import convert
from nonlocal_keras.images import interpolation


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_intermixed_args()
    names = arguments.names or sorted(
        told.parent.name for told in arguments.folder.glob("*/told.json")
    )
    print(
        f"| detector | file MB | images | objects | ties | edges | other | "
        f"{' | '.join(TOLERANCE)} | seconds |"
    )
    print("|---|" + "---|" * (len(TOLERANCE) + 7))
    passed = [check(arguments.folder / name) for name in names]
    print(f"\n{sum(passed)} of {len(passed)} find the same.")
    folders = [arguments.folder / name for name in names]
    resized = [x for x in folders if (x / "resized.npz").exists()]
    if resized:
        print(
            "\n| resized by the project | levels, mean | 99% | objects | "
            "IoU 0.5 | IoU 0.9 | boxes, median | scores, median |"
        )
        print("|---|---|---|---|---|---|---|---|")
    for folder in resized:
        measure(folder)
    return int(not passed or not all(passed))


def check(folder):
    """Prints the row of one detector; returns whether it finds the same."""
    begin = time.perf_counter()
    told, file, model = load(folder)
    limit = model.get_config()["detections_per_image"]
    total = comparison.Comparison(told["whole_pixels"], limit)
    for path in sorted(folder.glob("[0-9]*.npz")):
        images, expected = found.read(path)
        results = model.predict(images)
        for index, one in enumerate(expected):
            total.add(of_image(results, index), one)
    cells = [
        f"{file.stat().st_size / 1e6:.0f}",
        *map(str, (total.images, total.objects, total.ties)),
        str(total.edges),
        str(total.other + total.swapped),
        *(total.differences.get(name, "") for name in TOLERANCE),
        f"{time.perf_counter() - begin:.0f}",
    ]
    cells = [x if isinstance(x, str) else f"{x:.1e}" for x in cells]
    print(f"| {folder.name} | {' | '.join(cells)} |", flush=True)
    return total.passed


def measure(folder):
    """Prints how much the resizing of a project changes."""
    _, _, model = load(folder)
    images, expected = found.read(folder / "resized.npz")
    results = model.predict(images)
    counts, levels, gaps, scores = np.zeros(2, int), [], [], []
    for index, theirs in enumerate(expected):
        taken = theirs["taken"].astype("float32")
        pixels = images[index].astype("float32")
        pixels = interpolation.resize_image(pixels, *taken.shape[:2])
        levels.append(np.abs(pixels - taken).ravel())
        ours = of_image(results, index)
        misfits = comparison.misfits(ours, theirs)
        pairs = [comparison.match(misfits, 1 - iou) for iou in (0.5, 0.9)]
        counts += [len(rows) for rows, _ in pairs]
        rows, columns = pairs[0]
        gaps += [*comparison.distances(ours, theirs)[rows, columns]]
        scores += [*np.abs(ours["scores"][rows] - theirs["scores"][columns])]
    objects = sum(len(theirs["labels"]) for theirs in expected)
    shares = [f"{count / objects:.1%}" for count in counts]
    levels = np.concatenate(levels)
    print(
        f"| {folder.name} | {levels.mean():.2f} | "
        f"{np.percentile(levels, 99):.1f} | {objects} | {' | '.join(shares)} | "
        f"{np.median(gaps):.2f} | {np.median(scores):.4f} |",
        flush=True,
    )


def load(folder):
    """Returns what is told of a detector, its file and the converted model."""
    told = json.loads((folder / "told.json").read_text())
    file = folder / told["file"]
    model, _ = convert.convert(file, told["source"], **told["sizes"])
    # A graph for every size of a batch would take longer than its images.
    model.run_eagerly = True
    return told, file, model


def of_image(results, index):
    """Returns what `predict` gives for one image, as in `found`."""
    number = results["num_detections"][index]
    results = {**results, "scores": results["confidence"]}
    one = {
        name: results[name][index][:number]
        for name in ("labels", *TOLERANCE, "keypoint_scores")
        if name in results
    }
    if "keypoints" in one:
        one["keypoints"] = one["keypoints"][..., :2]
    return one


if __name__ == "__main__":
    sys.exit(main())

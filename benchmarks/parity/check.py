"""Converts every pair of a folder and compares logits, end to end.

    python check.py FOLDER

It prints a table, and exits with 1 if an error is above the tolerance.
"""

import argparse
import json
import pathlib
import resource
import sys
import time

import numpy as np

from nonlocal_keras import convert

TOLERANCE = 1e-4


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    folder = parser.parse_args().folder
    print("| pair | file MB | load s | logits s | absolute | relative |")
    print("|---|---|---|---|---|---|")
    worst = 0.0
    for told in sorted(folder.glob("*.json")):
        worst = max(worst, check(folder, told))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nWorst: {worst:.1e}. Peak memory: {peak:.0f} MB.")
    return int(not worst < TOLERANCE)


def check(folder, told):
    """Prints one row; returns the larger one of its two errors."""
    kinds = (".pth", ".pkl", ".zip", ".params")
    (file,) = (
        path for path in folder.glob(f"{told.stem}.*") if path.suffix in kinds
    )
    settings = json.loads(told.read_text())
    begin = time.perf_counter()
    model, _ = convert.convert(
        file, settings["source"], **settings["overrides"]
    )
    loaded = time.perf_counter()
    with np.load(folder / f"{told.stem}.npz") as pair:
        clip, expected = np.moveaxis(pair["clip"], 1, -1), pair["logits"]
    logits = np.asarray(model.logits(clip, training=False))
    done = time.perf_counter()
    absolute = np.abs(logits - expected).max()
    # Of the size of the logits: single ones may be as good as zero.
    relative = absolute / np.abs(expected).max()
    print(
        f"| {told.stem} | {file.stat().st_size / 1e6:.0f} | "
        f"{loaded - begin:.1f} | {done - loaded:.1f} | {absolute:.1e} | "
        f"{relative:.1e} |",
        flush=True,
    )
    return max(absolute, relative)


if __name__ == "__main__":
    sys.exit(main())

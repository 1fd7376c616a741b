"""Writes random full-width detectors of PyTorch projects, and what they find.

    python make.py FOLDER [NAME...] [--size PIXELS] [--images FOLDER]

`FOLDER/NAME/` gets the checkpoint, under a name as it is published, and for
each batch of photos a file of what was found. A name may be of a project, such
as `torchvision`. Its environment is that of `make_torch.py`; `DETECTRON2`
names a checkout of detectron2, without which its detectors are left out.
"""

import argparse
import importlib
import json
import os
import pathlib
import shutil
import time

import found
import photos
import weights

PROJECTS = ("torchvision", "mmdetection", "detectron2")
# What the way of the project to resize changes is measured with these.
RESIZED = ("mmdetection_mask_r50", "detectron2_mask_r50")
SEED = 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("names", nargs="*", default=PROJECTS)
    parser.add_argument("--images", help="a folder of photos")
    parser.add_argument("--size", type=int, default=400, help="short side")
    arguments = parser.parse_intermixed_args()
    sizes = photos.sizes(arguments.size)
    images = photos.load(arguments.images)
    for project in PROJECTS:
        names = [n for n in arguments.names if n.startswith(project)]
        if project == "detectron2" and names and "DETECTRON2" not in os.environ:
            print("detectron2 is left out: DETECTRON2 names no checkout of it")
            continue
        if names:
            module = importlib.import_module(f"of_{project}")
            if project in names:
                names = module.CASES
            for name in names:
                peer = module.Peer(name, **sizes)
                make(peer, arguments.folder / name, images, sizes)


def make(peer, folder, images, sizes):
    """Draws the weights of a detector, saves it and lets it look at photos."""
    begin = time.perf_counter()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    originals = images
    if not peer.resizes_inside:
        images = [photos.as_taken(image, **sizes) for image in images]
    weights.draw(peer.net, SEED)
    weights.fit(peer.net, lambda: peer.predict(images[:1]))
    peer.save(folder / peer.file)
    for number, batch in enumerate(photos.batches(images)):
        results = peer.predict(batch)
        found.write(folder / f"{number}.npz", batch, results)
    if folder.name in RESIZED:
        taken = [peer.resize(image) for image in originals]
        before = [image.shape[:2] for image in originals]
        resized = peer.predict(taken, before)
        for one, pixels in zip(resized, taken):
            one["taken"] = pixels
        found.write(folder / "resized.npz", originals, resized)
    told = {
        "source": peer.source,
        "file": peer.file,
        "sizes": sizes,
        "whole_pixels": peer.whole_pixels,
    }
    (folder / "told.json").write_text(json.dumps(told))
    seconds = time.perf_counter() - begin
    print(f"{folder.name}: {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()

"""What the videos of a run are like, and what that means for it.

Every file is opened, counted as a training would count it, and looked for on
both sides: a copy under another name is the same video.
"""

import collections
import dataclasses
import hashlib
import math
import os

from nonlocal_keras.data import decode
from nonlocal_keras.data import sampling
from nonlocal_keras.data.video_file import VideoError

# Of more videos not each is opened before the first step.
MOST = 2000
# Times as many videos in the largest class as in the smallest.
UNEVEN = 3
# Test videos by which an accuracy is known to 10 points and less.
ENOUGH = 100


@dataclasses.dataclass(frozen=True)
class Lengths:
    """The videos of a split by their lengths.

    Attributes:
        frames: Dictionary of path to frames, of the videos that can be read.
        broken: Dictionary of path to the reason why one cannot.
    """

    frames: dict
    broken: dict

    def cells(self):
        """Returns shortest, longest and broken, for a table."""
        found = self.frames.values()
        ends = (min(found), max(found)) if found else ("-", "-")
        return (*(f"{end} frames" for end in ends), len(self.broken))


def measure(found):
    """Counts the frames of all videos.

    Args:
        found: Dictionary of name to `nonlocal_keras.data.splits.Split`.

    Returns:
        Dictionary of name to `Lengths`; empty if there are more than `MOST`
        videos.

    Raises:
        ValueError: If a video of training is, byte for byte, in another split.
    """
    paths = {name: split.videos.paths for name, split in found.items()}
    if len(set().union(*paths.values())) > MOST:
        return {}
    for name in paths:
        if name != "train":
            _refuse_copies(paths["train"], paths[name], name)
    known = {}
    return {name: _measure(mine, known) for name, mine in paths.items()}


def _measure(paths, known):
    frames, broken = {}, {}
    for path in paths:
        if path not in known:
            try:
                known[path] = decode.count_frames(path)
            except VideoError as error:
                known[path] = str(error)
        if isinstance(known[path], int):
            frames[path] = known[path]
        else:
            broken[path] = known[path]
    return Lengths(frames, broken)


def _refuse_copies(train, held, name):
    sizes = collections.defaultdict(list)
    for path in train:
        sizes[os.path.getsize(path)].append(path)
    digests = {}
    for path in held:
        size = os.path.getsize(path)
        # Empty files are broken in any case.
        for twin in sizes.get(size, ()) if size else ():
            if _digest(path, digests) == _digest(twin, digests):
                raise ValueError(
                    f"A video must not be in train and in {name}. Received: "
                    f"{twin} and {path}, which hold the same bytes. Remove "
                    "one of them"
                )


def _digest(path, digests):
    if path not in digests:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256")
        digests[path] = digest.hexdigest()
    return digests[path]


def tell(found, lengths, recipe):
    """Says what a training makes of uneven, few and short videos.

    Args:
        found: Dictionary of name to `nonlocal_keras.data.splits.Split`.
        lengths: Dictionary as of `measure`.
        recipe: A `nonlocal_keras.training.video.recipes.VideoRecipe`.

    Returns:
        List of sentences without their full stops.
    """
    said = []
    train, test = found["train"].videos, found["test"].videos
    counts = collections.Counter(train.labels)
    fewest, most = min(counts.values()), max(counts.values())
    if most >= UNEVEN * fewest:
        said.append(
            f"Classes of train have from {fewest} to {most} videos. Every "
            "video is drawn as often as any other, so that the larger classes "
            "count for more, in training and in the accuracy"
        )
    if len(test) < ENOUGH:
        points = 196 * math.sqrt(0.25 / len(test))
        said.append(
            f"An accuracy on {len(test)} test videos is known to about "
            f"{points:.0f} points; the report gives its 95% interval"
        )
    broken = sum(len(of_split.broken) for of_split in lengths.values())
    if broken:
        path, reason = next(
            item for part in lengths.values() for item in part.broken.items()
        )
        said.append(
            f"Videos that cannot be read are left out, of train, val and test "
            f"{broken}, such as {path} ({reason})"
        )
    said += _tell_short(lengths.get("train"), recipe)
    return said


def _tell_short(lengths, recipe):
    # Clips that count time have another length in each video.
    if lengths is None or recipe.stride is None or recipe.fps is not None:
        return []
    needed = sampling.span(recipe.frames, recipe.stride)
    short = sum(frames < needed for frames in lengths.frames.values())
    if not short:
        return []
    return [
        f"{short} of {len(lengths.frames)} videos of train are shorter than "
        f"the {needed} frames that a clip spans: after its last frame a video "
        "begins again. A smaller stride makes clips shorter: "
        "--overrides=stride=..."
    ]

"""Holds videos out of class folders, all of one recording on one side.

Clips cut from one recording show the same people and walls. With some of them
in training, the accuracy on the others says little about new videos.
"""

import collections
import hashlib
import os
import pathlib
import re

PART = 0.25


def hold_out(rows, seed):
    """Divides the videos of class folders into training and held out.

    Files of one source go to one side, see `source_of`. If names tell no
    sources, i.e. fewer than five or one per class, each file goes alone.
    Sources are taken in an order that the seed and their names decide, as
    long as no class has more than a quarter of its videos held out; a class
    then left without one gives its smallest source, if others remain.

    Args:
        rows: List of `nonlocal_keras.data.labels.Row`.
        seed: Integer, of the order of the sources.

    Returns:
        A tuple of the list of rows for training, the list of those held out,
        and a sentence that says how they were chosen.

    Raises:
        ValueError: If no video can be held out.
    """
    groups = collections.defaultdict(list)
    for row in rows:
        groups[source_of(row)].append(row)
    by_source = _tells_sources(groups)
    if not by_source:
        groups = {row.path: [row] for row in rows}
    held = _choose(groups, seed)
    if not held:
        raise ValueError(
            "no video can be held out for validation: every class must have "
            f"two videos. Received: {len(rows)} videos"
        )
    if by_source:
        how = (
            f"{len(held)} of {len(groups)} sources are held out: files whose "
            "names agree up to the last number, as those of "
            f"{min(held)!r}, stay together"
        )
    else:
        how = (
            f"{len(held)} of {len(groups)} files are held out one by one, "
            "since their names tell no sources: both sides may show the same "
            "recording"
        )
    return (
        [row for name in groups if name not in held for row in groups[name]],
        [row for name in sorted(held) for row in groups[name]],
        f"{how} (seed {seed})",
    )


def source_of(row):
    """Names the recording that a video was cut from, by its file name.

    It is the name up to its last number, without the name of the class, with
    the folders between; for clips of Kinetics the identifier. So
    `hug/set1_seq07_035_hug.avi` and `kick/set1_seq07_031_kick.avi` have one
    source, `set1_seq07_`.
    """
    path = pathlib.PurePath(row.path)
    clip = re.fullmatch(r"(.+)_[0-9]{6}_[0-9]{6}", path.stem)
    if clip:
        return clip[1]
    label = rf"(?<![^\W_\d]){re.escape(row.label)}(?![^\W_\d])"
    name = re.sub(label, "", path.stem, flags=re.IGNORECASE)
    numbered = re.fullmatch(r"(.*?)[0-9]+[^0-9]*", name)
    return "/".join([*path.parts[1:-1], numbered[1] if numbered else name])


def _tells_sources(groups):
    sources = collections.Counter(
        label for rows in groups.values() for label in {r.label for r in rows}
    )
    alone = sum(number == 1 for number in sources.values())
    return len(groups) >= 5 and 2 * alone <= len(sources)


def _choose(groups, seed):
    """Returns the names of the groups that are held out."""
    counts = {
        name: collections.Counter(row.label for row in rows)
        for name, rows in groups.items()
    }
    total = sum(counts.values(), collections.Counter())
    most = {c: max(1, round(PART * n)) for c, n in total.items()}
    held, taken = set(), collections.Counter()

    def take_if(name, limit):
        group = counts[name]
        if all(taken[c] + n <= limit[c] for c, n in group.items()):
            held.add(name)
            taken.update(group)

    order = sorted(groups, key=lambda name: _hash(seed, name))
    rest = {c: n - 1 for c, n in total.items()}
    for name in order:
        take_if(name, {c: min(most[c], rest[c]) for c in total})
    for label in total:
        if not taken[label]:
            mine = [name for name in order if label in counts[name]]
            smallest = min(mine, key=lambda name: counts[name].total())
            take_if(smallest, rest)
    return held


def _hash(seed, name):
    # Names of files need not be text.
    return hashlib.sha256(os.fsencode(f"{seed}:{name}")).digest()

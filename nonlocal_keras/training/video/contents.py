"""What a list of videos is remembered by."""

import collections
import hashlib
import os


def describe(videos):
    """Describes a list of videos: small, and enough to say what changed.

    Args:
        videos: A `nonlocal_keras.data.VideoList`.

    Returns:
        Dictionary of class name to the number of its videos and a digest of
        their paths, relative to the root of the list: data that moved are the
        same data.
    """
    paths = collections.defaultdict(list)
    for path, label in zip(videos.paths, videos.labels):
        paths[videos.classes[label]].append(_relative(path, videos.root))
    return {
        name: [len(mine), _digest(mine)] for name, mine in sorted(paths.items())
    }


def _digest(paths):
    # Names of files need not be text.
    return hashlib.sha256(os.fsencode("\n".join(paths))).hexdigest()


def _relative(path, root):
    relative = os.path.relpath(path, root) if root else path
    return path if relative.startswith(os.pardir) else relative

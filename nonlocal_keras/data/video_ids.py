"""Finds the files of lists that name clips by identifier and times.

The official lists of Kinetics name no files. Downloaders write the clip from
second 6 to 16 of video `f7Z6BmBkcq4` as `f7Z6BmBkcq4_000006_000016.mp4`.
"""

import os
import pathlib
import re

from nonlocal_keras.data import folders


def find(clips, source):
    """Finds the files of clips.

    They are looked for at any depth below the folder that has the name of the
    list, `val/` for `val.csv`, or, without one, below that of the list.

    Args:
        clips: List of tuples of the identifier and the seconds at the start
            and at the end, integers.
        source: Path of the list.

    Returns:
        List of strings, paths relative to the folder of the list; for a clip
        without a file that which it should have.

    Raises:
        ValueError: If a clip has two files, or not one clip has any.
    """
    root = source.with_suffix("")
    root = root if root.is_dir() else source.parent
    files, wanted = {}, set(clips)
    for folder, names in folders.walk(root):
        for name in names:
            clip = _clip_of(name)
            if clip not in wanted:
                continue
            path = os.path.relpath(os.path.join(folder, name), source.parent)
            if clip in files:
                raise ValueError(
                    "A clip must have one file. Received: "
                    f"{files[clip]!r} and {path!r} in {str(source.parent)!r}"
                )
            files[clip] = path
    if clips and not files:
        raise ValueError(
            "The clips of a list of Kinetics must lie below the folder "
            f"{str(root)!r}, at any depth, as id_start_end.mp4 with the times "
            f"in seconds, e.g. {_name(clips[0])}. Received: {str(source)!r} "
            f"with {len(clips)} clips, of which none is there"
        )
    usual = os.path.relpath(root, source.parent)
    return [
        files.get(clip, os.path.normpath(os.path.join(usual, _name(clip))))
        for clip in clips
    ]


def _clip_of(name):
    path = pathlib.PurePath(name)
    match = re.fullmatch(r"(.+)_([0-9]+)_([0-9]+)", path.stem)
    if not match or not folders.is_video_name(name):
        return None
    return match[1], int(match[2]), int(match[3])


def _name(clip):
    identifier, start, end = clip
    return f"{identifier}_{start:06d}_{end:06d}.mp4"

"""Which files are videos, by their suffix, and how folders are searched."""

import os
import pathlib

# What PyAV opens as a video. Suffixes of sound, pictures and subtitles that
# its formats name as well are left out, and so are those of raw pixels, whose
# size no file tells.
SUFFIXES = frozenset(
    """
    .264 .265 .266 .3g2 .3gp .asf .avc .avi .av1 .avs2 .avs3 .cdxl .dif .divx
    .dv .dvr-ms .evo .f4v .flv .gif .gxf .h261 .h263 .h264 .h265 .h266 .h26l
    .hevc .ismv .ivf .ivr .ipu .kux .m1v .m2p .m2t .m2ts .m2v .m4v .mj2 .mjpeg
    .mjpg .mk3d .mkv .mod .mov .mp4 .mpe .mpeg .mpg .mpv .mts .mxf .nut .obu
    .ogm .ogv .psp .qt .rm .rmvb .roq .tod .trp .ts .ty .vc1 .vivo .vob .vro
    .vvc .webm .wm .wmv .wtv .xmv .xvid .y4m
    """.split()
)


def is_video_name(name):
    """Tells by its suffix, in any case, whether a file is a video."""
    return pathlib.PurePath(name).suffix.lower() in SUFFIXES


def walk(root):
    """Searches a folder and all below it, links included.

    Hidden files and folders, a system's own, are left out.

    Args:
        root: Path of the folder.

    Yields:
        Tuples of the path of a folder and the names of its files.
    """
    seen = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        # A link to a folder above would lead around for ever.
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [name for name in folders if not is_hidden(name)]
        yield folder, [name for name in files if not is_hidden(name)]


def is_hidden(name):
    """Tells whether a file or folder is a system's own, not the user's."""
    return name.startswith(".") or name in _OF_SYSTEMS


_OF_SYSTEMS = frozenset(
    ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "System Volume Information")
    + ("lost+found", "Thumbs.db", "desktop.ini")
)

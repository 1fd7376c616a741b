"""Paths that strangers name: regular files, or an error that says why not."""

import os
import re
import stat


def require(path, kind, error):
    """Raises an error unless a path is that of a regular file.

    Args:
        path: String or path.
        kind: String, what the file should be, such as `"video"`.
        error: Class of the exception that is raised.

    Returns:
        An `os.stat_result`.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError) as reason:  # ValueError: a zero byte.
        if re.match(r"[A-Za-z][\w+.-]+:/", str(path)):
            raise error(
                f"{path}: must be a file; addresses are not opened. Download "
                f"the {kind}, and give the path of the file"
            ) from reason
        raise error(f"{path}: not a readable {kind} ({reason})") from reason
    # A pipe or device may never end.
    if not stat.S_ISREG(found.st_mode):
        raise error(f"{path}: not a readable {kind} (not a regular file)")
    return found

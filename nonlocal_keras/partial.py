"""Files and folders that are not whole yet: hidden, and gone at the end.

A process that is killed cannot tidy up, so that the next one does it. Who is
alive is told by a lock that the system frees with the process.
"""

import contextlib
import os
import pathlib
import shutil
import tempfile

PREFIX = ".nonlocal-keras-partial-"
_LOCK = "lock"


def write_text(path, text):
    """Replaces a file as a whole: a full disk leaves the one before.

    One process at a time may do so. What a killed one left, the next replaces.

    Args:
        path: `pathlib.Path` of the file.
        text: String.

    Raises:
        OSError: If it cannot be written.
    """
    new = path.with_name(f".{path.name}.partial")
    try:
        new.write_text(text, encoding="utf-8")
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


@contextlib.contextmanager
def folder(parent):
    """Makes a new folder to write in, on the disk of its parent.

    Before, it removes those that processes left that are not there any more.
    What is whole is moved out of it with `os.replace`.

    Example:

    >>> import os
    >>> import pathlib
    >>> from nonlocal_keras import partial
    >>> path = pathlib.Path("labels.txt")
    >>> with partial.folder(path.parent) as folder:
    ...     size = (folder / path.name).write_bytes(b"waving")
    ...     os.replace(folder / path.name, path)
    >>> path.read_bytes()
    b'waving'

    Args:
        parent: String or path of a folder that exists.

    Yields:
        `pathlib.Path` of an empty folder.

    Raises:
        OSError: If the parent cannot be written.
    """
    _remove_leftovers(parent)
    made, lock = _make(parent)
    try:
        (made / "content").mkdir()
        yield made / "content"
    finally:
        shutil.rmtree(made, ignore_errors=True)
        lock.release()


def _make(parent):
    import filelock

    while True:
        made = pathlib.Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        lock = filelock.FileLock(made / _LOCK)
        with contextlib.suppress(FileNotFoundError):
            lock.acquire()
            # Unless another process took it for a leftover until now.
            if (made / _LOCK).exists():
                return made, lock
            lock.release()


def _remove_leftovers(parent):
    import filelock

    for found in pathlib.Path(parent).glob(f"{PREFIX}*"):
        lock = filelock.FileLock(found / _LOCK)
        # Another process writes there, or removes it at the same time, or
        # it is not ours to remove.
        with contextlib.suppress(filelock.Timeout, OSError):
            lock.acquire(timeout=0)
            try:
                shutil.rmtree(found)
            finally:
                lock.release()
